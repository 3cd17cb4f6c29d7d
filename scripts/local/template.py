"""The template as `sam build` leaves it: each function's code is its built binary.

`sam build` compiles and copies function by function. Here one compile has built them all, so only
the paths are put in.
"""

from samcli.yamlhelper import yaml_dump, yaml_parse

from local import build
from local.environment import LOCAL, ROOT, Failed

SOURCE = ROOT / "template.yaml"


def read():
    """The product's template."""
    return yaml_parse(SOURCE.read_text("utf-8"))


def binaries(template):
    """Which binary each function runs, by the function's logical id."""
    return {
        name: resource["Metadata"]["BuildProperties"]["Binary"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def _refer_to_secrets_by_arn(value, secrets):
    """On AWS a secret's Ref is its ARN; in the emulator it is the name, and only `Id` is the ARN."""
    if isinstance(value, dict):
        if value.get("Ref") in secrets:
            return {"Fn::GetAtt": [value["Ref"], "Id"]}
        return {key: _refer_to_secrets_by_arn(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_refer_to_secrets_by_arn(item, secrets) for item in value]
    return value


def built(template=None):
    """Writes the template with the binaries' paths in it, and returns where."""
    template = template or read()
    secrets = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::SecretsManager::Secret"
    }
    template = _refer_to_secrets_by_arn(template, secrets)
    for name, binary in binaries(template).items():
        if not build.bootstrap(binary).is_file():
            raise Failed(f"The function {name} is not built: {build.bootstrap(binary)} is missing.")
        resource = template["Resources"][name]
        resource["Properties"]["CodeUri"] = str(build.bootstrap(binary).parent)
        del resource["Metadata"]
    path = LOCAL / "template.yaml"
    path.write_text(yaml_dump(template), "utf-8")
    return path
