"""Names, accounts and spellings that differ from policy to policy."""

from __future__ import annotations

import random
from typing import Any, Final

OWN: Final = "123456789012"
TRUSTED: Final = ("111122223333", "222233334444")
FOREIGN: Final = ("999999999999", "888877776666", "123456789013")
OWN_ORGANIZATION: Final = "o-own1example"
TRUSTED_ORGANIZATION: Final = "o-partner1example"
FOREIGN_ORGANIZATION: Final = "o-stranger1example"

Statement = dict[str, Any]

_REGIONS: Final = {
    "aws": ("us-east-1", "eu-central-1", "ap-southeast-2", "eu-south-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1"),
}
_WORDS: Final = (
    "orders",
    "billing",
    "audit",
    "Images",
    "search_index",
    "nightly",
    "Checkout",
    "mail",
    "tax2026",
    "iot",
)
_SPELLINGS: Final = (str, str.lower, str.upper, lambda key: key.replace("aws:", "AWS:"))


class Sampler:
    """Draws everything that is a matter of chance for one function."""

    def __init__(self, seed: str, partition: str = "") -> None:
        self.random = random.Random(seed)  # noqa: S311 - a benchmark that can be repeated, no secret
        self.partition = partition or self.random.choices(("aws", "aws-cn", "aws-us-gov"), (8, 1, 1))[0]
        self.region = self.random.choice(_REGIONS[self.partition])
        self._count = 0

    def name(self) -> str:
        """Return a name that nothing else of this function has."""
        self._count += 1
        return f"{self.random.choice(_WORDS)}-{self._count}{self.random.choice(('', '-live', '_dev'))}"

    def sid(self) -> str:
        """Return a statement's name, as AWS, SAM, CDK or a person would give it."""
        self._count += 1
        number = self._count
        forms = (f"lambda-{number:08x}-{self.random.getrandbits(32):08x}", f"AllowInvoke{number}", f"sid_{number}")
        return self.random.choice(forms)

    def id(self, length: int = 10) -> str:
        """Return an id in lower case."""
        return "".join(self.random.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=length))

    def chance(self, share: float) -> bool:
        """Return true so often."""
        return self.random.random() < share

    def pick(self, *options: Any) -> Any:
        """Return one of several."""
        return self.random.choice(options)

    def arn(self, service: str, resource: str, account: str = OWN, region: str | None = None) -> str:
        """Return an ARN of the function's partition, and of its region unless said."""
        return f"arn:{self.partition}:{service}:{self.region if region is None else region}:{account}:{resource}"

    def iam(self, resource: str, account: str = OWN) -> str:
        """Return the ARN of a role or user."""
        return self.arn("iam", resource, account, region="")

    def condition(self, operator: str, key: str, *values: str) -> Statement:
        """Return a Condition block, its key spelled in one of the ways that people spell it."""
        single = len(values) == 1 and self.chance(0.7)
        spelled = self.random.choice(_SPELLINGS)(key)
        return {operator: {spelled: values[0] if single else list(values)}}

    def listed(self, value: str) -> str | list[str]:
        """Return a value by itself, or in a list."""
        return [value] if self.chance(0.25) else value

    def invoke(self) -> Any:
        """Return actions that invoke, and do nothing else."""
        invoke = "lambda:InvokeFunction"
        return self.pick(invoke, invoke, invoke, [invoke], "lambda:invokeFunction", [invoke, "lambda:InvokeAsync"])

    def for_service(self, principal: str, *conditions: Statement, action: Any = None) -> Statement:
        """Return an Allow statement for a service."""
        return self.statement({"Service": self.listed(principal)}, *conditions, action=action)

    def statement(self, principal: Any, *conditions: Statement, action: Any = None) -> Statement:
        """Return an Allow statement; the function fills in its Resource and, where it has none, a Sid."""
        written: Statement = {"Effect": "Allow", "Principal": principal, "Action": action or self.invoke()}
        block: Statement = {}
        for condition in conditions:
            for operator, keys in condition.items():
                block.setdefault(operator, {}).update(keys)
        return {**written, "Condition": block} if block else written
