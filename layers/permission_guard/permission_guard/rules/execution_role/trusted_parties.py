"""Who is let in by a statement of a trust policy without need, and how bad that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.iam.arn import account_of
from permission_guard.iam.scoping import enforced_keys
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import PrincipalExposure, Statement, StatementExposure, TrustSet

NEEDED: Final = frozenset({"lambda.amazonaws.com", "edgelambda.amazonaws.com"})
"""The services that assume execution roles: Lambda, and Lambda at CloudFront's edge locations."""

_ACTIONS: Final = {
    "Federated": ("sts:assumerolewithwebidentity", "sts:assumerolewithsaml"),
    "AWS": ("sts:assumerole",),
    "Service": ("sts:assumerole",),
}
_HANDS_OUT_CREDENTIALS: Final = frozenset(
    {
        "batch",
        "bedrock-agentcore",
        "build.apprunner",
        "cloudformation",
        "codebuild",
        "codepipeline",
        "credentials.iot",
        "datapipeline",
        "ec2",
        "ecs-tasks",
        "elasticmapreduce",
        "emr-serverless",
        "gamelift",
        "glue",
        "pods.eks",
        "rolesanywhere",
        "sagemaker",
        "ssm",
        "tasks.apprunner",
    }
)
"""Services that run whatever they are given with the role's credentials, or hand those out."""
_FOR_ALL_TENANTS: Final = frozenset(
    {
        "token.actions.githubusercontent.com",
        "gitlab.com",
        "app.terraform.io",
        "agent.buildkite.com",
    }
)
"""Identity providers that serve everybody, and whose tokens anybody can have made for any audience."""
_AUDIENCES: Final = frozenset({"aud", "azp", "app_id", "oaud"})
_ANYBODYS: Final = re.compile(r"[*?]+|(?:repo|project_path|organization):[*?].*")
"""A subject that anybody at the provider can have."""


@record
class Party:
    """Somebody whom a statement lets in and Lambda does not need.

    `who` and `what` continue sentences: who may assume the role, and what they can do with that. `organizations` are
    those that may be the own one, where that is not known.
    """

    kind: str
    value: str
    who: str
    what: str
    severity: Severity
    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()


def parties(statement: Statement, exposed: StatementExposure, trust: TrustSet, account: str) -> Iterator[Party]:
    """Yield those whom a statement lets in without need. `account` is the role's own, and trusted."""
    for item in exposed.principals:
        if item.restriction is Restriction.NEVER or not any(map(statement.match_action, _ACTIONS.get(item.kind, ()))):
            continue
        if item.kind == "Federated":
            found = _provider(item, statement, trust)
        elif item.kind == "Service":
            found = _service(item)
        else:
            found = _principal(item, statement, account)
        if found is not None:
            yield found


def _principal(item: PrincipalExposure, statement: Statement, account: str) -> Party | None:
    enforced = enforced_keys(statement.conditions)
    if item.restriction is Restriction.FOREIGN:
        return _of_others(item)
    if item.restriction in {Restriction.OPEN, Restriction.WEAK}:
        asked = "sts:externalid" in enforced
        who = "anyone who knows its external ID" if asked else "anyone"
        what = "Any principal of any AWS account can get the role's credentials and do all that the function can."
        return Party(item.kind, item.value, who, what, Severity.HIGH if asked else Severity.CRITICAL)
    is_own = item.value == account or (item.value.endswith(":root") and account_of(item.value) == account)
    if not is_own or enforced:
        return None
    what = (
        f"Whoever in account {account} is allowed sts:AssumeRole on this role, or on all roles, can do all that the "
        "function can, outside of it."
    )
    return Party(item.kind, item.value, f"account {account} itself", what, Severity.LOW)


def _of_others(item: PrincipalExposure) -> Party:
    names = [f"account {name}" for name in item.accounts] + [f"organization {name}" for name in item.organizations]
    of = f"the service {item.value} for " if item.kind == "Service" else ""
    who = of + " and ".join(names)
    what = f"Whoever controls {' or '.join(names)} can get the role's credentials and do all that the function can."
    certain = () if item.accounts else item.organizations
    return Party(item.kind, item.value, who, what, Severity.HIGH, item.accounts, certain)


def _service(item: PrincipalExposure) -> Party | None:
    if item.value in NEEDED or item.restriction is Restriction.HELD:
        return None
    if item.restriction is Restriction.FOREIGN:
        return _of_others(item)
    if item.value.removesuffix(".cn").removesuffix(".amazonaws.com") in _HANDS_OUT_CREDENTIALS:
        what = f"Whoever may pass this role to {item.value} gets its credentials, and can do all that the function can."
        return Party(item.kind, item.value, f"the service {item.value}", what, Severity.MEDIUM)
    what = f"Whoever may pass this role to {item.value} can have that service do with it what the function may."
    return Party(item.kind, item.value, f"the service {item.value}", what, Severity.LOW)


def _provider(item: PrincipalExposure, statement: Statement, trust: TrustSet) -> Party | None:
    owner = account_of(item.value) or ""
    if owner and owner not in trust.accounts:
        who = f"users of {item.value}, a provider of another account,"
        what = f"Whoever controls account {owner} decides who gets the role's credentials."
        return Party(item.kind, item.value, who, what, Severity.HIGH, (owner,))
    prefix = claims_of(item.value)
    if any(_tells_apart(key, prefix) for key in _effective(statement)):
        return None
    who = f"every user of {item.value}"
    what = f"Anybody with an account at {prefix} can get the role's credentials and do all that the function can."
    if prefix == "saml":
        what = "Everybody whom the identity provider lets choose this role can do all that the function can."
    return Party(item.kind, item.value, who, what, Severity.HIGH)


def claims_of(provider: str) -> str:
    """Return what the condition keys of an identity provider's claims begin with."""
    if ":saml-provider/" in provider:
        return "saml"
    return provider.partition(":oidc-provider/")[2] or provider


def _tells_apart(key: str, prefix: str) -> bool:
    """Tell whether a condition key tells an identity provider's users, or what they use, apart."""
    start, _, claim = key.rpartition(":")
    if start != prefix.lower():
        return False
    if prefix in _FOR_ALL_TENANTS:
        return claim not in _AUDIENCES
    return prefix == "saml" or claim == "sub" or claim in _AUDIENCES


def _effective(statement: Statement) -> Iterator[str]:
    """Yield the keys that have to be there, with values that not everybody has."""
    enforced = enforced_keys(statement.conditions)
    for condition in statement.conditions:
        if condition.key not in enforced or condition.operator is None:
            continue
        wild = condition.operator.name == "StringLike"
        if not (wild and any(map(_ANYBODYS.fullmatch, condition.texts))):
            yield condition.key
