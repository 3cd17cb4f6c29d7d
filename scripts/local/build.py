"""Builds the functions for this machine, and the sandbox and the proxy beside them."""

import subprocess

from local.environment import ARCHITECTURE_FLAG, FUNCTIONS, ROOT, Failed


def _run(arguments, what):
    if subprocess.run(arguments, cwd=ROOT, check=False).returncode:
        raise Failed(f"{what} did not build; the compiler's message is above.")


def functions():
    """One compile for all functions; each binary lands in `target/lambda/NAME/bootstrap`."""
    packages = [word for name in FUNCTIONS for word in ("--package", name)]
    command = ["cargo", "lambda", "build", "--release", ARCHITECTURE_FLAG, *packages]
    _run(command, "The functions")
    for name in FUNCTIONS:
        if not bootstrap(name).is_file():
            raise Failed(f"cargo lambda made no {bootstrap(name)}.")


def tools():
    """The QuickBooks sandbox and the proxy between the functions and everything they call."""
    command = ["cargo", "build", "--package", "quickbooks-sandbox", "--package", "stack-tests"]
    _run([*command, "--bins"], "The sandbox and the proxy")


def bootstrap(name):
    """A function's binary."""
    return ROOT / "target" / "lambda" / name / "bootstrap"


def tool(name):
    """A tool's binary."""
    return ROOT / "target" / "debug" / name
