"""PG103 source-account-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.invokers.sources import own_source
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, condition_of, replaced
from permission_guard.rules.invoke_policy.source_missing import either
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON

_ACCOUNT: Final = "AWS:SourceAccount"


class SourceAccountMissing(StatementRule):
    """Allow a bucket to have a function invoked only together with the account that owns it.

    ## What it flags

    A statement that names its source by an ARN without an account in it, which is that of a bucket, and that has no
    `aws:SourceAccount`. The severity is lower while the bucket is seen to be one of this account.

    ## Why it matters

    A bucket's name belongs to whoever creates it. Once the bucket is deleted, anyone can create one of the same name in
    an account of their own, and have S3 call this function with what they put into it.

    ## How to fix

    Add the statement again with `--source-account`, then remove this one.

    ## Fix safety

    Not fixed automatically yet.

    ## Limits

    Buckets of other accounts cannot be seen: that one exists tells nothing of whose it is.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG103"
    name = "source-account-missing"
    severity = Severity.HIGH
    reads = StatementRule.reads | {"s3:ListAllMyBuckets"}

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag principals that are held by a name without an account only."""
        sources = allowed.source_arns() or _spared(allowed)
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
            return "No source is named by an ARN that tells nothing of its owner."
        names = [arn.rpartition(":")[2] for arn in sources]
        owned = [own_source(allowed.snapshot.inventories, arn) for arn in sources]
        kind = "bucket" if all(":s3:" in arn for arn in sources) else "source"
        missing = [name for name, own in zip(names, owned, strict=True) if own is False]
        if all(owned):
            whose = f"This account has {listed(names)} now; once a {kind} is deleted, anyone can take its name."
        elif missing:
            whose = f"This account has no {kind} called {either(missing)}."
        else:
            whose = f"Nothing proves that {either(names)} is a {kind} of this account."
        return Complaint(
            title=f"Whoever owns the name {either(names)} can have {allowed.function} invoked",
            reason=f"The statement's aws:SourceArn carries no account, and there is no aws:SourceAccount. {whose}",
            impact=(
                f"Whoever has a {kind} called {either(names)}, in any account, can have {listed(services or ['S3'])} "
                "call the function with what they put into it."
            ),
            severity=Severity.MEDIUM if all(owned) else None,
            evidence={"services": services, "source_arns": list(sources), "in_this_account": all(owned)},
            remedies=replaced(allowed, [_with_account(allowed, services, known=not missing)], services + anyone),
        )


def _spared(allowed: Allowed) -> tuple[str, ...]:
    """Return the sources that Deny statements spare: of an Allow without any, they are what is left."""
    return tuple(
        text
        for statement in allowed.policy.document.statements
        for condition in statement.conditions
        if statement.effect == "Deny" and condition.key == "aws:sourcearn" and condition.negated
        for text in condition.texts
    )


def _with_account(allowed: Allowed, services: list[str], *, known: bool) -> dict[str, JSON]:
    """Return the statement with the account besides; what is written for everybody is meant for S3 alone.

    When the source is not one of this account, whose it is stays for a person to fill in.
    """
    condition = condition_of(allowed)
    equals = {key: value for key, value in condition.get("StringEquals", {}).items() if key.lower() != _ACCOUNT.lower()}
    condition["StringEquals"] = {**equals, _ACCOUNT: allowed.snapshot.target.account if known else "ACCOUNT-ID"}
    return changed(allowed, "-scoped", Condition=condition, Principal={"Service": services or ["s3.amazonaws.com"]})
