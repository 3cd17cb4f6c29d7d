"""Permissions of the emulator's own, where it asks for others than AWS does.

AWS authorises PartiQL statements as dynamodb:PartiQLInsert, Update, Delete and Select on the
table, and that is what the template grants. The emulator asks for dynamodb:BatchExecuteStatement
on everything instead. AWS authorises a mail on the sender's identity and knows the condition
ses:FromAddress; the emulator asks for no identity and does not know the condition. AWS authorises a
batch of messages as sqs:SendMessage; the emulator asks for sqs:SendMessageBatch. Each role that
may do the former gets the latter, here only. Whether each call was covered by the template is
checked in the stack tests, from the proxy's log.
"""

import json

# By policy name: what the template grants begins so, and what the emulator asks for instead.
GAPS = {
    "local-partiql": ("dynamodb:PartiQL", "dynamodb:BatchExecuteStatement"),
    "local-ses": ("ses:Send", "ses:SendEmail"),
    "local-sqs": ("sqs:SendMessage", "sqs:SendMessageBatch"),
}


def _grants(document, prefix):
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        for action in [actions] if isinstance(actions, str) else actions:
            if statement["Effect"] == "Allow" and action.startswith(prefix):
                return True
    return False


def add(client, stack_name):
    """Adds the permissions where they are due; returns the roles and policies that were added."""
    iam = client("iam")
    resources = client("cloudformation").describe_stack_resources(StackName=stack_name)
    roles = [
        resource["PhysicalResourceId"]
        for resource in resources["StackResources"]
        if resource["ResourceType"] == "AWS::IAM::Role"
    ]
    added = []
    for role in roles:
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in names
            if name not in GAPS
        ]
        for policy, (prefix, action) in GAPS.items():
            if any(_grants(document, prefix) for document in documents):
                statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
                document = {"Version": "2012-10-17", "Statement": [statement]}
                iam.put_role_policy(
                    RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document)
                )
                added.append((role, policy))
            elif policy in names:
                iam.delete_role_policy(RoleName=role, PolicyName=policy)
    return added


def allow_http(client, stack_name):
    """Takes the policies off the buckets that refuse calls without TLS: the emulator speaks HTTP only."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack_name)
    for resource in resources["StackResources"]:
        if resource["ResourceType"] == "AWS::S3::Bucket":
            client("s3").delete_bucket_policy(Bucket=resource["PhysicalResourceId"])
