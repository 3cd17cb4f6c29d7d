"""Chromium, for the tests that open pages as a person does (`scripts/test --full`)."""

import os
import shutil
import subprocess
from pathlib import Path

from local.environment import Failed

INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]


def path():
    """Where the tests look for it."""
    return os.environ.get("CHROMIUM", "/usr/bin/chromium")


def ensure():
    """Installs Debian's package where it is missing and may be installed; else says what is missing."""
    if Path(path()).exists():
        return
    if "CHROMIUM" not in os.environ and os.geteuid() == 0 and shutil.which("apt-get"):
        print("  No Chromium here: installing Debian's package", flush=True)
        for command in (["apt-get", "update"], INSTALL):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if Path(path()).exists():
            return
    raise Failed(
        f"Chromium is missing at {path()}; install it, on Debian with: sudo apt install chromium, "
        "or name another one in the variable CHROMIUM."
    )
