"""Convert statements to AddPermission's parameters, and these to AWS CLI, CloudFormation and Terraform syntax."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam.arn import require_arn
from permission_guard.model.names import (
    ACTION,
    ARN,
    EVENT_SOURCE_TOKEN,
    ORGANIZATION_ID,
    STATEMENT_ID,
)
from permission_guard.records import record
from permission_guard.remedies import cdk, cloudformation, terraform
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.targets import JSON

# The conditions that Lambda writes for the parameters of AddPermission; the API accepts no others.
_CONDITIONS: Final = {
    "source_arn": ("ArnLike", "AWS:SourceArn"),
    "source_account": ("StringEquals", "AWS:SourceAccount"),
    "principal_org_id": ("StringEquals", "aws:PrincipalOrgID"),
    "event_source_token": ("StringEquals", "lambda:EventSourceToken"),
    "function_url_auth_type": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "invoked_via_function_url": ("Bool", "lambda:InvokedViaFunctionUrl"),
}
_PARAMETERS: Final = {key.lower(): (name, operator) for name, (operator, key) in _CONDITIONS.items()}
# Equal for an ARN that AddPermission accepts, because only its resource part can contain a wildcard.
_SAME: Final = {"ArnEquals": "ArnLike", "StringLike": "ArnLike"}
# The values that AddPermission accepts.
_FORMS: Final[Mapping[str, Callable[[str], re.Match[str] | None]]] = {
    "source_arn": ARN.match,
    "source_account": re.compile(r"\d{12}", re.ASCII).fullmatch,
    "principal_org_id": ORGANIZATION_ID.match,
    "event_source_token": EVENT_SOURCE_TOKEN.match,
    "function_url_auth_type": re.compile(r"NONE|AWS_IAM").fullmatch,
    "invoked_via_function_url": re.compile(r"true").fullmatch,
}
_ANY_VALUE: Final = "0" * 12
_CALLER: Final = re.compile(r"\*|\d{12}|arn:[^\s*]+|[A-Z0-9]{16,}", re.ASCII)


@record(kw_only=True)
class Permission:
    """The parameters of AddPermission, in the order of the output; empty parameters are left out.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """

    region: str = ""
    function_name: str
    qualifier: str = ""
    statement_id: str
    action: str
    principal: str
    source_arn: str = ""
    source_account: str = ""
    principal_org_id: str = ""
    event_source_token: str = ""
    function_url_auth_type: str = ""
    invoked_via_function_url: bool = False

    @property
    def values(self) -> dict[str, str | bool]:
        """The parameters that are set, without the region of the call."""
        return {name: value for name, value in asdict(self).items() if value and name != "region"}

    @property
    def function(self) -> str:
        """The name of the function, with its qualifier."""
        return f"{self.function_name}:{self.qualifier}" if self.qualifier else self.function_name

    def to_cli(self) -> str:
        """Return the AWS CLI command."""
        return aws("lambda", "add-permission", self.region, **self.values)

    def to_sam(self) -> str:
        """Return the CloudFormation resource, in YAML."""
        skipped = ("function_name", "qualifier", "statement_id")
        others = {_property(name): value for name, value in self.values.items() if name not in skipped}
        return cloudformation.resource("AWS::Lambda::Permission", {"FunctionName": self.function, **others})

    def to_terraform(self) -> str:
        """Return the resource for Terraform's AWS provider."""
        names = (self.function_name, self.qualifier, self.statement_id)
        return terraform.resource("aws_lambda_permission", names, **self.values)

    def to_cdk(self) -> str:
        """Return the call of the AWS CDK."""
        return cdk.add_permission(self.function, self.statement_id, self.principal, self.action, self.values)


def permissions_of(statement: Mapping[str, JSON], resource_arn: str) -> tuple[Permission, ...]:
    """Return the permissions that are equal to a statement; none if AddPermission cannot express it.

    Each permission has one principal, one action and one source.
    """
    read = _conditions(statement.get("Condition", {}))
    principals, actions = _principals(statement.get("Principal")), _list(statement.get("Action"))
    allows = statement.get("Effect") == "Allow" and _list(statement.get("Resource")) == [resource_arn]
    if not allows or read is None or not all(isinstance(action, str) and ACTION.match(action) for action in actions):
        return ()
    sources = read.pop("source_arn", [""])
    if any(len(values) != 1 for values in read.values()):
        return ()
    single: dict[str, Any] = {name: values[0] for name, values in read.items()}
    single["invoked_via_function_url"] = "invoked_via_function_url" in single
    name, _, qualifier = resource_arn.split(":function:", 1)[-1].partition(":")
    region = require_arn(resource_arn).region
    found = list(product(principals, actions, sources))
    return tuple(
        Permission(
            region=region,
            function_name=name,
            qualifier=qualifier,
            statement_id=sid(str(statement.get("Sid") or "permission"), f"-{number}" if len(found) > 1 else ""),
            action=str(action),
            principal=principal,
            source_arn=source,
            **single,
        )
        for number, (principal, action, source) in enumerate(found, start=1)
    )


def statement_of(permission: Permission, resource_arn: str) -> dict[str, JSON]:
    """Return the statement that AddPermission writes."""
    condition: dict[str, dict[str, str]] = {}
    values = permission.values
    for name, (operator, key) in _CONDITIONS.items():
        if name in values:
            condition.setdefault(operator, {})[key] = "true" if values[name] is True else str(values[name])
    text = permission.principal
    is_service = "." in text and not text.startswith("arn:")
    return {
        "Sid": permission.statement_id,
        "Effect": "Allow",
        "Principal": text if text == "*" else {"Service" if is_service else "AWS": text},
        "Action": permission.action,
        "Resource": resource_arn,
        **({"Condition": condition} if condition else {}),
    }


def sid(name: str, suffix: str) -> str:
    """Return a Sid that AddPermission accepts and that needs no shell quoting; the suffix is not shortened."""
    tail = re.sub(r"[^a-zA-Z0-9_-]+", "-", suffix)[: STATEMENT_ID.longest // 2]
    head = re.sub(r"[^a-zA-Z0-9_-]", "-", name).lstrip("-")[: STATEMENT_ID.longest - len(tail)]
    return f"{head}{tail}".lstrip("-") or "permission"


def _conditions(block: JSON) -> dict[str, list[str]] | None:
    """Convert a Condition element to AddPermission's parameters; None if it contains anything else."""
    read: dict[str, list[str]] = {}
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        return None
    for operator, keys in block.items():
        for key, values in keys.items():
            name, own = _PARAMETERS.get(key.lower(), ("", ""))
            same = operator == own or (_SAME.get(operator) == own and name == "source_arn")
            texts = ["true" if value is True else str(value) for value in _list(values)]
            if (
                not name
                or not same
                or name in read
                or not all(_FORMS[name](PLACEHOLDER.sub(_ANY_VALUE, text)) for text in texts)
            ):
                return None
            read[name] = texts
    return read


def _principals(written: JSON) -> list[str]:
    """Return the principals in the form of AddPermission; none if it does not accept all of them."""
    if written == "*":
        return ["*"]
    if not isinstance(written, dict):
        return []
    forms = {"AWS": _CALLER, "Service": cdk.SERVICE}
    pairs = [(forms.get(kind), value) for kind, values in written.items() for value in _list(values)]
    texts = [value for form, value in pairs if form and isinstance(value, str) and form.fullmatch(value)]
    return texts if len(texts) == len(pairs) else []


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [value]


def _property(name: str) -> str:
    """Return the CloudFormation property of a parameter."""
    return {"principal_org_id": "PrincipalOrgID"}.get(name, "".join(word.capitalize() for word in name.split("_")))
