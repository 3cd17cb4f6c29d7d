"""A permission of the emulator's own, which AWS does not know.

AWS authorises PartiQL statements as dynamodb:PartiQLInsert, Update, Delete and Select on the
table, and that is what the template grants. The emulator asks for dynamodb:BatchExecuteStatement
on everything instead. Each role that may do the former gets the latter, here only. Whether each
statement was covered by the template is checked in the stack tests, from the proxy's log.
"""

import json

POLICY_NAME = "local-partiql"


def _grants_partiql(document):
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        for action in [actions] if isinstance(actions, str) else actions:
            if statement["Effect"] == "Allow" and action.startswith("dynamodb:PartiQL"):
                return True
    return False


def add_partiql(client, stack_name):
    """Adds the permission where it is due; returns the roles that got it."""
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
        documents = (
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in names
            if name != POLICY_NAME
        )
        if any(_grants_partiql(document) for document in documents):
            statement = {
                "Effect": "Allow",
                "Action": "dynamodb:BatchExecuteStatement",
                "Resource": "*",
            }
            document = {"Version": "2012-10-17", "Statement": [statement]}
            iam.put_role_policy(
                RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(document)
            )
            added.append(role)
        elif POLICY_NAME in names:
            iam.delete_role_policy(RoleName=role, PolicyName=POLICY_NAME)
    return added
