"""The three processes under the stack: emulated AWS, QuickBooks sandbox, and the proxy before both."""

import os
import shutil

from local import build
from local.environment import (
    AWS_URL,
    EMULATOR,
    LOCAL,
    PROXY_AWS,
    PROXY_CONTROL,
    PROXY_CONTROL_URL,
    PROXY_QUICKBOOKS,
    REGION,
    REQUESTS,
    ROOT,
    SANDBOX,
    SANDBOX_ADMIN,
    SANDBOX_ADMIN_URL,
)

PORTS = (EMULATOR, PROXY_AWS, PROXY_QUICKBOOKS, PROXY_CONTROL, SANDBOX, SANDBOX_ADMIN)


def _environment(**more):
    """Functions inherit the emulator's environment, so a person's own variables stay out of it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | more


def start(processes, latency):
    """Starts all three; functions will call out through the proxy.

    `latency` is the sandbox's: "on" answers as slowly as QuickBooks does, "off" at once.
    """
    scratch = LOCAL / "emulator"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    processes.start(
        "sandbox",
        [
            build.tool("quickbooks-sandbox"),
            "--port",
            str(SANDBOX),
            "--admin-port",
            str(SANDBOX_ADMIN),
            "--latency",
            latency,
        ],
        _environment(RUST_LOG="info"),
        f"{SANDBOX_ADMIN_URL}/clock",
    )
    processes.start(
        "emulator",
        [ROOT / ".venv" / "bin" / "ministack"],
        _environment(
            AUTH="true",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{PROXY_AWS}",
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(EMULATOR),
            IOT_MTLS_ENABLED="0",
            MINISTACK_REGION=REGION,
            S3_DATA_DIR=str(scratch / "s3"),
            STATE_DIR=str(scratch / "state"),
            TMPDIR=str(scratch),
        ),
        f"{AWS_URL}/_ministack/health",
    )
    processes.start(
        "proxy",
        [
            build.tool("stack-proxy"),
            "--aws",
            f"127.0.0.1:{PROXY_AWS}=127.0.0.1:{EMULATOR}",
            "--quickbooks",
            f"127.0.0.1:{PROXY_QUICKBOOKS}=127.0.0.1:{SANDBOX}",
            "--control",
            f"127.0.0.1:{PROXY_CONTROL}",
            "--requests",
            REQUESTS,
        ],
        _environment(),
        f"{PROXY_CONTROL_URL}/health",
    )
