"""The SAM template as data: its conditions are evaluated for the parameters of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_VALUE = {"Ref": "AWS::NoValue"}

EVERYTHING = {
    "FixMode": "auto",
    "AlertEmail": "ops@example.com",
    "AlertEmailSeverities": "high,critical",
    "SlackSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:slack-AbCdEf",
    "TicketSystem": "opsitem",
    "TicketUrl": "https://github.com/acme/platform",
    "TicketSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:github-AbCdEf",
    "ImportToSecurityHub": "true",
    "ChannelSecretArns": "arn:aws:secretsmanager:us-east-1:123456789012:secret:oncall-AbCdEf",
    "ChannelTopicArns": "arn:aws:sns:us-east-1:123456789012:chat",
    "TicketSecretArns": "arn:aws:secretsmanager:us-east-1:123456789012:secret:jira-AbCdEf",
    "AutoFix": "grant",
    "FixResourceTag": "team=orders",
    "FixNamePrefix": "orders-",
    "AtomicNarrowing": "true",
    "InvokeEventsLogGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:aws-cloudtrail-logs",
    "OperatorRoleArns": "arn:aws:iam::123456789012:role/operators",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/0e6f4d9c-7c5b-4c5b-9a53-3f1f6f0f5a11",
}
"""Parameters that deploy everything in the template."""


class _Loader(yaml.CSafeLoader):
    """A YAML loader for CloudFormation's short forms."""


def _intrinsic(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # the third kind of node there is
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


yaml.add_multi_constructor("!", _intrinsic, _Loader)


class Template:
    """A template as deployed with given parameters: conditions are evaluated, references are kept."""

    def __init__(self, path: Path, **parameters: str) -> None:
        self.raw: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
        self.parameters: dict[str, Any] = self.raw.get("Parameters", {})
        unknown = parameters.keys() - self.parameters.keys()
        assert not unknown, f"the template has no parameters {unknown}"
        self.values = {name: parameter.get("Default", "") for name, parameter in self.parameters.items()} | parameters
        resources = {
            name: resource
            for name, resource in self.raw["Resources"].items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }
        self.resources: dict[str, Any] = self._decide(resources)

    def of_type(self, *types: str) -> dict[str, Any]:
        """Return the properties of every resource of these types, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] in types
        }

    @property
    def functions(self) -> dict[str, Any]:
        """The properties of every function, with the template's globals. SAM would add its lists to theirs."""
        everywhere = {"Events": {}} | self._decide(self.raw["Globals"]["Function"])
        return {name: everywhere | properties for name, properties in self.of_type("AWS::Serverless::Function").items()}

    @property
    def owned_policies(self) -> dict[str, Any]:
        """The properties of the managed policies that fixes may attach: only they have names."""
        managed = self.of_type("AWS::IAM::ManagedPolicy")
        return {name: properties for name, properties in managed.items() if "ManagedPolicyName" in properties}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return every statement of a role's inline policies, and of its managed policies of the template."""
        properties = self.resources[role]["Properties"]
        managed = [self.resources[referred(arn)]["Properties"] for arn in properties.get("ManagedPolicyArns", [])]
        policies = [*properties.get("Policies", []), *managed]
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def allowed(self, role: str) -> set[str]:
        """Return every action that a role allows."""
        return {
            action
            for statement in self.statements(role)
            if statement["Effect"] == "Allow"
            for action in listed(statement["Action"])
        }

    def role_of(self, function: str) -> str:
        """Return the logical id of a function's execution role."""
        return referred(self.functions[function]["Role"])

    def environment_of(self, function: str) -> dict[str, str]:
        """Return a function's environment: parameters as their values, other references as logical ids."""
        variables = self.functions[function]["Environment"]["Variables"]
        return {name: self._value(value) for name, value in variables.items()}

    def _value(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if "Fn::Join" in value and isinstance(value["Fn::Join"][1], list):
            separator, parts = value["Fn::Join"]
            return str(separator).join(map(self._value, parts))
        if "Fn::Join" in value:  # of a parameter that is a list, to compare it
            value = value["Fn::Join"][1]
        name = referred(value)
        return str(self.values.get(name, name))

    def _holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self._holds(self.raw["Conditions"][condition])
        ((function, arguments),) = condition.items()
        if function == "Condition":
            return self._holds(arguments)
        if function == "Fn::Equals":
            left, right = (self._value(argument) for argument in arguments)
            return left == right
        outcomes = [self._holds(argument) for argument in listed(arguments)]
        return {"Fn::Not": not outcomes[0], "Fn::Or": any(outcomes), "Fn::And": all(outcomes)}[function]

    def _decide(self, node: Any) -> Any:
        if isinstance(node, list):
            return [item for item in map(self._decide, node) if item != _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Fn::If"}:
            condition, yes, no = node["Fn::If"]
            return self._decide(yes if self._holds(condition) else no)
        decided = {key: self._decide(value) for key, value in node.items()}
        return {key: value for key, value in decided.items() if value != _NO_VALUE} if node != _NO_VALUE else node


def listed(value: Any) -> list[Any]:
    """Return a value as a list: templates may have one element without a list."""
    return value if isinstance(value, list) else [value]


def referred(value: Any) -> str:
    """Return the logical id that a Ref, a GetAtt or a Sub of one resource refers to."""
    ((function, argument),) = value.items()
    if function == "Fn::Sub":
        return str(argument).removeprefix("${").split("}")[0].split(".")[0]
    return str(argument if function == "Ref" else argument[0])


def walk(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value of a document that is neither a list nor a mapping, with its path."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from walk(value, (*path, str(number)))
    else:
        yield path, node
