"""The targets of a check: functions, roles and managed policies; and its two directions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from permission_guard.records import record

JSON = Any
"""A JSON value, as `json.loads` returns it."""


class Direction(StrEnum):
    """The direction of a check. Each direction has its own reads, rules, queue and checker function."""

    INVOKE_POLICY = "invoke_policy"
    EXECUTION_ROLE = "execution_role"


@record(order=True)
class FunctionTarget:
    """A function to check, with its versions, aliases, event source mappings and roles."""

    partition: str
    region: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        """The unqualified function ARN."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"


def including(functions: tuple[FunctionTarget, ...], one: FunctionTarget) -> tuple[FunctionTarget, ...]:
    """Return sorted functions with this one. Most often it is among them, and a role can have thousands."""
    return functions if one in functions else tuple(sorted((*functions, one)))


@record(order=True)
class RoleTarget:
    """A role whose permissions changed. Every function that uses it must be checked."""

    account: str
    name: str


@record(order=True)
class PolicyTarget:
    """A managed policy whose content changed, for every role that has it attached or as its permissions boundary."""

    account: str
    arn: str


@record(order=True)
class NamedRole:
    """A role by its ARN, which some findings are about."""

    arn: str


FindingTarget = FunctionTarget | NamedRole
"""What findings are about. Their items in the table have its ARN in their key."""

Target = FunctionTarget | RoleTarget | PolicyTarget
