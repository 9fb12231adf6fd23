"""Whether sources of other accounts may use a statement, which nothing in this account lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import account_of, parse_arn
from permission_guard.iam.context import UNKNOWN
from permission_guard.iam.logic import FALSE
from permission_guard.invokers import invoker_of
from permission_guard.invokers.sources import own_source, source_named
from permission_guard.model.invoke_events import DAYS, NotRecorded
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.fixes.base import FixState
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.invoke_events import InvokeCaller

_WITH_CREDENTIALS: Final = frozenset(
    {"AssumedRole", "FederatedUser", "IAMUser", "IdentityCenterUser", "Role", "Root", "SAMLUser", "WebIdentityUser"}
)
"""The types of callers with credentials of IAM: a statement for a service does not allow them.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

_MOST_NAMED: Final = 3
_MOST_CHARACTERS: Final = 100


@record
class ExternalSources:
    """What is known of sources of other accounts. `unknown` says what is not known, empty if there can be none.

    `approval` says why a person has to approve that they are denied, empty if nobody has to. `found` names those that
    invoked the function: who approves a plan approves that these are denied, and not others.
    """

    unknown: str = ""
    approval: str = ""
    found: str = ""


def external_sources(allowed: Allowed, services: Sequence[str], fix_state: FixState) -> ExternalSources:
    """Return what is known of the sources of other accounts that may use a statement for some services.

    CloudTrail is asked only if neither the statement nor the configuration says that there are none.
    """
    target = allowed.snapshot.target
    arns = allowed.source_arns()
    if fix_state.sees_every_source(target) or (arns and all(_is_own_arn(arn, allowed) for arn in arns)):
        return ExternalSources()
    unseen = (
        f"Sources of other accounts cannot be seen: one that invokes {allowed.function} through the statement "
        f"{allowed.name} would be denied."
    )
    callers = fix_state.invoke_callers(target)
    if callers is None:
        return ExternalSources(unseen, unseen)
    if isinstance(callers, NotRecorded):
        unseen += f" CloudTrail's Invoke events do not prove that there is none: {callers.reason}."
        return ExternalSources(unseen, unseen)
    if allowed.statement.match_action("lambda:invokefunctionurl") != FALSE:
        unseen += " CloudTrail's Invoke events do not prove that there is none: the statement allows function URLs."
        return ExternalSources(unseen, unseen)
    others = [one for one in callers if _may_use(one, allowed, services) and not _is_own(one, target.account)]
    if others:
        found = _named(others)
        denied = (
            f"Sources of other accounts invoked {allowed.function} within {DAYS} days, and would be denied: {found}."
        )
        return ExternalSources(denied, denied, found)
    return ExternalSources(
        f"Whether sources of other accounts invoke {allowed.function} less than once in {DAYS} days. CloudTrail "
        f"recorded every Invoke of the last {DAYS} days: none is by such a source through the statement {allowed.name}."
    )


def _may_use(caller: InvokeCaller, allowed: Allowed, services: Sequence[str]) -> bool:
    """Return whether the statement may have allowed the requests of a caller; true in doubt."""
    target = allowed.snapshot.target
    arn = parse_arn(caller.function_arn)
    is_ours = caller.function_arn == target.arn or caller.function_arn.startswith(f"{target.arn}:")
    if arn is not None and arn.resource.startswith("function:") and not is_ours:
        return False
    if caller.identity_type in _WITH_CREDENTIALS:
        return False
    invoker = invoker_of(caller.service)
    if invoker.is_known and invoker not in {invoker_of(service) for service in services}:
        return False
    is_qualified = caller.invoked.startswith(f"{target.arn}:") and not caller.invoked.endswith(":$LATEST")
    if not is_qualified and caller.invoked != target.arn:
        return True
    return allowed.statement.match_resource(caller.invoked, lambda _key: UNKNOWN) != FALSE


def _is_own(caller: InvokeCaller, account: str) -> bool:
    """Return whether an event names this account as that of its source, and no other one."""
    return {caller.source_account, account_of(caller.source_arn) or ""} - {""} == {account}


def _is_own_arn(arn: str, allowed: Allowed) -> bool:
    """Return whether an ARN names one source, and this account has it: no other account can have the same."""
    if source_named(arn) is not None and account_of(arn) == allowed.snapshot.target.account:
        return True
    return own_source(allowed.snapshot.inventories, arn) is True


def _named(callers: Sequence[InvokeCaller]) -> str:
    """Return the first callers by what the events say of them, and how many more there are, within a bound."""
    texts = sorted({_description(one) for one in callers})
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return f"{', '.join(texts[:_MOST_NAMED])}{more}"


def _description(caller: InvokeCaller) -> str:
    source = f"{caller.source_arn!r:.{_MOST_CHARACTERS}}" if caller.source_arn else "an unnamed source"
    account = f" of the account {caller.source_account!r:.20}" if caller.source_account else ""
    return f"{source}{account} through {caller.service or 'an unnamed service'!r:.50}"
