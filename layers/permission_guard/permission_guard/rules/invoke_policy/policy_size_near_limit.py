"""PG113 policy-size-near-limit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import function_name, require_arn
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Remedy, Severity
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.decisions import commented
from permission_guard.remedies.policy_compaction import MOST_BYTES, compact_policy, is_compactible
from permission_guard.rules.base import Rule
from permission_guard.rules.invoke_policy.statement_rule import POLICY_READS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import ResourcePolicy, Snapshot
    from permission_guard.model.verdicts import Verdict

_SUBJECT: Final = "policy"
_MOST_PERCENT: Final = 80
_MERGED: Final = (
    "The statements are merged under fewer Sids and allow the same. RemovePermission no longer finds the other Sids: a "
    "tool that wrote them must be changed."
)
_CHOICES: Final = (
    "No statements can be merged. Decide, with the policy above:\n"
    "- Remove statements and sources that are no longer needed. Their calls are denied.\n"
    "- Write a pattern in place of the names of many sources of this account. Later sources whose names match are\n"
    "  allowed as well.\n"
    "- Let some triggers invoke an alias, which has a policy of its own. They must be configured again."
)
_SHORTENED: Final = "The command only shows the policy. What is removed from it is denied."


class PolicySizeNearLimit(Rule):
    """Allow the next permission to fit into the resource-based policy.

    ## What it flags

    A resource-based policy of a function, version or alias of more than 80 % of 20,480 bytes.

    ## Why it matters

    When the next permission does not fit, AWS refuses it with `PolicyLengthExceededException`: the deployment fails,
    and the new trigger cannot invoke the function. Also a statement cannot be narrowed without a gap, because the new
    statement has to be added before the old one is removed. AWS does not raise the limit.

    ## How to fix

    1. Remove statements for sources that no longer exist (PG110) or that grant nothing (PG105, PG111).
    2. Replace the statements for many sources of one service by one with a wildcard in the source's name, and with the
       source's account: one for all methods of an API, or for all rules with a common prefix.
    3. Or write the policy with `PutResourcePolicy`: one statement may name many sources. The suggested command merges
       the statements that differ in one condition only, and allows exactly the same.

    ## Fix safety

    Unsafe: whoever removes a permission by its Sid does not find a merged one. The fix writes statements that allow
    exactly the same, after an approval, and only with the parameter `AtomicNarrowing`. In `auto` it needs no approval
    only if `rules.PG113.fix` is `auto`. If CloudFormation or Terraform wrote the statements, change the template
    instead: the tool does not know the merged ones.

    ## Limits

    - AWS counts the bytes of the policy without spaces, in UTF-8, with its Version, Id and Sids.
    - The statements of a template are checked one by one: the size of the policy that is deployed from it is not known,
      because CloudFormation makes up the Sids, and other statements can be added.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    - https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    - https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """

    id = "PG113"
    name = "policy-size-near-limit"
    severity = Severity.MEDIUM
    direction = Direction.INVOKE_POLICY
    reads = POLICY_READS

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each policy of the function, its versions and its aliases."""
        for policy in snapshot.resource_policies:
            if isinstance(policy, Unread):
                yield self.unknown(snapshot.target.arn, None, str(policy))
            elif policy.document.unreadable:
                problems = "; ".join(policy.document.problems)
                yield self.unknown(policy.resource_arn, _SUBJECT, f"The policy cannot be read: {problems}.")
            else:
                yield self._check_size(policy)

    def _check_size(self, policy: ResourcePolicy) -> Verdict:
        size, statements = size_of(policy), len(policy.document.statements)
        counted = f"The policy has {size:,} of {MOST_BYTES:,} bytes, in {statements} statements."
        if 100 * size <= _MOST_PERCENT * MOST_BYTES:
            return self.passed(policy.resource_arn, _SUBJECT, counted)
        name = function_name(policy.resource_arn)
        percent = 100 * size // MOST_BYTES
        return self.violation(
            function_arn=policy.resource_arn,
            subject=_SUBJECT,
            title=f"The policy of {name} is {percent} % full",
            reason=f"{counted} AWS accepts no larger policy.",
            impact=(
                f"AWS refuses the permission that does not fit: deployments of {name} fail, and new triggers cannot "
                "invoke it."
            ),
            evidence={"bytes": size, "limit": MOST_BYTES, "statements": statements},
            remedies=(_remedy(policy),),
        )


def _remedy(policy: ResourcePolicy) -> Remedy:
    """Return the command that merges statements, or the choices of a person if none can be merged."""
    if is_compactible(statement.raw for statement in policy.document.statements):
        return Remedy("aws-cli", compact_policy(policy.resource_arn), changes=_MERGED)
    qualifier = policy.qualifier or ""
    name, region = function_name(policy.resource_arn), require_arn(policy.resource_arn).region
    read = aws("lambda", "get-policy", region, function_name=name, qualifier=qualifier)
    return Remedy("aws-cli", f"{read}\n{commented(_CHOICES)}", needs_decision=True, changes=_SHORTENED)


def size_of(policy: ResourcePolicy) -> int:
    """Return the size of a policy in bytes, as AWS counts it: without spaces."""
    return len(json.dumps(policy.document.document, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
