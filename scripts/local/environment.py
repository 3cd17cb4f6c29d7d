"""Where things are: directories, ports, addresses, clients of the emulated AWS."""

import os
import platform
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/Cargo.toml"))

# Two stacks can run side by side: LOCAL_PORT_OFFSET=100 moves every port of the second one.
OFFSET = int(os.environ.get("LOCAL_PORT_OFFSET", "0"))
LOCAL = ROOT / ".local" / (f"offset-{OFFSET}" if OFFSET else "")
STACK_FILE = LOCAL / "stack.json"
# What the functions sent through the proxy, for the test that looks for secrets in it.
REQUESTS = LOCAL / "requests.txt"

EMULATOR, PROXY_AWS, PROXY_QUICKBOOKS, PROXY_CONTROL, SANDBOX, SANDBOX_ADMIN = (
    port + OFFSET for port in (4566, 4570, 4571, 4572, 4600, 4601)
)

REGION = "us-east-1"
STACK_NAME = "quickbooks-connector"
# Eight hexadecimal digits: the emulator takes no other names for an API.
API_ID = "ca11ab1e"
BASE_PATH = "/api/v1/integrations/quickbooks"

AWS_URL = f"http://127.0.0.1:{EMULATOR}"
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX}"
SANDBOX_ADMIN_URL = f"http://127.0.0.1:{SANDBOX_ADMIN}"
ISSUER_URL = f"{SANDBOX_URL}/issuer"
PROXY_CONTROL_URL = f"http://127.0.0.1:{PROXY_CONTROL}"
API_HOST = f"{API_ID}.execute-api.localhost:{EMULATOR}"
API_URL = f"http://{API_HOST}{BASE_PATH}"

# The host's own architecture, as the template's parameter and cargo-lambda's flag name it.
ARM = platform.machine() in ("aarch64", "arm64")
ARCHITECTURE = "arm64" if ARM else "x86_64"
ARCHITECTURE_FLAG, OTHER_ARCHITECTURE_FLAG = ("--arm64", "--x86-64")[:: 1 if ARM else -1]


class Failed(Exception):
    """Something that stops the run; its text is one sentence for the person who started it."""


def client(service):
    """A client of the emulated AWS, with its root credentials."""
    return boto3.client(
        service,
        endpoint_url=AWS_URL,
        region_name=REGION,
        config=Config(retries={"max_attempts": 2}, max_pool_connections=20),
    )
