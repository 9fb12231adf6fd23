"""Find the principals that a trust policy allows without need, and the severity of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.iam import Restriction
from permission_guard.iam.arn import account_of
from permission_guard.iam.principals import ANY_SERVICE
from permission_guard.iam.scoping import enforced_keys
from permission_guard.model.verdicts import Severity
from permission_guard.records import record
from permission_guard.rules.execution_role.role_not_assumable import names_lambda
from permission_guard.rules.wording import counted, principal_name

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
"""Services that run a user's code with the role's credentials, or hand them out."""
_FOR_ALL_TENANTS: Final = frozenset(
    {
        "token.actions.githubusercontent.com",
        "gitlab.com",
        "app.terraform.io",
        "agent.buildkite.com",
    }
)
"""Identity providers that serve all tenants, and issue a token for any audience to any user."""
_GETS_EVERYTHING: Final = "can get the role's credentials and do everything that the function can."
_AUDIENCES: Final = frozenset({"aud", "azp", "app_id", "oaud"})
_ANY_SUBJECT: Final = re.compile(r"[*?]+|(?:repo|project_path|organization):[*?].*")
"""A pattern of subjects that matches any user of the provider."""


@record
class Party:
    """A principal that a statement allows and Lambda does not need.

    `who` names the principal in a sentence: "... can assume the role". `name` is shorter, for a title, and empty if
    `who` is short. `what` is a sentence on what the principal can do with the role. `organizations` are organizations
    of which it is unknown whether one is the own one.
    """

    kind: str
    value: str
    who: str
    what: str
    severity: Severity
    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    name: str = ""


def parties(statement: Statement, exposed: StatementExposure, trust: TrustSet, account: str) -> Iterator[Party]:
    """Yield the principals that a statement allows without need. `account` is the role's own account, and trusted."""
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
        has_external_id = "sts:externalid" in enforced
        who = "anyone who knows its external ID" if has_external_id else "anyone"
        what = f"Any principal of any AWS account {_GETS_EVERYTHING}"
        return Party(item.kind, item.value, who, what, Severity.HIGH if has_external_id else Severity.CRITICAL)
    is_own = item.value == account or (item.value.endswith(":root") and account_of(item.value) == account)
    if not is_own or enforced:
        return None
    what = (
        f"Any principal of account {account} that is allowed sts:AssumeRole on this role, or on all roles, can do "
        "everything that the function can, without invoking it."
    )
    return Party(item.kind, item.value, f"the whole account {account}", what, Severity.LOW)


def _of_others(item: PrincipalExposure) -> Party:
    names = [f"account {name}" for name in item.accounts] + [f"organization {name}" for name in item.organizations]
    service = "every AWS service" if item.value == ANY_SERVICE[1] else f"the service {item.value}"
    of = f"{service} for " if item.kind == "Service" else ""
    who = of + " and ".join(names)
    what = f"Anyone who controls {' or '.join(names)} {_GETS_EVERYTHING}"
    possibly_own = () if item.accounts else item.organizations
    plural = "organizations" if not item.accounts else "accounts" if not item.organizations else "parties"
    name = ("a service for " if item.kind == "Service" else "") + counted(names, plural)
    return Party(item.kind, item.value, who, what, Severity.HIGH, item.accounts, possibly_own, name)


def _service(item: PrincipalExposure) -> Party | None:
    if item.value in NEEDED or names_lambda(item.value) or item.restriction is Restriction.HELD:
        return None
    if item.restriction is Restriction.FOREIGN:
        return _of_others(item)
    if item.value == ANY_SERVICE[1]:
        what = f"Any principal that can pass this role to a service that hands out credentials {_GETS_EVERYTHING}"
        return Party(item.kind, item.value, "every AWS service", what, Severity.MEDIUM)
    if item.value.removesuffix(".cn").removesuffix(".amazonaws.com") in _HANDS_OUT_CREDENTIALS:
        what = f"Any principal that can pass this role to {item.value} {_GETS_EVERYTHING}"
        return Party(item.kind, item.value, f"the service {item.value}", what, Severity.MEDIUM)
    what = f"Any principal that can pass this role to {item.value} can use the role's permissions through that service."
    return Party(item.kind, item.value, f"the service {item.value}", what, Severity.LOW)


def _provider(item: PrincipalExposure, statement: Statement, trust: TrustSet) -> Party | None:
    owner = account_of(item.value) or ""
    if owner and owner not in trust.accounts:
        who = f"users of {item.value}, a provider of another account,"
        what = f"Account {owner} decides who gets the role's credentials."
        name = f"an identity provider of {owner}"
        return Party(item.kind, item.value, who, what, Severity.HIGH, (owner,), name=name)
    prefix = claims_of(item.value)
    if any(_limits_users(key, prefix) for key in _effective(statement)):
        return None
    who = f"any user of {item.value}"
    what = f"Anyone with an account at {prefix} {_GETS_EVERYTHING}"
    if prefix == "saml":
        what = f"Any user to whom the identity provider grants this role {_GETS_EVERYTHING}"
    name = f"any user of {principal_name(item.value)}"
    return Party(item.kind, item.value, who, what, Severity.HIGH, name=name)


def claims_of(provider: str) -> str:
    """Return the prefix of the condition keys of an identity provider's claims."""
    if ":saml-provider/" in provider:
        return "saml"
    return provider.partition(":oidc-provider/")[2] or provider


def _limits_users(key: str, prefix: str) -> bool:
    """Return whether a condition key limits the users of an identity provider, or the audience of their tokens."""
    start, _, claim = key.rpartition(":")
    if start != prefix.lower():
        return False
    if prefix in _FOR_ALL_TENANTS:
        return claim not in _AUDIENCES
    return prefix == "saml" or claim == "sub" or claim in _AUDIENCES


def _effective(statement: Statement) -> Iterator[str]:
    """Yield the condition keys that the statement requires, unless their pattern matches any user."""
    enforced = enforced_keys(statement.conditions)
    for condition in statement.conditions:
        if condition.key not in enforced or condition.operator is None:
            continue
        is_pattern = condition.operator.name == "StringLike"
        if not (is_pattern and any(map(_ANY_SUBJECT.fullmatch, condition.texts))):
            yield condition.key
