"""What a check is about: functions, roles and managed policies, and the two directions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from permission_guard.records import record

JSON = Any
"""A value that JSON can hold: what `json.loads` returns."""


class Direction(StrEnum):
    """One of the two directions; each has its own reads, rules, queue and checker function."""

    INVOKE_POLICY = "invoke_policy"
    EXECUTION_ROLE = "execution_role"


@record(order=True)
class FunctionTarget:
    """A function to look at, with everything that hangs on it: versions, aliases, mappings, roles."""

    partition: str
    region: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        """The unqualified function ARN."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"


@record(order=True)
class RoleTarget:
    """A role whose permissions changed: every function that uses it is to be looked at."""

    account: str
    name: str


@record(order=True)
class PolicyTarget:
    """A managed policy that says something else now: every role that has it, or is limited by it, changed."""

    account: str
    arn: str


Target = FunctionTarget | RoleTarget | PolicyTarget
