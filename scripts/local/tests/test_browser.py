"""Whoever runs the long tests without Chromium is told at the beginning, not after half an hour."""

import unittest
from unittest import mock

from local import browser
from local.environment import Failed


class Browser(unittest.TestCase):
    """Where Chromium is, or what to do."""

    def test_a_browser_that_is_named_and_missing_is_never_replaced(self):
        with mock.patch.dict("os.environ", {"CHROMIUM": "/nowhere/chromium"}):
            with mock.patch("subprocess.run") as run:
                with self.assertRaisesRegex(Failed, "missing at /nowhere/chromium; install it"):
                    browser.ensure()
        run.assert_not_called()

    def test_one_that_is_there_is_taken(self):
        with mock.patch.dict("os.environ", {"CHROMIUM": "/bin/sh"}):
            browser.ensure()


if __name__ == "__main__":
    unittest.main()
