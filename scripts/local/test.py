"""scripts/test: every check and test, cheapest first."""

import argparse
import os
import signal
import subprocess
import sys

from local import browser, build, clients, glibc, rie, services
from local.environment import (
    ARCHITECTURE,
    LOCAL,
    OTHER_ARCHITECTURE_FLAG,
    ROOT,
    STACK_FILE,
    Failed,
)
from local.processes import check_ports
from local.progress import step, summary
from local.stack import build_all, running

SHELL = ["scripts/dev", "scripts/mails", "scripts/test", "scripts/prepare", ".ci/run"]


def run(title, *command):
    """One step that is a command."""
    with step(title):
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise Failed(f"{title}: failed, see above.")


def static_checks():
    """What needs no compiler, then what needs only the compiler."""
    run("Formatting", "cargo", "fmt", "--check")
    run("shellcheck", "shellcheck", "--external-sources", *SHELL)
    run("sam validate --lint", "sam", "validate", "--lint", "--template-file", "template.yaml")
    run("Tests of the scripts", sys.executable, "-m", "unittest", "discover", "--start-directory",
        "scripts/local/tests", "--top-level-directory", "scripts")  # fmt: skip
    run("The demo's data is what its generator writes",
        sys.executable, "events/demo/generate.py", "--check")  # fmt: skip
    run("clippy", "cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings")


def unit_tests(extra):
    """Tests that need no stack: of the crates, the sandbox, and the proxy."""
    run("Unit and sandbox tests",
        "cargo", "test", "--workspace", "--exclude", "stack-tests", "--", *extra)  # fmt: skip
    run("Proxy tests", "cargo", "test", "--package", "stack-tests", "--lib", "--test", "proxy")


def client_tests():
    """Clients that other people wrote, against the sandbox."""
    with step("Build the QuickBooks sandbox"):
        build.tools()
    with step("Clients that we did not write"):
        clients.check()


def stack_tests(extra):
    """Deploys once; the tests find the stack by `.local/stack.json`."""
    build_all()
    with step("Newest glibc symbol"):
        glibc.check()
    with running() as (stack, _):
        with step("Sample events in the Lambda runtime interface emulator"):
            rie.check(stack["functions"])
        run("Stack tests", "cargo", "test", "--package", "stack-tests", "--test", "stack",
            "--", "--test-threads", os.environ.get("STACK_TEST_THREADS", "4"), *extra)  # fmt: skip


def other_builds():
    """The ways of building that the stack does not use: the other architecture, and `sam build`."""
    directory = LOCAL / "other-architecture"
    with step("Build the functions for the other architecture"):
        build.functions(OTHER_ARCHITECTURE_FLAG, directory)
        glibc.check(directory)
    run("sam build", "sam", "build", "--beta-features", "--build-dir", str(LOCAL / "sam-build"),
        "--template-file", "template.yaml",
        "--parameter-overrides", f"Architecture={ARCHITECTURE}")  # fmt: skip


def main():
    """Runs all steps; the first failure ends the run."""
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--full", action="store_true", help="run also the tests that take long")
    options = parser.parse_args()
    extra = ["--include-ignored"] if options.full else []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    LOCAL.mkdir(parents=True, exist_ok=True)
    os.environ["STACK_FILE"] = str(STACK_FILE)
    try:
        check_ports(services.PORTS)
        if options.full:
            with step("Chromium"):
                browser.ensure()
        static_checks()
        unit_tests(extra)
        client_tests()
        stack_tests(extra)
        if options.full:
            other_builds()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except Failed as failure:
        print(f"\n{failure}\n", file=sys.stderr)
        summary()
        return 1
    print("\nAll passed.")
    summary()
    return 0


if __name__ == "__main__":
    sys.exit(main())
