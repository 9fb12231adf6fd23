"""PG110 source-deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import UnknownStateError
from permission_guard.iam import Restriction
from permission_guard.iam.arn import parse_arn
from permission_guard.invokers.sources import inventories_of, own_source, source_named
from permission_guard.model.state import Snapshot, Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, condition_of, removed, replaced
from permission_guard.rules.invoke_policy.statement_rule import Complaint, StatementRule, listed

if TYPE_CHECKING:
    from collections.abc import Collection

    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

_HELD: Final = (Restriction.WEAK, Restriction.FOREIGN, Restriction.HELD)


class SourceDeleted(StatementRule):
    """Allow only sources that exist.

    ## What it flags

    A statement whose `aws:SourceArn` names one source of this account and region that is no more: a bucket, topic,
    rule, API, log group, target group, user pool, Config rule, IoT rule, secret or alarm.

    ## Why it matters

    A bucket's name is free once the bucket is deleted. Without `aws:SourceAccount`, whoever takes it, in any account,
    can have this function called: that is high. Other sources have the account in their ARN: only somebody inside can
    make them anew, so that the severity is low.

    ## How to fix

    Remove the statement, or the source's name from it where it names others that exist.

    ## Fix safety

    Not fixed automatically yet: the source may be about to be made anew by the same deployment.

    ## Limits

    Sources of other accounts and regions cannot be seen, nor those of services that are not listed above: they pass. A
    bucket that exists in another account passes; whether it may call is PG103's question. A pattern that names several
    sources passes. What cannot be listed is unknown. A condition that restricts nobody is PG104's question, and one
    that is never true PG105's.

    ## References

    - https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG110"
    name = "source-deleted"
    severity = Severity.HIGH
    offline = False
    grace_period = True
    reads = StatementRule.reads | {
        "apigateway:GET",
        "cloudwatch:DescribeAlarms",
        "cognito-idp:ListUserPools",
        "config:DescribeConfigRules",
        "elasticloadbalancing:DescribeTargetGroups",
        "events:ListEventBuses",
        "events:ListRules",
        "iot:ListAuthorizers",
        "iot:ListTopicRules",
        "logs:DescribeLogGroups",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "sns:ListTopics",
    }

    def judge(self, allowed: Allowed) -> Complaint | str:
        """Flag the sources that are named and that do not exist."""
        # Whom the ARN does not hold is let in without it; whom something else keeps out is not let in by it.
        everyone = [item for item in allowed.exposure.principals if item.value == "*"]
        holders = [item for item in (*(item for _, item in allowed.services), *everyone) if item.restriction in _HELD]
        if not holders or not allowed.exposure.grants_invoke:
            return "Nobody is let in for the sources that the statement names, or it names none."
        gone: dict[str, str] = {}
        unclear: list[str] = []
        for pattern in allowed.source_arns():
            named = source_named(pattern)
            exists = _exists(named, allowed.snapshot) if named else True
            if isinstance(exists, Unread):
                unclear.append(f"Whether {named} exists is not known: {exists}.")
            elif named and not exists:
                gone[pattern] = named
        if unclear and not gone:
            raise UnknownStateError(" ".join(unclear))
        if not gone:
            return "Each source that is named exists, or cannot be seen from this account."
        sources = list(dict.fromkeys(gone.values()))
        free = Restriction.WEAK in {item.restriction for item in holders} and any(":s3:::" in name for name in sources)
        what = f"{listed(sources)} {'is' if len(sources) == 1 else 'are'}"
        return Complaint(
            title=f"{what} gone, and still let in to have {allowed.function} invoked",
            reason=f"The statement names {listed(sources)}. Nothing of that name is there.",
            impact=(
                "A bucket's name can be taken by anyone: whoever creates it, in any account, can have S3 call the "
                "function with what they put into it."
                if free
                else "Nothing calls by that name now. Whoever makes a source of the same name in that account is let "
                "in at once."
            ),
            severity=None if free else Severity.LOW,
            evidence={"sources": sources},
            remedies=_remedy(allowed, gone, [item.value for item in holders]),
        )


def _remedy(allowed: Allowed, gone: Collection[str], holders: list[str]) -> tuple[Remedy, ...]:
    """Take away what is gone; what is left of the sources stays let in."""
    written = condition_of(allowed)
    condition = {
        operator: {
            key: _without(values, gone) if key.lower() == "aws:sourcearn" and "not" not in operator.lower() else values
            for key, values in keys.items()
        }
        for operator, keys in written.items()
    }
    if any(values == [] for keys in condition.values() for values in keys.values()):
        return removed(allowed, holders)
    whom = "*" if holders == ["*"] else {"Service": [name for name in holders if name != "*"]}
    return replaced(allowed, [changed(allowed, "-existing", Condition=condition, Principal=whom)], holders)


def _without(values: JSON, gone: Collection[str]) -> JSON:
    return [text for text in (values if isinstance(values, list) else [values]) if text not in gone]


def _exists(source: str, snapshot: Snapshot) -> bool | Unread:
    """Tell whether a source exists; what cannot be seen from this account is taken to."""
    arn = parse_arn(source)
    here = (snapshot.target.account, snapshot.target.region)
    if arn is None or (arn.service != "s3" and (arn.account, arn.region) != here):
        return True
    known = own_source(snapshot.inventories, source)
    if known is None:
        unread = (kind.sources for kind in inventories_of(snapshot.inventories, source))
        return next((sources for sources in unread if isinstance(sources, Unread)), True)
    # That a bucket is not among one's own says nothing of others: S3 tells strangers whether it exists.
    return known or (snapshot.foreign_buckets.get(source, True) if arn.service == "s3" else False)
