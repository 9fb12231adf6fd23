"""The permission that a configured trigger needs."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import split_arn
from permission_guard.invokers import cloudfront
from permission_guard.invokers.trigger_calls import principals_of
from permission_guard.model.arns import parse_function_arn
from permission_guard.remedies.invoke_policy import needs_account, source_arn
from permission_guard.remedies.permission import Permission, sid

if TYPE_CHECKING:
    from permission_guard.invokers import Invoker
    from permission_guard.model.state import Trigger

_LONGEST_NAME: Final = 30


def permission_of(trigger: Trigger, invoker: Invoker, action: str) -> Permission:
    """Return the permission that allows one trigger one action and nothing else."""
    target, qualifier = parse_function_arn(trigger.function_arn)
    # China requires the principal with the region in it, as do topics of other regions; elsewhere both work.
    sent = principals_of(trigger, trigger.source)
    regional = len(sent) == 1 or (target.partition == "aws-cn" and "{suffix}" in invoker.regional_principal)
    principal = sent[-1] if regional else invoker.principal
    by_url = invoker is cloudfront.INVOKER and action == "lambda:InvokeFunction"
    return Permission(
        region=target.region,
        function_name=target.name,
        qualifier=qualifier if qualifier and qualifier != "$LATEST" else "",
        statement_id=_statement_id(principal, trigger.source, "-url" if action.endswith("Url") else ""),
        action=action,
        principal=principal,
        source_arn="" if invoker.account_suffices else source_arn(trigger),
        source_account=trigger.source_account if needs_account(invoker) else "",
        invoked_via_function_url=by_url,
    )


def _statement_id(principal: str, source: str, suffix: str = "") -> str:
    """Return a Sid that names the source and is unique among the sources of the service."""
    resource = split_arn(source)[-1]
    name = re.sub(r"[^A-Za-z0-9]+", "-", resource)[:_LONGEST_NAME].strip("-")
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return sid(principal.split(".", maxsplit=1)[0], f"-{name}-{digest}{suffix}")
