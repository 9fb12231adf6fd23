"""The record that describes a service that invokes functions."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - the type of a field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import parse_arn
from permission_guard.invokers.grammar import REGION, arn_form
from permission_guard.records import field, record

if TYPE_CHECKING:
    from datetime import date

    from permission_guard.invokers.grammar import ArnForm

ALL_PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov")

_SUFFIXES: Final = {"aws-cn": "amazonaws.com.cn"}
_ENABLED_BY_DEFAULT: Final = frozenset(
    {
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"),
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
    }
)
"""The regions of the partition `aws` that every account has. AWS adds none: later regions are opt-in regions."""


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
    with names in capitals to replace; empty if the service sends no ARN. `other_source_arns` are other forms of it, and
    `disputed_source_arns` those on which AWS's documentation and reports disagree. `names` has the expression of each
    name in capitals (see `grammar.py`), with `|` between alternatives. No source's resource begins with one of
    `never_begins`, although an expression matches it. `correction` is a regular expression for a common mistake in an
    ARN, and its replacement.

    `actions` are what statements must allow. `regional_abroad`: a source of an opt-in region invokes functions of other
    regions only with its own regional principal. `account_suffices`: AWS documents a statement with `aws:SourceAccount`
    alone. `account_dispute`: who disagrees on whether the service sends the account, as a sentence. `written_by_aws`:
    AWS creates the statements, and they must not be changed. `ended` is the last day of a discontinued service. An
    invoker that is not `is_known` has no entry: its attributes are general, and its `source_arn` is a guess.
    """

    principal: str
    source: str
    source_arn: str
    documentation: str = ""
    article: str = "a"
    other_source_arns: tuple[str, ...] = ()
    disputed_source_arns: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    never_begins: tuple[str, ...] = ()
    correction: tuple[str, str] | None = None
    regional_principal: str = ""
    regional_abroad: bool = False
    actions: tuple[str, ...] = ("lambda:InvokeFunction",)
    authority: Authority = Authority.RESOURCE_POLICY
    sends_source_arn: Sent = Sent.YES
    sends_source_account: Sent = Sent.YES
    sends_event_source_token: Sent = Sent.NO
    account_suffices: bool = False
    account_dispute: str = ""
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
    def any_source_arn(self) -> str:
        """The form of the ARNs of all sources of an account and region."""
        return re.sub("|".join(self.names), "*", self.source_arn) if self.names else self.source_arn

    @property
    def a_source(self) -> str:
        """The word for the calling resource, with its article."""
        return f"{self.article} {self.source}"

    def principal_in(self, partition: str, region: str) -> str:
        """Return the principal to write in a region: the regional principal if the service has one."""
        suffix = _SUFFIXES.get(partition, "amazonaws.com")
        return self.regional_principal.format(region=region, suffix=suffix) or self.principal

    def principals_of(self, source_arn: str, partition: str, region: str) -> tuple[str, ...]:
        """Return the principals with which a source may invoke a function of a partition and region.

        If there are several, AWS does not document which. `source_arn` can be a pattern.
        """
        source = parse_arn(source_arn)
        if (
            self.regional_abroad
            and partition == "aws"
            and source
            and source.region not in {*_ENABLED_BY_DEFAULT, region}
            and REGION.fullmatch(source.region)
        ):
            return (self.principal_in(partition, source.region),)
        return tuple(dict.fromkeys((self.principal, self.principal_in(partition, region))))

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

    def admits(self, pattern: str, *, as_text: bool = False) -> bool:
        """Return whether a source of this service can have an ARN that matches a pattern with `*` and `?`.

        A pattern can be broad: `*` matches every source. It is compared part by part or, `as_text`, as a whole. For a
        service without an entry, the result is always true.
        """
        if not self.is_known:
            return True
        forms = self._forms(self.source_arn, *self.other_source_arns, *self.disputed_source_arns)
        return self._is_one_of(forms, pattern, as_text=as_text)

    def is_disputed(self, pattern: str, *, as_text: bool = False) -> bool:
        """Return whether a source can have an ARN that matches a pattern only if a disputed form is right."""
        if not self.is_known:
            return False
        documented = self._forms(self.source_arn, *self.other_source_arns)
        disputed = self._forms(*self.disputed_source_arns)
        return self._is_one_of(disputed, pattern, as_text=as_text) and not self._is_one_of(
            documented, pattern, as_text=as_text
        )

    def corrected(self, pattern: str) -> str:
        """Return a pattern of ARNs that no source has without its common mistake, and every other pattern unchanged."""
        if self.correction is None or self.admits(pattern):
            return pattern
        without = re.sub(*self.correction, pattern)
        return without if self.admits(without) else pattern

    def _forms(self, *forms: str) -> tuple[ArnForm, ...]:
        names = tuple(self.names.items())
        return tuple(arn_form(form, names) for form in forms if form)

    def _is_one_of(self, forms: tuple[ArnForm, ...], pattern: str, *, as_text: bool) -> bool:
        parsed = parse_arn(pattern)
        if parsed and parsed.resource.startswith(self.never_begins):
            return False
        return any(form.matches_any(pattern, as_text=as_text) for form in forms)
