"""HTTP API routes, which the emulator does not read from the API's OpenAPI body.

On AWS the body that SAM generates creates routes, integrations and the authorizer. The emulator
ignores it, so the same body, as SAM translates it, is applied here call by call. There is no
second list of routes: what the template does not say is not created.
"""

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
ANY_METHOD = "x-amazon-apigateway-any-method"


class UnsupportedTemplate(Exception):
    """The translated template says something that this step does not know how to apply."""


def _resolve(value, names):
    """The text of a Ref, Fn::Sub or Fn::GetAtt of the kinds SAM writes into an API body."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, list):
        return [_resolve(item, names) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return names[argument]
        if function == "Fn::Sub" and isinstance(argument, str):
            for name, text in names.items():
                if isinstance(text, str):
                    argument = argument.replace("${" + name + "}", text)
            if "${" in argument:
                raise UnsupportedTemplate(f"cannot resolve {argument}")
            return argument
        if function.startswith("Fn::"):
            raise UnsupportedTemplate(f"cannot resolve {function} in the API body")
    return {key: _resolve(item, names) for key, item in value.items()}


def _names(cloudformation, functions, stack, parameters):
    """What a Ref or ${...} can mean: pseudo parameters, parameters, resources and function ARNs."""
    stack_name = stack["StackName"]
    arn = stack["StackId"].split(":")
    names = {
        "AWS::Partition": arn[1],
        "AWS::Region": arn[3],
        "AWS::AccountId": arn[4],
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com",
        **parameters,
    }
    resources = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    for resource in resources:
        name, physical = resource["LogicalResourceId"], resource["PhysicalResourceId"]
        names[name] = physical
        if resource["ResourceType"] == "AWS::Lambda::Function":
            config = functions.get_function_configuration(FunctionName=physical)
            names[f"{name}.Arn"] = config["FunctionArn"]
    return names


class _NoManagedPolicies:
    """Managed policies are named in the template by ARN or well-known name; nothing is looked up."""

    def load(self):
        return {}


def _translated(cloudformation, stack):
    """The deployed template as SAM translates it with the stack's own parameter values."""
    answer = cloudformation.get_template(StackName=stack["StackName"], TemplateStage="Original")
    template = answer["TemplateBody"]
    if isinstance(template, str):
        template = yaml_parse(template)
    parameters = {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in stack.get("Parameters", [])
    }
    return transform(template, parameters, _NoManagedPolicies()), parameters


def _create_authorizers(api, api_id, body):
    schemes = body.get("components", {}).get("securitySchemes", {})
    ids = {}
    for name, scheme in schemes.items():
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        if authorizer["type"] != "jwt":
            raise UnsupportedTemplate(f"authorizer {name} is not a JWT authorizer")
        configuration = authorizer["jwtConfiguration"]
        audience = configuration["audience"]
        created = api.create_authorizer(
            ApiId=api_id,
            Name=name,
            AuthorizerType="JWT",
            IdentitySource=[authorizer["identitySource"]],
            JwtConfiguration={
                "Issuer": configuration["issuer"],
                "Audience": [audience] if isinstance(audience, str) else audience,
            },
        )
        ids[name] = created["AuthorizerId"]
    return ids


def _create_route(api, api_id, method, path, operation, authorizers, integrations):
    integration = operation["x-amazon-apigateway-integration"]
    uri = integration["uri"]
    if uri not in integrations:
        created = api.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=uri,
            IntegrationMethod=integration["httpMethod"],
            PayloadFormatVersion=integration["payloadFormatVersion"],
        )
        integrations[uri] = created["IntegrationId"]
    route = {
        "ApiId": api_id,
        "RouteKey": f"{method} {path}",
        "Target": f"integrations/{integrations[uri]}",
        "AuthorizationType": "NONE",
    }
    for requirement in operation.get("security", []):
        for name, scopes in requirement.items():
            if name == "NONE":
                continue
            route["AuthorizationType"] = "JWT"
            route["AuthorizerId"] = authorizers[name]
            if scopes:
                route["AuthorizationScopes"] = scopes
    api.create_route(**route)
    return route["RouteKey"]


def _apply_cors(api, api_id, cors):
    names = {
        "allowOrigins": "AllowOrigins",
        "allowMethods": "AllowMethods",
        "allowHeaders": "AllowHeaders",
        "exposeHeaders": "ExposeHeaders",
        "maxAge": "MaxAge",
        "allowCredentials": "AllowCredentials",
    }
    wanted = {names[key]: value for key, value in cors.items()}
    for key, value in wanted.items():
        if key.startswith("Allow") and isinstance(value, str):
            wanted[key] = [item.strip() for item in value.split(",") if item.strip()]
    if wanted:
        api.update_api(ApiId=api_id, CorsConfiguration=wanted)


def _clear(api, api_id):
    for route in api.get_routes(ApiId=api_id)["Items"]:
        api.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for authorizer in api.get_authorizers(ApiId=api_id)["Items"]:
        api.delete_authorizer(ApiId=api_id, AuthorizerId=authorizer["AuthorizerId"])
    for integration in api.get_integrations(ApiId=api_id)["Items"]:
        api.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])


def create(client, stack_name):
    """Creates the routes of every HTTP API in the stack and returns their keys.

    A second call replaces what the first one made, so a redeploy may run it again.
    """
    cloudformation, api = client("cloudformation"), client("apigatewayv2")
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    template, parameters = _translated(cloudformation, stack)
    names = _names(cloudformation, client("lambda"), stack, parameters)
    made = []
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        api_id = names[logical_id]
        _clear(api, api_id)
        body = _resolve(resource["Properties"]["Body"], names)
        authorizers, integrations = _create_authorizers(api, api_id, body), {}
        for path, operations in body["paths"].items():
            for verb, operation in operations.items():
                if verb != ANY_METHOD and verb not in METHODS:
                    continue
                method = "ANY" if verb == ANY_METHOD else verb.upper()
                route = (method, path, operation)
                made.append(_create_route(api, api_id, *route, authorizers, integrations))
        _apply_cors(api, api_id, body.get("x-amazon-apigateway-cors", {}))
    return made
