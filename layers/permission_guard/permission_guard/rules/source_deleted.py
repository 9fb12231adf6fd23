"""PG110 source-deleted."""

from __future__ import annotations

from permission_guard.iam import Hold
from permission_guard.iam.arn import parse_arn
from permission_guard.model import Severity, Snapshot, Unread
from permission_guard.rules.base import UnknownStateError
from permission_guard.rules.cures import removed
from permission_guard.rules.statements import Allowed, Complaint, StatementRule, listed
from permission_guard.triggers import inventories_of, own_source, source_named


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

    Remove the statement.

    ## Fix safety

    Not fixed automatically yet: the source may be about to be made anew by the same deployment.

    ## Limits

    Sources of other accounts and regions cannot be seen, nor those of services that are not listed above: they pass. A
    bucket that exists in another account passes; whether it may call is PG103's question. A pattern that names several
    sources passes. What cannot be listed is unknown.

    ## References

    - https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG110"
    name = "source-deleted"
    severity = Severity.HIGH
    offline = False
    settles = True
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
        holders = [name.value for _, name in allowed.services]
        holders += [item.value for item in allowed.exposure.principals if item.value == "*"]
        if not holders or not allowed.exposure.grants_invoke:
            return "The statement names no source."
        gone: list[str] = []
        unclear: list[str] = []
        for pattern in allowed.source_arns():
            named = source_named(pattern)
            exists = _exists(named, allowed.snapshot) if named else True
            if isinstance(exists, Unread):
                unclear.append(f"Whether {named} exists is not known: {exists}.")
            elif named and not exists:
                gone.append(named)
        if unclear and not gone:
            raise UnknownStateError(" ".join(unclear))
        if not gone:
            return "Each source that is named exists, or cannot be seen from this account."
        free = Hold.WEAK in {item.hold for item in allowed.exposure.principals}
        return Complaint(
            title=f"{listed(gone)} no longer exists, and may still have {allowed.function} invoked",
            reason=f"The statement names {listed(gone)}, which is not there (any more).",
            impact=(
                "A bucket's name can be taken by anyone: whoever creates it can have S3 call the function with what "
                "they put into it."
                if free
                else "Nothing calls by it now. Whoever makes the source anew in this account is let in at once."
            ),
            severity=None if free else Severity.LOW,
            evidence={"sources": gone},
            remedies=removed(allowed, holders),
        )


def _exists(source: str, snapshot: Snapshot) -> bool | Unread:
    """Tell whether a source exists; what cannot be seen from this account is taken to."""
    arn = parse_arn(source)
    if arn is None:
        return True
    target = snapshot.target
    if arn.service != "s3" and (arn.account, arn.region) != (target.account, target.region):
        return True
    known = own_source(snapshot.inventories, source)
    if known is None:
        unread = (kind.sources for kind in inventories_of(snapshot.inventories, source))
        return next((sources for sources in unread if isinstance(sources, Unread)), True)
    # That a bucket is not among one's own says nothing of others: S3 tells strangers whether it exists.
    return known or (snapshot.foreign_buckets.get(source, True) if arn.service == "s3" else False)
