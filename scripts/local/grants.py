"""What each function may do, as deployed: one row per function, action and resource.

Resources are named as the proxy's log names them, so that a test can hold one against the other.
Only the template's own statements count: neither AWS's managed policies for logs and queues, which
the emulator carries out itself, nor the permissions that are added for the emulator alone.
"""

from local import permissions

KINDS = {
    "dynamodb": "",
    "sqs": "queue/",
    "secretsmanager": "secret/",
    "events": "",
    "kms": "",
    "ses": "",
    "s3": "object/",
}


def resource_name(arn):
    """`table/NAME`, `queue/NAME`, `secret/NAME*`, `event-bus/NAME`, `identity/ADDRESS`,
    `object/BUCKET/KEY*`, or what else the ARN names."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return arn
    service, name = parts[2], parts[5]
    if service == "secretsmanager":
        name = name.removeprefix("secret:")
        # The ARN of one secret ends in a hyphen and six characters that are not part of its name.
        name = name if name.endswith("*") else name.rsplit("-", 1)[0]
    return KINDS.get(service, "") + name


def _list(value):
    return value if isinstance(value, list) else [value]


def of_role(iam, role):
    """`(action, resource)` of every statement that allows something."""
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        if policy in permissions.GAPS:
            continue
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in _list(document["Statement"]):
            if statement["Effect"] != "Allow":
                continue
            for action in _list(statement["Action"]):
                for arn in _list(statement["Resource"]):
                    yield action, resource_name(arn)


def of_functions(client, functions):
    """Rows of all functions of a stack, given as physical names by logical id."""
    iam, configured = client("iam"), client("lambda")
    rows = []
    for name in functions.values():
        role = configured.get_function_configuration(FunctionName=name)["Role"].rsplit("/", 1)[1]
        for action, resource in sorted(set(of_role(iam, role))):
            rows.append({"function": name, "action": action, "resource": resource})
    return rows
