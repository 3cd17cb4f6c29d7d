"""Deploys the product's own template, and describes the result for tests in `.local/stack.json`."""

import json
import os
import re
import subprocess

import tomlkit

from local import environment, grants, mails, mappings, permissions, routes, template, web
from local.environment import (
    API_HOST,
    API_ID,
    API_URL,
    ARCHITECTURE,
    AWS_URL,
    ISSUER_URL,
    LOCAL,
    OFFSET,
    PROXY_CONTROL_URL,
    REGION,
    REQUESTS,
    ROOT,
    SANDBOX_ADMIN_URL,
    SANDBOX_URL,
    STACK_FILE,
    STACK_NAME,
    Failed,
    client,
)

# What the sandbox takes for an Intuit app's keys (its own defaults); they guard nothing.
APP_CREDENTIALS = {
    "clientId": "sandbox-client",
    "clientSecret": "sandbox-secret",
    "webhookVerifierToken": "sandbox-verifier-token",
}
LOCAL_PORTS = re.compile(r"(?<=:)(4566|457[0-2]|460[01])\b")


def _samconfig():
    """samconfig.toml with this host's architecture, its ports moved as the whole stack's are."""
    text = (ROOT / "samconfig.toml").read_text("utf-8")
    config = tomlkit.parse(LOCAL_PORTS.sub(lambda port: str(int(port[0]) + OFFSET), text))
    parameters = config["local"]["deploy"]["parameters"]
    given = parameters["parameter_overrides"]
    given = given if isinstance(given, list) else given.split()
    parameters["parameter_overrides"] = [*given, f"Architecture={ARCHITECTURE}"]
    path = LOCAL / "samconfig.toml"
    path.write_text(tomlkit.dumps(config), "utf-8")
    return path


def sam_deploy(path):
    """Runs the real `sam deploy` of a built template against the emulated AWS."""
    command = [
        "sam", "deploy",
        "--config-file", _samconfig(), "--config-env", "local",
        "--template-file", path,
        "--stack-name", STACK_NAME,
        "--tags", f"ms-custom-id={API_ID}",
        "--resolve-s3", "--capabilities", "CAPABILITY_IAM",
        "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar",
    ]  # fmt: skip
    log_path = LOCAL / "deploy.log"
    with open(log_path, "wb") as log:
        variables = os.environ | {"AWS_ENDPOINT_URL": AWS_URL}
        finished = subprocess.run(
            command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if finished.returncode:
        tail = log_path.read_text("utf-8", "replace").splitlines()[-15:]
        raise Failed("sam deploy failed:\n" + "\n".join(tail) + f"\nAll of it is in {log_path}.")


def complete():
    """What the emulator needs besides: routes, permissions of its own, whole numbers, a verified sender."""
    made = routes.create(client, STACK_NAME)
    permissions.add(client, STACK_NAME)
    mappings.correct(client)
    permissions.allow_http(client, STACK_NAME)
    stack = client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    mails.verify_sender(client, stack.get("Parameters", []))
    if not made:
        raise Failed("The template has no HTTP API routes.")
    return made


def put_app_credentials(stack):
    """Stores the Intuit app's keys, as an operator does once after the first deploy."""
    secret = stack["resources"]["AWS::SecretsManager::Secret"]
    if len(secret) != 1:
        raise Failed(f"The template has {len(secret)} secrets, where one for the app was expected.")
    client("secretsmanager").put_secret_value(
        SecretId=next(iter(secret.values())), SecretString=json.dumps(APP_CREDENTIALS)
    )


def register_pages():
    """Enters the addresses that the README has one enter at Intuit, in the sandbox in its place."""
    app = {
        "clientId": APP_CREDENTIALS["clientId"],
        "reconnectUrl": f"{API_URL}/reconnect",
        "disconnectUrl": f"{API_URL}/disconnected",
    }
    answer = web.send_json("POST", f"{SANDBOX_ADMIN_URL}/apps", app)
    if answer.status >= 300:
        raise Failed(f"The sandbox did not take the app's addresses: {answer.status} {answer.body[:200]!r}")


def _by_type():
    """Physical ids by resource type and logical id."""
    found = client("cloudformation").describe_stack_resources(StackName=STACK_NAME)
    types = {}
    for resource in found["StackResources"]:
        ids = types.setdefault(resource["ResourceType"], {})
        ids[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
    return types


def describe(made_routes):
    """Writes `.local/stack.json` and returns its content."""
    types = _by_type()
    deployed = types["AWS::Lambda::Function"]
    functions = {
        binary: deployed[name] for name, binary in template.binaries(template.read()).items()
    }
    buses = types.get("AWS::Events::EventBus", {})
    stack = {
        "stackName": STACK_NAME,
        "region": REGION,
        "apiUrl": API_URL,
        "apiHost": API_HOST,
        "apiAddress": f"127.0.0.1:{environment.EMULATOR}",
        "issuerUrl": ISSUER_URL,
        "sandboxUrl": SANDBOX_URL,
        "sandboxAdminUrl": SANDBOX_ADMIN_URL,
        "proxyControlUrl": PROXY_CONTROL_URL,
        "requests": str(REQUESTS),
        "awsUrl": AWS_URL,
        "busName": next(iter(buses.values()), None),
        "functions": functions,
        "tables": types.get("AWS::DynamoDB::Table", {}),
        "queues": types.get("AWS::SQS::Queue", {}),
        "buckets": types.get("AWS::S3::Bucket", {}),
        "routes": made_routes,
        "grants": grants.of_functions(client, functions),
        "resources": types,
    }
    STACK_FILE.write_text(json.dumps(stack, indent=1) + "\n", "utf-8")
    return stack
