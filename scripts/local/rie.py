"""Each sample event against the built binary, in the Lambda runtime interface emulator.

That emulator ships with the SAM CLI and needs no Docker; it is what `sam local invoke` runs inside
its container. The functions get the environment that the deployed stack gives them.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import samcli

from local import build, web
from local.environment import ARM, AWS_URL, FUNCTIONS, LOCAL, OFFSET, REGION, ROOT, Failed, client

PORT, RUNTIME_PORT = 4580 + OFFSET, 4581 + OFFSET
INVOKE = f"http://127.0.0.1:{PORT}/2015-03-31/functions/function/invocations"
RAPID = Path(samcli.__file__).parent / "local" / "rapid"
RIE = RAPID / f"aws-lambda-rie-{'arm64' if ARM else 'x86_64'}"


def _start(name, deployed_name, log):
    deployed = client("lambda").get_function_configuration(FunctionName=deployed_name)
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": AWS_URL,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(deployed["Timeout"]),
    } | deployed["Environment"]["Variables"]
    command = [
        RIE, "--runtime-interface-emulator-address", f"127.0.0.1:{PORT}",
        "--runtime-api-address", f"127.0.0.1:{RUNTIME_PORT}", build.bootstrap(name),
    ]  # fmt: skip
    return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)


def _invoke(event):
    """The answer; the emulator takes a moment to listen."""
    for _ in range(50):
        try:
            return web.request("POST", INVOKE, body=event.read_bytes())
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise Failed(f"The runtime interface emulator does not listen on port {PORT}.")


def _fault(answer):
    """Why an answer is no answer, or None."""
    try:
        value = answer.json()
    except json.JSONDecodeError:
        return f"no JSON: {answer.body[:200]!r}"
    if answer.status != 200 or isinstance(value, dict) and "errorType" in value:
        return f"{answer.status} {value}"
    if isinstance(value, dict) and value.get("statusCode", 200) >= 500:
        return f"HTTP {value['statusCode']}: {value.get('body')}"
    return None


def check(functions):
    """Raises when an event has no answer, or a function has no event."""
    faults, count = [], 0
    for name in FUNCTIONS:
        events = sorted((ROOT / "events" / name).glob("*.json"))
        if not events:
            faults.append(f"events/{name} holds no sample event")
            continue
        with open(LOCAL / f"rie-{name}.log", "wb") as log:
            process = _start(name, functions[name], log)
            try:
                for event in events:
                    fault = _fault(_invoke(event))
                    count += 1
                    if fault:
                        faults.append(f"events/{name}/{event.name}: {fault}")
            finally:
                process.terminate()
                process.wait()
    print(f"  {count} events of {len(FUNCTIONS)} functions")
    if faults:
        raise Failed("Sample events failed:\n" + "\n".join(f"  {fault}" for fault in faults))
