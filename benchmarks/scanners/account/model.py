"""What a generated account consists of, in the shapes of AWS's replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

ACCOUNT: Final = "123456789012"
FOREIGN: Final = "999999999999"
REGION: Final = "us-east-1"
ORGANIZATION: Final = "o-exampleorg"
CREATED: Final = "2026-01-15T09:30:00Z"

Item = dict[str, Any]
"""A structure of AWS's replies, or of a policy."""


@dataclass(slots=True)
class Function:
    """One function. `policies` has the statements by qualifier, with None for the unqualified function."""

    configuration: Item
    policies: dict[str | None, list[Item]] = field(default_factory=dict)
    aliases: list[Item] = field(default_factory=list)
    versions: list[Item] = field(default_factory=list)
    invoke_configs: list[Item] = field(default_factory=list)
    urls: list[Item] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.configuration["FunctionName"])

    @property
    def arn(self) -> str:
        """The unqualified ARN."""
        return str(self.configuration["FunctionArn"])


@dataclass(slots=True)
class Role:
    """One role: the documents of its inline policies by name, and the ARNs of its managed ones."""

    name: str
    path: str
    trust: Item
    inline: dict[str, Item] = field(default_factory=dict)
    attached: list[str] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The role's ARN."""
        return f"arn:aws:iam::{ACCOUNT}:role{self.path}{self.name}"


@dataclass(slots=True)
class Sources:
    """What the services beside Lambda and IAM have. Topics, buckets, rules and APIs have the functions they call."""

    queues: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    topics: dict[str, list[str]] = field(default_factory=dict)
    buckets: dict[str, list[str]] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)
    apis: dict[str, list[str]] = field(default_factory=dict)
    log_groups: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """One account and region.

    `shapes` says by the function's name which shape it has. `expected` has the ids of the rules that its shape
    violates, by the ARN of the function or role.
    """

    functions: dict[str, Function] = field(default_factory=dict)
    mappings: list[Item] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    policies: dict[str, Item] = field(default_factory=dict)
    sources: Sources = field(default_factory=Sources)
    shapes: dict[str, str] = field(default_factory=dict)
    expected: dict[str, frozenset[str]] = field(default_factory=dict)


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource in the account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def document(*statements: Item) -> Item:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: list[str], resource: str | list[str]) -> Item:
    """Return a statement of an identity policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
