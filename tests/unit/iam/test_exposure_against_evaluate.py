"""The exposure of a policy covers every request that `evaluate()` allows."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from permission_guard.iam import (
    ABSENT,
    Context,
    PolicySet,
    Principal,
    Request,
    TrustSet,
    evaluate,
    exposure,
    parse_policy,
)
from permission_guard.iam.restrictions import Restriction

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON = Any

OWN, TRUSTED, FOREIGN, STRANGER = "123456789012", "111122223333", "999999999999", "123456789019"
TRUST = TrustSet(frozenset({OWN, TRUSTED}), frozenset({"o-own"}))
FUNCTION = f"arn:aws:lambda:us-east-1:{OWN}:function:f"
SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
ACCOUNTS = [OWN, TRUSTED, FOREIGN, STRANGER]
ACCOUNT_VALUES = [*ACCOUNTS, "12345678901?", "*", "1*", "1234", f"x{OWN}", "123456789018.5", "false"]
ARN_VALUES = [
    *(f"arn:aws:cloudwatch:us-east-1:{account}:t" for account in ACCOUNTS),
    f"arn:aws:cloudwatch:*:{OWN}:*",
    f"arn:aws:cloudwatch:us-east-1:{OWN}:*",
    "arn:aws:cloudwatch:us-east-1:12345678901?:t",
    "arn:aws:cloudwatch:*:*:t",
    f"arn:aws:sns:*:{OWN}:*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::b*",
    "arn:aws:sns:*",
    f"*:{OWN}:*",
]
OTHER_TYPES = ["NumericGreaterThan", "NumericLessThanEquals", "NumericEquals", "DateLessThan", "Bool", "BinaryEquals"]
ORGANIZATION_VALUES = ["o-own", "o-else", "o-*"]
OPERATORS = {
    "Account": (ACCOUNT_VALUES, ["StringEquals", "StringLike", "StringNotEquals", *OTHER_TYPES]),
    "Arn": (ARN_VALUES, ["ArnLike", "StringLike", "StringEquals", "ArnNotLike"]),
    "OrgID": (ORGANIZATION_VALUES, ["StringEquals", "StringLike", "StringNotEquals"]),
}
ALL = parse_policy({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


class Caller(NamedTuple):
    """A request, with the account and organization of its caller."""

    account: str
    organization: str
    request: Request


def services() -> Iterator[Caller]:
    """Yield requests of a service for sources of every account, with each key present or absent."""
    for account, organization in zip(ACCOUNTS, ["o-own", "o-own", "o-else", ""], strict=True):
        arns = [
            f"arn:aws:cloudwatch:us-east-1:{account}:t",
            f"arn:aws:cloudwatch:us-east-1:{account}:x:{OWN}:t",
            f"arn:aws:sns:us-east-1:{account}:t",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bother",
            None,
        ]
        for arn, named in product(arns, [account, None]):
            known = {"aws:SourceAccount": named, "aws:SourceArn": arn, "aws:SourceOrgID": organization or None}
            context = Context(known, default=ABSENT)
            request = Request(Principal.service(SERVICE), "lambda:InvokeFunction", FUNCTION, context)
            yield Caller(account, organization, request)


def roles() -> Iterator[Caller]:
    """Yield requests of roles of every account."""
    for account, organization in zip(ACCOUNTS, ["o-own", "o-own", "o-else", ""], strict=True):
        role = Principal.role(f"arn:aws:iam::{account}:role/r")
        known = {
            "aws:PrincipalAccount": account,
            "aws:PrincipalArn": role.arn,
            "aws:PrincipalOrgID": organization or None,
        }
        request = Request(role, "lambda:InvokeFunction", FUNCTION, Context(known, default=ABSENT))
        yield Caller(account, organization, request)


CALLERS = {"Source": list(services()), "Principal": list(roles())}
PRINCIPALS = {
    "Source": [{"Service": SERVICE}, {"Service": SERVICE}, "*"],
    "Principal": ["*", "*", {"AWS": FOREIGN}, {"AWS": f"arn:aws:iam::{STRANGER}:role/r"}, {"AWS": [OWN]}],
}


def draw_condition(chance: random.Random, party: str) -> JSON:
    """Draw conditions on the account, ARN or organization of the source or the principal."""
    condition: JSON = {}
    for _ in range(chance.choice([0, 1, 1, 2, 2])):
        end = chance.choice(list(OPERATORS))
        values, operators = OPERATORS[end]
        name = chance.choice(["", "", "", "ForAllValues:", "ForAnyValue:"]) + chance.choice(operators)
        name += chance.choice(["", "", "", "IfExists"])
        condition.setdefault(name, {})[f"aws:{party}{end}"] = chance.sample(values, chance.randint(1, 2))
    if chance.random() < 0.2:
        condition["Null"] = {f"aws:{party}{chance.choice(list(OPERATORS))}": chance.choice(["true", "false"])}
    return condition


def draw_policy(chance: random.Random, party: str) -> JSON:
    """Draw an Allow for a service, for anyone or for an account, sometimes with a Deny."""
    base = {"Action": "lambda:InvokeFunction", "Resource": FUNCTION}
    principal = chance.choice(PRINCIPALS[party])
    allow = {"Effect": "Allow", "Principal": principal, "Condition": draw_condition(chance, party), **base}
    deny = {"Effect": "Deny", "Condition": draw_condition(chance, party), **base}
    if chance.random() < 0.2:
        deny["NotPrincipal"] = chance.choice([{"AWS": OWN}, {"AWS": [FOREIGN, OWN]}, {"Service": SERVICE}])
    else:
        deny["Principal"] = chance.choice(["*", {"Service": SERVICE}, {"AWS": FOREIGN}])
    return {"Version": "2012-10-17", "Statement": [allow, deny] if chance.random() < 0.4 else [allow]}


@pytest.mark.parametrize("party", CALLERS)
def test_the_exposure_covers_every_allowed_caller(party: str) -> None:
    """An allowed foreign caller is open, weak or named. A principal that never matches is never allowed."""
    chance = random.Random(20261120)  # noqa: S311 - no secret, a repeatable fuzz
    seen: Counter[str] = Counter()
    for _ in range(3000):
        document = draw_policy(chance, party)
        policy = parse_policy(document)
        (statement,) = exposure(policy, TRUST).statements
        (principal,) = statement.principals
        seen[principal.restriction] += 1
        for account, organization, request in CALLERS[party]:
            if not evaluate(request, PolicySet(identity=(ALL,), resource=policy)).allowed:
                continue
            if party == "Principal" and account == OWN:
                continue  # in its own account the identity policy is enough
            assert statement.closed_by is None, (document, request)
            assert principal.restriction is not Restriction.NEVER, (document, request)
            if account in TRUST.accounts or organization in TRUST.organizations:
                continue
            assert principal.restriction is not Restriction.HELD, (document, request)
            if principal.restriction is Restriction.FOREIGN:
                assert account in principal.accounts or organization in principal.organizations, (document, request)
    assert min(seen[restriction] for restriction in Restriction if restriction is not Restriction.WEAK) > 200, seen
