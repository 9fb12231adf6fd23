"""What every service that invokes functions says of itself."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import PARTS
from permission_guard.iam.patterns import admits_account, overlaps, symbols_of
from permission_guard.records import record

if TYPE_CHECKING:
    from datetime import date

ALL_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")

_SUFFIXES: Final = {"aws-cn": "amazonaws.com.cn"}
_PARTITIONS: Final = ("aws", "aws-*")
_ACCOUNT: Final = "?" * 12
_NAME: Final = re.compile(r"[A-Z][A-Z-]*")


class Authority(StrEnum):
    """What lets a service invoke a function."""

    RESOURCE_POLICY = "the function's resource-based policy"
    OWN_ROLE = "an IAM role that the service is given"
    EXECUTION_ROLE = "the function's execution role, with which Lambda itself polls"


class Sent(StrEnum):
    """Whether a service sends a condition key with its call."""

    YES = "sent"
    NO = "not sent"
    UNKNOWN = "unknown"


@record
class Invoker:
    """A service principal, and how it invokes functions.

    `principal` is its name without a region, and `regional_principal` the one with `{region}`, and with `{suffix}`
    where that differs in China; Pinpoint has only that one. `source` is what calls, in a word, for sentences.
    `source_arn` is the form of its ARN, with `{partition}`, `{region}` and `{account}` to fill in and names in capitals
    for a person to replace; empty where the service sends none. `other_source_arns` are further forms of it.
    `never_in_name` is a sign that no source's name holds, and that the ARN of what a source has in it does.

    `account_suffices` is true where AWS documents `aws:SourceAccount` alone. `written_by_aws` is true where AWS writes
    the statements itself, and nobody else should touch them. `ended` is the last day of a service that is no more. An
    invoker that is not `is_known` is in no table: what it says is the general rule, and its `source_arn` a guess.
    """

    principal: str
    source: str
    source_arn: str
    documentation: str = ""
    article: str = "a"
    other_source_arns: tuple[str, ...] = ()
    never_in_name: str = ""
    regional_principal: str = ""
    authority: Authority = Authority.RESOURCE_POLICY
    sends_source_arn: Sent = Sent.YES
    sends_source_account: Sent = Sent.YES
    sends_event_source_token: Sent = Sent.NO
    account_suffices: bool = False
    written_by_aws: bool = False
    partitions: tuple[str, ...] = ALL_PARTITIONS
    ended: date | None = None
    is_known: bool = True

    @property
    def invokes_by_policy(self) -> bool:
        """Whether a statement for the service can ever serve."""
        return self.authority is Authority.RESOURCE_POLICY

    @property
    def names_its_source(self) -> bool:
        """Whether a statement can be asked to name the source; otherwise to ask for it breaks what works."""
        silent = self.sends_source_arn is Sent.NO and self.sends_source_account is Sent.NO
        return self.invokes_by_policy and not self.written_by_aws and not silent

    @property
    def source_arn_has_account(self) -> bool:
        """Whether the source's ARN tells whose it is; a bucket's does not."""
        return "{account}" in self.source_arn

    @property
    def a_source(self) -> str:
        """Return what calls, with its article."""
        return f"{self.article} {self.source}"

    def principal_in(self, partition: str, region: str) -> str:
        """Return the principal as it is written in a region, with the region where the service has such a name."""
        suffix = _SUFFIXES.get(partition, "amazonaws.com")
        return self.regional_principal.format(region=region, suffix=suffix) or self.principal

    @property
    def has_ended(self) -> bool:
        """Whether the service is no more, so that a statement for it is stale."""
        return self.ended is not None

    @property
    def calls_by_policy(self) -> bool:
        """Whether the service still invokes functions that people let it invoke by a statement."""
        return self.invokes_by_policy and not self.written_by_aws and not self.has_ended

    @property
    def never_sends(self) -> frozenset[str]:
        """The condition keys, in lower case, that the service never sends."""
        keys = (
            (self.sends_source_arn, {"aws:sourcearn"}),
            (
                self.sends_source_account,
                {"aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths"},
            ),
            (self.sends_event_source_token, {"lambda:eventsourcetoken"}),
        )
        return frozenset(key for sent, names in keys if sent is Sent.NO for key in names)

    def admits(self, arn: str) -> bool:
        """Tell whether an ARN, or a pattern with `*` and `?`, can be that of a source of this service.

        A pattern need not be narrow: `*` admits every source. Of a service in no table, any ARN may be a source.
        """
        if not self.is_known:
            return True
        resource = "".join(arn.split(":", PARTS - 1)[PARTS - 1 :])
        if self.never_in_name and self.never_in_name in resource:
            return False
        return any(_fits(arn, form) for form in (self.source_arn, *self.other_source_arns) if form)


def _fits(arn: str, form: str) -> bool:
    """Tell whether some ARN of a form matches a pattern: part by part, or as a text where stars cross the colons."""
    patterns = [_as_pattern(form.replace("{partition}", partition)) for partition in _PARTITIONS]
    parts = arn.split(":", PARTS - 1)
    if len(parts) != PARTS:
        return any(overlaps(arn, symbols_of(pattern)) for pattern in patterns)
    return any(all(map(_fits_part, parts, pattern.split(":", PARTS - 1))) for pattern in patterns)


def _fits_part(part: str, pattern: str) -> bool:
    return admits_account(part) if pattern == _ACCOUNT else overlaps(part, symbols_of(pattern))


def _as_pattern(form: str) -> str:
    """Return a form as a pattern, in which the region and every name may be anything that is not empty."""
    return _NAME.sub("?*", form.format(region="?*", account=_ACCOUNT))
