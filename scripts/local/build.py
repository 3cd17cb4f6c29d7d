"""Builds the functions for this machine, and the sandbox and the proxy beside them."""

import subprocess

from local.environment import ARCHITECTURE_FLAG, FUNCTIONS, ROOT, Failed

HOST = ROOT / "target" / "lambda"


def _run(arguments, what):
    if subprocess.run(arguments, cwd=ROOT, check=False).returncode:
        raise Failed(f"{what} did not build; the compiler's message is above.")


def functions(flag=ARCHITECTURE_FLAG, directory=HOST):
    """One compile for all functions; each binary lands in `directory/NAME/bootstrap`."""
    packages = [word for name in FUNCTIONS for word in ("--package", name)]
    command = ["cargo", "lambda", "build", "--release", flag, "--lambda-dir", directory]
    _run([*command, *packages], "The functions")
    for name in FUNCTIONS:
        if not bootstrap(name, directory).is_file():
            raise Failed(f"cargo lambda made no {bootstrap(name, directory)}.")


def tools():
    """The QuickBooks sandbox and the proxy between the functions and everything they call."""
    command = ["cargo", "build", "--package", "quickbooks-sandbox", "--package", "stack-tests"]
    _run([*command, "--bins"], "The sandbox and the proxy")


def bootstrap(name, directory=HOST):
    """A function's binary."""
    return directory / name / "bootstrap"


def tool(name):
    """A tool's binary."""
    return ROOT / "target" / "debug" / name
