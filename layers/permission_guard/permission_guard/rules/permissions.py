"""A statement as AddPermission's parameters, and those as the AWS CLI, CloudFormation and Terraform write them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.model import JSON

_LONGEST_SID: Final = 100

# How Lambda writes AddPermission's parameters into a statement; the API takes no other condition.
_CONDITIONS: Final = {
    "source_arn": ("ArnLike", "AWS:SourceArn"),
    "source_account": ("StringEquals", "AWS:SourceAccount"),
    "principal_org_id": ("StringEquals", "aws:PrincipalOrgID"),
    "event_source_token": ("StringEquals", "lambda:EventSourceToken"),
    "function_url_auth_type": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "invoked_via_function_url": ("Bool", "lambda:InvokedViaFunctionUrl"),
}
_PARAMETERS: Final = {key.lower(): (name, operator) for name, (operator, key) in _CONDITIONS.items()}
_SAME: Final = {"ArnEquals": "ArnLike", "StringLike": "ArnLike"}
_ACTION: Final = re.compile(r"lambda:[*]|lambda:[a-zA-Z]+|[*]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The parameters of AddPermission, in the order in which they are written; empty ones are left out.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """

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
        """The parameters that are set."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def function(self) -> str:
        """The function's name, with its qualifier."""
        return f"{self.function_name}:{self.qualifier}" if self.qualifier else self.function_name

    def to_cli(self) -> str:
        """Return the AWS CLI's command."""
        options = (
            f"--{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}")
            for name, value in self.values.items()
        )
        return f"aws lambda add-permission {' '.join(options)}"

    def to_sam(self) -> str:
        """Return the CloudFormation resource."""
        lines = ["Type: AWS::Lambda::Permission", "Properties:", f"  FunctionName: {_yaml(self.function)}"]
        skipped = ("function_name", "qualifier", "statement_id")
        lines += [f"  {_property(name)}: {_yaml(value)}" for name, value in self.values.items() if name not in skipped]
        return "\n".join(lines)

    def to_terraform(self) -> str:
        """Return the resource of Terraform's AWS provider."""
        values = self.values
        width = max(map(len, values))
        lines = [f"  {name.ljust(width)} = {json.dumps(value)}" for name, value in values.items()]
        label = re.sub(r"\W+", "_", self.statement_id, flags=re.ASCII).strip("_").lower()
        label = label if label[:1].isalpha() else f"permission_{label}".rstrip("_")
        return "\n".join((f'resource "aws_lambda_permission" "{label}" {{', *lines, "}"))


def permissions_of(statement: Mapping[str, JSON], resource_arn: str) -> tuple[Permission, ...]:
    """Return the permissions that together say what a statement says; none when AddPermission cannot say it.

    Each has one principal, action and source.
    """
    read = _conditions(statement.get("Condition", {}))
    principals, actions = _principals(statement.get("Principal")), _list(statement.get("Action"))
    if read is None or not all(isinstance(action, str) and _ACTION.fullmatch(action) for action in actions):
        return ()
    sources = read.pop("source_arn", [""])
    if any(len(values) != 1 for values in read.values()):
        return ()
    single: dict[str, Any] = {name: values[0] for name, values in read.items()}
    single["invoked_via_function_url"] = single.get("invoked_via_function_url") == "true"
    name, _, qualifier = resource_arn.split(":function:", 1)[-1].partition(":")
    found = list(product(principals, actions, sources))
    return tuple(
        Permission(
            function_name=name,
            qualifier=qualifier,
            statement_id=sid(str(statement.get("Sid") or "permission"), f"-{number}" if len(found) > 1 else ""),
            action=action,
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
    """Return a Sid of a form and length that AddPermission takes; the suffix stays whole."""
    tail = re.sub(r"[^a-zA-Z0-9_-]+", "-", suffix)[: _LONGEST_SID // 2]
    return (re.sub(r"[^a-zA-Z0-9_-]", "-", name)[: _LONGEST_SID - len(tail)] + tail) or "permission"


def _conditions(block: JSON) -> dict[str, list[str]] | None:
    """Read a Condition element as AddPermission's parameters; None when it says something else."""
    read: dict[str, list[str]] = {}
    if not isinstance(block, dict):
        return None
    for operator, keys in block.items():
        for key, values in keys.items():
            name, own = _PARAMETERS.get(key.lower(), ("", ""))
            same = operator == own or (_SAME.get(operator) == own and name == "source_arn")
            if not name or not same or name in read:
                return None
            read[name] = [str(value) for value in _list(values)]
    return read


def _principals(written: JSON) -> list[str]:
    if isinstance(written, str):
        return [written]
    return [value for values in written.values() for value in _list(values)] if isinstance(written, dict) else []


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [value]


def _property(name: str) -> str:
    """Return a parameter's name as CloudFormation spells it."""
    return {"principal_org_id": "PrincipalOrgID"}.get(name, "".join(word.capitalize() for word in name.split("_")))


def _yaml(value: str | bool) -> str:
    if isinstance(value, bool):
        return "true"
    plain = re.fullmatch(r"[A-Za-z][\w:./@-]*", value, re.ASCII) and value.lower() not in {"true", "false", "null"}
    return value if plain and not value.endswith(":") else json.dumps(value)
