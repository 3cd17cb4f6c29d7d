"""scripts/migrate invokes until an export is done, and says what stands in the way."""

import contextlib
import importlib.util
import io
import json
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "migrate"
LOADER = SourceFileLoader("migrate", str(SCRIPT))
REPORT = {
    "environment": "sandbox",
    "lines": {"total": 2, "broken": 1, "duplicates": 0, "expired": 0, "otherEnvironment": 0},
    "companies": {"migrated": 1},
    "broken": [{"line": 2, "reason": "is not JSON"}],
    "results": [{"companyId": "a", "outcome": "migrated", "oldSide": "stop", "realmId": "9"}],
}


class Migrate(unittest.TestCase):
    """The script, with the AWS CLI and the function played."""

    def setUp(self):
        self.script = importlib.util.module_from_spec(
            importlib.util.spec_from_loader("migrate", LOADER)
        )
        LOADER.exec_module(self.script)
        self.answers, self.events = [], []
        self.script.aws = self.aws
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.export = str(Path(folder.name, "tokens.jsonl"))
        Path(self.export).write_text("{}\n", "utf-8")

    def aws(self, *arguments):
        """What the CLI would do."""
        if arguments[:2] == ("lambda", "invoke"):
            event = arguments[arguments.index("--payload") + 1].removeprefix("fileb://")
            self.events.append(json.loads(Path(event).read_text("utf-8")))
            Path(arguments[-1]).write_text(json.dumps(self.answers.pop(0)), "utf-8")
        if arguments[0] == "s3" and arguments[-1] == "-":
            return json.dumps(REPORT)
        return "name\n"

    def said(self, command, *arguments):
        """What a command prints."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            with contextlib.redirect_stderr(io.StringIO()):
                command(*arguments)
        return out.getvalue()

    def test_a_run_invokes_until_no_company_is_left(self):
        slice_ = {"companies": {}, "written": "reports/tokens.jsonl.json"}
        self.answers = [slice_ | {"next": "b"}, slice_]
        said = self.said(self.script.run, self.export)
        key = "exports/tokens.jsonl"
        self.assertEqual(self.events, [{"export": key}, {"export": key, "after": "b"}])
        self.assertIn("line 2 is not JSON", said)
        self.assertIn("     1 migrated", said)

    def test_a_run_that_stopped_fails_and_says_why(self):
        self.answers = [{"companies": {}, "written": "reports/x.json", "stopped": "Intuit is away"}]
        with self.assertRaisesRegex(self.script.Failed, "Intuit is away"):
            self.said(self.script.run, self.export)

    def test_what_the_function_refuses_is_a_failure(self):
        for answer in ({"error": "no"}, {"errorMessage": "no"}):
            self.answers = [answer]
            with self.assertRaisesRegex(self.script.Failed, "no"):
                self.said(self.script.plan, self.export)

    def fresh(self, text):
        """A fresh export beside the first one."""
        path = Path(self.export).with_name("fresh.jsonl")
        path.write_text(text, "utf-8")
        return str(path)

    def test_exports_that_were_not_destroyed_are_a_failure(self):
        left = {"left": 1, "leftRows": [{"rowId": "1"}]}
        unreadable = {"left": 0, "unreadable": [{"line": 2, "reason": "is not JSON"}]}
        for why, said in ((left, "1 rows are left"), (unreadable, "1 lines cannot be read")):
            self.answers = [{"unfinished": [], "destroyed": False} | why]
            with self.assertRaisesRegex(self.script.Failed, said):
                self.said(self.script.check, self.export, self.fresh("{}\n"))

    def test_an_empty_fresh_export_proves_nothing(self):
        for nothing in ("", "\n \n"):
            with self.assertRaisesRegex(self.script.Failed, "nothing was checked"):
                self.said(self.script.check, self.export, self.fresh(nothing))
        self.assertEqual(self.events, [], "nobody was asked to destroy anything")

    def test_a_fresh_export_never_takes_the_first_ones_place(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            fresh = Path(elsewhere, Path(self.export).name)
            fresh.write_text("{}\n", "utf-8")
            with self.assertRaisesRegex(self.script.Failed, "another name"):
                self.said(self.script.check, self.export, str(fresh))
        self.assertEqual(self.events, [])


if __name__ == "__main__":
    unittest.main()
