"""How new statements name their sources: EventBridge's by their ARNs alone, buckets with their owner's account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import is_account_id, split_arn
from permission_guard.invokers import invoker_of
from permission_guard.invokers.sources import own_source
from permission_guard.remedies.decisions import placeholder

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON

Condition = dict[str, dict[str, "JSON"]]

OWNER: Final = placeholder("ACCOUNT-ID")
"""The account that owns a bucket of another account: AWS does not show which one it is."""

_ARN: Final = "AWS:SourceArn"
_ACCOUNT: Final = "AWS:SourceAccount"
_S3: Final = "s3.amazonaws.com"
_EQUAL: Final = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike"})


def condition_of(statement: Mapping[str, JSON]) -> Condition:
    """Return a statement's Condition element without its malformed parts."""
    block = statement.get("Condition")
    return {
        operator: dict(keys)
        for operator, keys in (block.items() if isinstance(block, dict) else ())
        if isinstance(keys, dict)
    }


def by_arn_alone(statement: dict[str, JSON], region: str) -> dict[str, JSON]:
    """Return a statement that requires no account of a service which may not send it: it names the ARN instead.

    A statement for other principals as well stays as it is.
    """
    principal = statement.get("Principal")
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) and len(principal) == 1 else []
    invokers = [invoker_of(str(name)) for name in services]
    if not invokers or not all(invoker.account_dispute for invoker in invokers):
        return statement
    condition = condition_of(statement)
    arns, accounts = _values(condition, _ARN), _values(condition, _ACCOUNT)
    named = [split_arn(arn)[4:5] for arn in arns]
    if not accounts or not all(map(is_account_id, accounts)) or any(not is_account_id("".join(one)) for one in named):
        return statement
    condition = _with(condition, _ACCOUNT, ())
    if not arns:
        partition = split_arn(str(statement.get("Resource")))[1]
        form = invokers[0].any_source_arn
        patterns = [form.format(partition=partition, region=region, account=account) for account in accounts]
        condition.setdefault("ArnLike", {})[_ARN] = patterns[0] if len(patterns) == 1 else patterns
    return {**statement, "Condition": condition}


def by_owner(allowed: Allowed, sources: Collection[str], services: Sequence[str]) -> list[dict[str, JSON]]:
    """Return the elements of statements that allow services for sources without an account in their ARN.

    Each statement requires the account of the owner: the function's own or, for a bucket of another account, a
    placeholder. A bucket that does not exist is not allowed. If it is unknown who owns a source, it is this account.
    """
    owners: dict[str, list[str]] = {}
    for arn in sources:
        if account := _owner(allowed, arn):
            owners.setdefault(account, []).append(arn)
    if not allowed.source_arns() and owners:  # a Deny names the sources, for all accounts together
        owners = {OWNER if OWNER in owners else next(iter(owners)): list(sources)}
    written = condition_of(allowed.statement.raw)
    found = []
    for account, arns in owners.items():
        condition = _with(written, _ARN, arns)
        condition["StringEquals"] = {**_with(condition, _ACCOUNT, ()).get("StringEquals", {}), _ACCOUNT: account}
        names = [name for name in services if any(invoker_of(name).admits(arn) for arn in arns)] or [_S3]
        found.append({"Condition": condition, "Principal": {"Service": names[0] if len(names) == 1 else names}})
    return found


def _owner(allowed: Allowed, arn: str) -> str:
    """Return the account that a statement for a source must require; empty if the source does not exist."""
    if own_source(allowed.snapshot.inventories, arn) is not False:
        return allowed.snapshot.target.account
    return "" if allowed.snapshot.foreign_buckets.get(arn) is False else OWNER


def _values(condition: Condition, name: str) -> list[str]:
    """Return the values of a key under operators that compare for equality."""
    return [
        str(value)
        for operator, keys in condition.items()
        for key, values in keys.items()
        if operator in _EQUAL and key.lower() == name.lower()
        for value in _listed(values)
    ]


def _with(condition: Condition, name: str, kept: Collection[str]) -> Condition:
    """Return a condition in which a key under operators that compare for equality has only some of its values."""
    result: Condition = {}
    for operator, keys in condition.items():
        for key, values in keys.items():
            is_meant = operator in _EQUAL and key.lower() == name.lower()
            left = [value for value in _listed(values) if value in kept] if is_meant else values
            if left:
                result.setdefault(operator, {})[key] = left[0] if is_meant and len(left) == 1 else left
    return result


def _listed(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [value]
