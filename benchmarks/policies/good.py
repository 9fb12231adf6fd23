"""Statements that allow only the intended principals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.policies.sampling import (
    FOREIGN,
    OWN,
    OWN_ORGANIZATION,
    TRUSTED,
    TRUSTED_ORGANIZATION,
    Sampler,
    Statement,
)
from benchmarks.policies.services import EDGE, SKILLS, Service, Source, principal_of, services_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Written:
    """Statements that belong together, and the source that they allow, if an inventory lists it.

    `names_source` says that the ARN of the source is in them.
    """

    statements: tuple[Statement, ...]
    service: Service | None = None
    source: Source | None = None
    account: str = OWN
    names_source: bool = False


def good(draw: Sampler) -> Written:
    """Return statements of some kind that a careful author writes."""
    if draw.chance(0.6):
        return for_a_service(draw, draw.pick(*services_in(draw)))
    return Written(tuple(draw.pick(*_OTHERS)(draw)))


def for_a_service(draw: Sampler, service: Service) -> Written:
    """Return a statement for a service, held in one of the ways that its documentation has."""
    way = draw.pick(*service.ways)
    account = draw.pick(*TRUSTED) if draw.chance(0.15) else OWN
    source = service.source(draw, account)
    conditions: list[Statement] = []
    names_source = way in {"arn", "both"}
    if way == "both" and service.sends_account and ":*:" not in source.sent and draw.chance(0.1):
        # The account is named by the other condition, so that the ARN may leave it open.
        conditions.append(draw.condition("ArnLike", "aws:SourceArn", source.sent.replace(account, "*")))
    elif names_source:
        conditions.append(_arn(draw, source, exact=way == "arn" and service.principal == "s3.amazonaws.com"))
    if way in {"account", "both"}:
        conditions.append(_account(draw, account, exact=names_source))
    if way == "organization":
        conditions.append(_organization(draw, "aws:SourceOrgID"))
        account = OWN
    if way == "paths":
        conditions.append(_paths(draw, "aws:SourceOrgPaths"))
        account = OWN
    principal = principal_of(service, draw)
    if service.principal == "cloudfront.amazonaws.com":  # origin access control takes two
        actions = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
        pair = tuple(draw.for_service(principal, *conditions, action=action) for action in actions)
        return Written(pair, service, source, account, names_source)
    statement = draw.for_service(principal, *conditions)
    return Written((statement,), service, source, account, names_source)


def _arn(draw: Sampler, source: Source, *, exact: bool) -> Statement:
    """Return a condition that admits a source, exactly or by a pattern that names the account."""
    key = "aws:SourceArn"
    if draw.chance(0.1):  # the key has to be there, so that IfExists lets nothing pass
        return {**draw.condition("ArnLikeIfExists", key, source.sent), "Null": {key: "false"}}
    if source.patterns and not exact and draw.chance(0.5):
        wild = draw.pick("ArnLike", "ArnLike", "StringLike", "ArnEquals", "ForAnyValue:ArnLike")
        return draw.condition(wild, key, draw.pick(*source.patterns))
    if draw.chance(0.15):
        return draw.condition(draw.pick("ArnLike", "ArnEquals"), key, *_wider(draw, source.sent))
    operator = draw.pick("ArnLike", "ArnLike", "ArnEquals", "StringEquals", "StringLike")
    return draw.condition(operator, key, source.sent)


def _wider(draw: Sampler, sent: str) -> tuple[str, ...]:
    """Return patterns that admit an ARN whatever its region, or it and another one; the account stays.

    They are for ARN operators: under `StringLike` a star goes on across colons, and the account is anybody's.
    """
    partition, service, region, rest = sent.split(":", 4)[1:]
    if not region:
        return (sent,)
    wide = (f"arn:{partition}:{service}:*:{rest}", f"arn:*:{service}:*:{rest}", f"arn:aws*:{service}:{region}:{rest}")
    another = f"{sent.removesuffix(':*')}2{':*' if sent.endswith(':*') else ''}"
    chosen: tuple[str, ...] = draw.pick(*((pattern,) for pattern in wide), (sent, another), (another, wide[0]))
    return chosen


def _account(draw: Sampler, account: str, *, exact: bool) -> Statement:
    """Return a condition that admits an account, or it and others that are trusted."""
    key = "aws:SourceAccount"
    if exact:
        return draw.condition(draw.pick("StringEquals", "StringLike"), key, account)
    if account == OWN and draw.chance(0.1):
        return draw.condition("StringEquals", key, "${aws:ResourceAccount}")
    values = (account,) if draw.chance(0.6) else (account, OWN, TRUSTED[0])
    return draw.condition(
        draw.pick("StringEquals", "StringLike", "StringEqualsIgnoreCase"), key, *dict.fromkeys(values)
    )


def _organization(draw: Sampler, key: str) -> Statement:
    return draw.condition("StringEquals", key, OWN_ORGANIZATION)


def _paths(draw: Sampler, key: str) -> Statement:
    path = f"{OWN_ORGANIZATION}/r-{draw.id(4)}/ou-{draw.id(4)}-{draw.id(8)}/*"
    return draw.condition("ForAnyValue:StringLike", key, path)


# ── Those who call in person ────────────────────────────────────────────────────────────────────────────────────────


def _known_principal(draw: Sampler, account: str) -> str:
    return str(
        draw.pick(
            account,
            draw.iam("root", account),
            draw.iam(f"role/{draw.name()}", account),
            draw.iam(f"role/teams/{draw.name()}", account),
            draw.iam(f"user/{draw.name()}", account),
        )
    )


def _account_or_role(draw: Sampler) -> list[Statement]:
    principals = [_known_principal(draw, draw.pick(OWN, *TRUSTED)) for _ in range(draw.pick(1, 1, 2))]
    return [draw.statement({"AWS": principals[0] if len(principals) == 1 else principals})]


def _by_url(draw: Sampler) -> list[Statement]:
    """Return the pair that a function URL with authentication takes."""
    principal = {"AWS": draw.iam(f"role/{draw.name()}", draw.pick(OWN, *TRUSTED))}
    key = "lambda:FunctionUrlAuthType"
    return [
        draw.statement(principal, draw.condition("StringEquals", key, "AWS_IAM"), action="lambda:InvokeFunctionUrl"),
        draw.statement(principal, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}, action="lambda:InvokeFunction"),
    ]


def _everyone(draw: Sampler) -> str | dict[str, object]:
    everyone: str | dict[str, object] = draw.pick("*", {"AWS": "*"}, {"AWS": ["*"]})
    return everyone


def _everyone_of(draw: Sampler) -> list[Statement]:
    """Return a grant to everyone of an organization, an account, a network or a set of roles."""
    condition = draw.pick(
        draw.condition("StringEquals", "aws:PrincipalOrgID", draw.pick(OWN_ORGANIZATION, TRUSTED_ORGANIZATION)),
        draw.condition("StringEquals", "aws:PrincipalAccount", OWN, *TRUSTED),
        draw.condition("ArnLike", "aws:PrincipalArn", draw.iam("role/ci-*")),
        draw.condition("StringLike", "aws:PrincipalArn", draw.iam("role/ci-*", TRUSTED[1])),
        draw.condition("StringEquals", "aws:SourceVpce", f"vpce-{draw.id(17)}"),
        _paths(draw, "aws:PrincipalOrgPaths"),
        draw.condition("StringEquals", "aws:SourceAccount", OWN),
    )
    return [draw.statement(_everyone(draw), condition)]


def _own_readers(draw: Sampler) -> list[Statement]:
    """Return a grant of read actions to a role of the own account."""
    actions = ["lambda:InvokeFunction", "lambda:GetFunction", "lambda:GetFunctionConfiguration"]
    return [draw.statement({"AWS": draw.iam(f"role/{draw.name()}")}, action=actions)]


# ── Services that are held by something else, or by AWS itself ──────────────────────────────────────────────────────


def _skill(draw: Sampler) -> list[Statement]:
    token = draw.condition("StringEquals", "lambda:EventSourceToken", f"amzn1.ask.skill.{draw.id(32)}")
    return [draw.for_service(draw.pick(*SKILLS), token)]


def _edge(draw: Sampler) -> list[Statement]:
    """Return what Lambda@Edge writes when it replicates a version."""
    principal = {"Service": draw.pick(*EDGE)}
    action = draw.pick("lambda:GetFunction", "lambda:EnableReplication*", "lambda:InvokeFunction")
    return [draw.statement(principal, action=action)]


def _several_services(draw: Sampler) -> list[Statement]:
    """Return one statement for several services that all send the account."""
    services = ["s3.amazonaws.com", "events.amazonaws.com", "config.amazonaws.com"]
    draw.random.shuffle(services)
    condition = draw.condition("StringEquals", "aws:SourceAccount", OWN)
    return [draw.statement({"Service": services[: draw.pick(2, 3)]}, condition)]


# ── With a Deny ─────────────────────────────────────────────────────────────────────────────────────────────────────


def deny(draw: Sampler) -> Statement:
    """Return a Deny that takes back nothing of what other statements are about."""
    statement = draw.pick(
        draw.statement("*", {"Bool": {"aws:SecureTransport": "false"}}, action="lambda:*"),
        draw.statement({"AWS": draw.iam(f"role/{draw.name()}")}, action="lambda:DeleteFunction"),
        draw.statement({"AWS": draw.iam("root", "777777777777")}, action="lambda:InvokeFunction"),
    )
    return {**statement, "Effect": "Deny"}


def perimeter(draw: Sampler) -> Statement:
    """Return a Deny for everyone outside, as in AWS's data perimeters: it takes back what others are granted."""
    statement = draw.statement(
        "*",
        draw.condition("StringNotEqualsIfExists", "aws:PrincipalOrgID", OWN_ORGANIZATION),
        {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}},
        {"StringNotEquals": {"aws:PrincipalAccount": list(TRUSTED)}},
        action="lambda:*",
    )
    return {**statement, "Effect": "Deny"}


def _deny(draw: Sampler) -> list[Statement]:
    return [deny(draw)]


def _open_but_for_a_deny(draw: Sampler) -> list[Statement]:
    """Return an Allow for everyone, and a Deny for everyone but one's own: what people do with PutResourcePolicy."""
    action = "lambda:InvokeFunction"
    condition = draw.condition("StringNotEquals", "aws:PrincipalOrgID", OWN_ORGANIZATION)
    return [
        draw.statement("*", action=action),
        {**draw.statement("*", condition, action=draw.pick(action, "lambda:*")), "Effect": "Deny"},
    ]


def _outsider_but_for_a_deny(draw: Sampler) -> list[Statement]:
    """Return a grant to another account, and a perimeter that denies it."""
    outsider = draw.iam(f"role/{draw.name()}", draw.pick(*FOREIGN))
    return [draw.statement({"AWS": outsider}, action="lambda:InvokeFunction"), perimeter(draw)]


def _denied_in_an_emergency(draw: Sampler) -> list[Statement]:
    """Return grants to anyone, and a Deny that stops them all in an emergency."""
    stop = {**draw.statement("*", action=draw.pick("lambda:*", "*", "lambda:Invoke*")), "Effect": "Deny"}
    invoke = "lambda:InvokeFunction"
    return [draw.statement("*", action=invoke), draw.for_service("s3.amazonaws.com", action=invoke), stop]


_OTHERS: Final[Sequence[Callable[[Sampler], list[Statement]]]] = (
    _account_or_role,
    _account_or_role,
    _by_url,
    _everyone_of,
    _everyone_of,
    _own_readers,
    _skill,
    _edge,
    _several_services,
    _deny,
)

ONLY_BY_THEMSELVES: Final = (_open_but_for_a_deny, _outsider_but_for_a_deny, _denied_in_an_emergency)
"""Statements whose Deny holds for whatever else there is: a policy has them alone."""
