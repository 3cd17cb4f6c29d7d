"""Starts the stack's processes and stops exactly those, by their ids."""

import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from local.environment import LOCAL, Failed

PR_SET_PDEATHSIG = 1
PATIENCE = 60  # seconds for a process to answer after its start


def _die_with_parent():
    """The kernel ends the process when this one is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Processes:
    """Everything that was started here."""

    def __init__(self):
        self.started = []

    def start(self, name, arguments, environment, answers_at):
        """Starts a process and waits until it answers HTTP. Its output goes to `.local/NAME.log`."""
        log_path = LOCAL / f"{name}.log"
        with open(log_path, "wb") as log:
            process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=LOCAL,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.started.append((name, process))
        until = time.monotonic() + PATIENCE
        while not _answers(answers_at):
            if process.poll() is not None:
                raise Failed(f"{name} ended at once; its last words are in {log_path}.")
            if time.monotonic() > until:
                raise Failed(f"{name} does not answer at {answers_at}; see {log_path}.")
            time.sleep(0.1)

    def check(self):
        """Raises when one of them has ended by itself."""
        for name, process in self.started:
            if process.poll() is not None:
                raise Failed(f"{name} ended with {process.returncode}; see {LOCAL / name}.log.")

    def stop(self):
        """Stops all, last started first, with the processes that they started themselves.

        A second Ctrl-C does not interrupt it: it takes seconds, and must leave nothing behind.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for _, process in reversed(self.started):
            _signal_group(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                pass
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        self.started.clear()


def _signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status < 500
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


def check_ports(ports):
    """Says which port is taken before anything is built for it."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise Failed(
                    f"Port {port} is in use: is another scripts/dev running? "
                    "Stop it, or set LOCAL_PORT_OFFSET=100."
                ) from None
