"""The record that describes a service that invokes functions."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import PARTS, parse_arn, split_arn
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
    """What allows a service to invoke a function."""

    RESOURCE_POLICY = "the function's resource-based policy"
    OWN_ROLE = "an IAM role that the service assumes"
    EXECUTION_ROLE = "the function's execution role, with which Lambda polls"


class Sent(StrEnum):
    """Whether a service sends a condition key when it invokes a function."""

    YES = "sent"
    NO = "not sent"
    UNKNOWN = "unknown"


@record
class Invoker:
    """A service principal, and how it invokes functions.

    `principal` is the principal without a region. `regional_principal` is the principal with `{region}`, and with
    `{suffix}` if its domain differs in China; Pinpoint has only this form. `source` is a word for the calling resource,
    for sentences. `source_arn` is the form of its ARN, with the fields `{partition}`, `{region}` and `{account}`, and
    with names in capitals to replace; empty if the service sends no ARN. `other_source_arns` are other forms of it.
    `never_in_name` is a character that is not in the name of a source, but in the ARN of an object or child of it.

    `account_suffices`: AWS documents a statement with `aws:SourceAccount` alone. `written_by_aws`: AWS creates the
    statements, and they must not be changed. `ended` is the last day of a discontinued service. An invoker that is not
    `is_known` has no entry: its attributes are general, and its `source_arn` is a guess.
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
        """Whether a statement for the service can have an effect."""
        return self.authority is Authority.RESOURCE_POLICY

    @property
    def names_its_source(self) -> bool:
        """Whether a statement can require the source. If not, such a condition stops the service from invoking."""
        sends_neither = self.sends_source_arn is Sent.NO and self.sends_source_account is Sent.NO
        return self.invokes_by_policy and not self.written_by_aws and not sends_neither

    @property
    def source_arn_has_account(self) -> bool:
        """Whether the source's ARN contains its account; a bucket's does not."""
        return "{account}" in self.source_arn

    @property
    def a_source(self) -> str:
        """The word for the calling resource, with its article."""
        return f"{self.article} {self.source}"

    def principal_in(self, partition: str, region: str) -> str:
        """Return the principal to write in a region: the regional principal if the service has one."""
        suffix = _SUFFIXES.get(partition, "amazonaws.com")
        return self.regional_principal.format(region=region, suffix=suffix) or self.principal

    @property
    def has_ended(self) -> bool:
        """Whether the service was discontinued, so that a statement for it has no effect."""
        return self.ended is not None

    @property
    def calls_by_policy(self) -> bool:
        """Whether the service invokes functions that a customer's statement allows."""
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
        """Return whether a source of this service can have an ARN, or an ARN that matches a pattern with `*` and `?`.

        A pattern can be broad: `*` matches every source. For a service without an entry, the result is always true.
        """
        if not self.is_known:
            return True
        parsed = parse_arn(arn)
        if parsed and self.never_in_name and self.never_in_name in parsed.resource:
            return False
        return any(_fits(arn, form) for form in (self.source_arn, *self.other_source_arns) if form)


def _fits(arn: str, form: str) -> bool:
    """Return whether an ARN of a form can match a pattern: by part, or as text if the pattern has fewer parts."""
    patterns = [_as_pattern(form.replace("{partition}", partition)) for partition in _PARTITIONS]
    parts = split_arn(arn)
    if len(parts) != PARTS:
        return any(overlaps(arn, symbols_of(pattern)) for pattern in patterns)
    return any(all(map(_fits_part, parts, split_arn(pattern))) for pattern in patterns)


def _fits_part(part: str, pattern: str) -> bool:
    return admits_account(part) if pattern == _ACCOUNT else overlaps(part, symbols_of(pattern))


def _as_pattern(form: str) -> str:
    """Return a form as a pattern, in which the region and the names match everything that is not empty."""
    return _NAME.sub("?*", form.format(region="?*", account=_ACCOUNT))
