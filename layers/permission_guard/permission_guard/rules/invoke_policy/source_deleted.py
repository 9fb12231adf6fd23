"""PG110 source-deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import UnknownStateError
from permission_guard.iam import Restriction
from permission_guard.iam.arn import parse_arn
from permission_guard.invokers.sources import inventories_of, own_source, source_named
from permission_guard.model.state import Snapshot, Unread
from permission_guard.model.verdicts import Severity
from permission_guard.remedies.invoke_policy import changed, removed, replaced
from permission_guard.remedies.sources import condition_of
from permission_guard.rules.invoke_policy.source_account_missing import remedy
from permission_guard.rules.invoke_policy.statement_rule import Problem, StatementRule
from permission_guard.rules.wording import listed, source_kind_and_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from permission_guard.iam import PrincipalExposure
    from permission_guard.invokers.allowed import Allowed
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy

_HELD: Final = (Restriction.WEAK, Restriction.FOREIGN, Restriction.HELD)


class SourceDeleted(StatementRule):
    """Allow only sources that exist.

    ## What it flags

    A statement whose `aws:SourceArn` names one source of this account and region that no longer exists: a bucket,
    topic, rule, API, log group, target group, user pool, Config rule, IoT rule, secret or alarm.

    ## Why it matters

    After a bucket is deleted, its name is free. If the statement has no `aws:SourceAccount`, anyone who takes the name,
    in any account, can invoke this function. The severity is high then. Other sources have the account in their ARN.
    Only a principal of that account can recreate them, so the severity is low.

    ## How to fix

    Remove the statement. If it also names sources that exist, remove only the deleted source from it.

    ## Fix safety

    Unsafe: the same deployment may be about to recreate the source. The fix removes the statement after an approval. In
    `auto` it does so without one only if `rules.PG110.fix` is `auto`. It is refused if the statement also names sources
    that exist.

    ## Limits

    Sources of other accounts and regions, and of services that are not listed above, are not visible and pass. A bucket
    that exists in another account passes: PG103 evaluates whether it may invoke. A pattern that names several sources
    passes. The outcome is unknown if the sources cannot be listed. PG104 evaluates conditions that restrict nothing,
    and PG105 conditions that are never true.

    ## References

    - https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """

    id = "PG110"
    name = "source-deleted"
    severity = Severity.HIGH
    of_inventories = True
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

    def check_statement(self, allowed: Allowed) -> Problem | str:
        """Flag the sources that the statement names and that do not exist."""
        # An OPEN principal is allowed whatever the source ARN says, and a NEVER one is not allowed at all.
        everyone = [item for item in allowed.exposure.principals if item.value == "*"]
        holders = [item for item in (*(item for _, item in allowed.services), *everyone) if item.restriction in _HELD]
        if not holders or not allowed.exposure.grants_invoke:
            return "No principal is allowed because of a source that the statement names."
        deleted: dict[str, str] = {}
        unknown: list[str] = []
        for pattern in allowed.source_arns():
            named = source_named(pattern)
            exists = _exists(named, allowed.snapshot) if named else True
            if isinstance(exists, Unread):
                unknown.append(f"Unknown: it depends on whether {named} exists. {exists}.")
            elif named and not exists:
                deleted[pattern] = named
        if unknown and not deleted:
            raise UnknownStateError(" ".join(unknown))
        if not deleted:
            return "Every named source exists or is not visible from this account."
        sources = list(dict.fromkeys(deleted.values()))
        free = Restriction.WEAK in {item.restriction for item in holders} and any(":s3:::" in name for name in sources)
        return Problem(
            title=f"{allowed.function} still allows {_deleted(sources)}",
            reason=(f"The statement names {listed(sources)}, which {'does' if len(sources) == 1 else 'do'} not exist."),
            impact=(
                "Anyone can create a bucket with this name, in any account, and make S3 invoke the function with their "
                "data."
                if free
                else "The permission is unused now. A new source with this name in that account can invoke the "
                "function immediately."
            ),
            severity=None if free else Severity.LOW,
            evidence={"sources": sources},
            remedies=_remedy(allowed, deleted, holders),
        )


def _deleted(sources: list[str]) -> str:
    """Format deleted sources for a title, several as a number."""
    found = list(map(source_kind_and_name, sources))
    kind, name = found[0]
    if len(found) == 1:
        return f"the deleted {kind} {name}"
    return f"{len(found)} deleted {kind if len({kind for kind, _ in found}) == 1 else 'source'}s"


def _remedy(allowed: Allowed, deleted: Collection[str], items: Sequence[PrincipalExposure]) -> tuple[Remedy, ...]:
    """Remove the deleted sources, and keep the permission for the others: for buckets, with their owner's account."""
    holders = [item.value for item in items]
    kept = [arn for arn in allowed.source_arns() if arn not in deleted]
    services = [name for name in holders if name != "*"]
    if kept and all(item.restriction is Restriction.WEAK for item in items):
        return remedy(allowed, kept, services, holders)
    written = condition_of(allowed.statement.raw)
    condition = {
        operator: {
            key: _without(values, deleted)
            if key.lower() == "aws:sourcearn" and "not" not in operator.lower()
            else values
            for key, values in keys.items()
        }
        for operator, keys in written.items()
    }
    if any(values == [] for keys in condition.values() for values in keys.values()):
        return removed(allowed, holders)
    principal = "*" if holders == ["*"] else {"Service": services[0] if len(services) == 1 else services}
    return replaced(allowed, [changed(allowed, "-existing", Condition=condition, Principal=principal)], holders)


def _without(values: JSON, deleted: Collection[str]) -> JSON:
    return [text for text in (values if isinstance(values, list) else [values]) if text not in deleted]


def _exists(source: str, snapshot: Snapshot) -> bool | Unread:
    """Return whether a source exists; a source that is not visible from this account is assumed to exist."""
    arn = parse_arn(source)
    here = (snapshot.target.account, snapshot.target.region)
    if arn is None or (arn.service != "s3" and (arn.account, arn.region) != here):
        return True
    known = own_source(snapshot.inventories, source)
    if known is None:
        unread = (kind.sources for kind in inventories_of(snapshot.inventories, source))
        return next((sources for sources in unread if isinstance(sources, Unread)), True)
    # A bucket that is not in this account may exist in another: S3 shows every account whether a bucket exists.
    return known or (snapshot.foreign_buckets.get(source, True) if arn.service == "s3" else False)
