"""PG103 source-account-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.iam import Restriction
from permission_guard.invokers.sources import own_source
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, removed, replaced
from permission_guard.remedies.sources import OWNER, by_owner
from permission_guard.rules.invoke_policy.source_missing import either
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.verdicts import Remedy


class SourceAccountMissing(StatementRule):
    """Allow S3 only together with the bucket owner's account.

    ## What it flags

    A statement that names its source by an ARN that contains no account, as the ARN of a bucket does not, and that has
    no `aws:SourceAccount`. The severity is lower while this account owns the bucket.

    ## Why it matters

    The creator of a bucket owns its name. After the bucket is deleted, anyone can create a bucket with the same name
    in another account, and make S3 invoke this function with their data.

    ## How to fix

    Add the statement again with `--source-account`: this account if it owns the bucket, or else the trusted account
    that does. Then remove the flagged statement. Remove it without a replacement if the bucket does not exist.

    ## Fix safety

    Safe: the fix adds the account of the bucket's owner, which is this account, and then removes the statement without
    it. It grants nothing new. It is refused if this account does not own the bucket, or the bucket has no notification
    for the function.

    ## Limits

    The owner of a bucket in another account is unknown: AWS shows only that the bucket exists.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG103"
    name = "source-account-missing"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"s3:ListAllMyBuckets"}

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag principals that only a source ARN without an account restricts."""
        sources = allowed.source_arns() or _excepted_by_denies(allowed)
        services = [
            name
            for invoker, name in allowed.services_with(Restriction.WEAK)
            if any(invoker.admits(arn) for arn in sources)
        ]
        anyone = [
            item.value
            for item in allowed.exposure.principals
            if item.kind == "AWS" and item.restriction is Restriction.WEAK
        ]
        if not allowed.exposure.grants_invoke or not services + anyone or not sources:
            return "No principal depends on a source ARN without an account."
        names = [arn.rpartition(":")[2] for arn in sources]
        owned = [own_source(allowed.snapshot.inventories, arn) for arn in sources]
        kind = "bucket" if all(":s3:" in arn for arn in sources) else "source"
        missing = [name for name, own in zip(names, owned, strict=True) if own is False]
        if all(owned):
            owner = f"This account owns {listed(names)} now. After a {kind} is deleted, anyone can take its name."
        elif missing:
            owner = f"This account has no {kind} named {either(missing)}."
        else:
            owner = f"Whether this account owns the {kind} {either(names)} is unknown."
        name = f"{kind} {_quoted(names[0])}" if len(names) == 1 else f"{len(names)} {kind} names"
        contain = "ARN contains" if len(names) == 1 else f"ARNs of {listed(names)} contain"
        return Problem(
            title=f"Any owner of {name} can invoke {allowed.function}",
            reason=f"The source {contain} no account, and the statement has no aws:SourceAccount. {owner}",
            impact=(
                f"Anyone who owns a {kind} named {either(names)}, in any account, can make "
                f"{listed(services or ['S3'])} invoke the function with their data."
            ),
            severity=Severity.MEDIUM if all(owned) else None,
            evidence={"services": services, "source_arns": list(sources), "in_this_account": all(owned)},
            remedies=remedy(allowed, sources, services, services + anyone),
        )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _excepted_by_denies(allowed: Allowed) -> tuple[str, ...]:
    """Return the sources that Deny statements except: the only ones that an Allow without a source still allows."""
    return tuple(
        text
        for statement in allowed.policy.document.statements
        for condition in statement.conditions
        if statement.effect == "Deny" and condition.key == "aws:sourcearn" and condition.negated
        for text in condition.texts
    )


def remedy(
    allowed: Allowed, sources: Collection[str], services: Sequence[str], holders: list[str]
) -> tuple[Remedy, ...]:
    """Return the remedy that allows each source together with its owner's account, and none that does not exist."""
    elements = by_owner(allowed, sources, services)
    if not elements:
        return removed(allowed, holders)
    changes = f"The statement {allowed.name} is replaced: only the named accounts can make the services invoke."
    if OWNER in str(elements):
        trusted = listed(sorted(allowed.trust.accounts))
        changes += (
            f" {OWNER} must be the bucket owner's account. If it is not a trusted one ({trusted}), PG106 reports it."
        )
    return replaced(allowed, [changed(allowed, "-scoped", **one) for one in elements], holders, changes)
