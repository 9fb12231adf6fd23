"""The exposure of a policy against the decisions on actual requests: nobody gets in who was not foretold."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

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
from permission_guard.iam.exposure import Hold

JSON = Any

OWN, TRUSTED, FOREIGN, STRANGER = "123456789012", "111122223333", "999999999999", "123456789019"
TRUST = TrustSet(frozenset({OWN, TRUSTED}), frozenset({"o-own"}))
FUNCTION = f"arn:aws:lambda:us-east-1:{OWN}:function:f"
SERVICE = "sns.amazonaws.com"
ACCOUNTS = [OWN, TRUSTED, FOREIGN, STRANGER]
ACCOUNT_VALUES = [*ACCOUNTS, "12345678901?", "*", "1*", "1234", f"x{OWN}"]
ARN_VALUES = [
    *(f"arn:aws:sns:us-east-1:{account}:t" for account in ACCOUNTS),
    f"arn:aws:sns:*:{OWN}:*",
    f"arn:aws:sns:us-east-1:{OWN}:*",
    "arn:aws:sns:us-east-1:12345678901?:t",
    "arn:aws:sns:*:*:t",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::b*",
    "arn:aws:sns:*",
    f"*:{OWN}:*",
]
ORGANIZATION_VALUES = ["o-own", "o-else", "o-*"]
KEYS = {
    "aws:SourceAccount": (ACCOUNT_VALUES, ["StringEquals", "StringLike", "StringNotEquals"]),
    "aws:SourceArn": (ARN_VALUES, ["ArnLike", "StringLike", "StringEquals", "ArnNotLike"]),
    "aws:SourceOrgID": (ORGANIZATION_VALUES, ["StringEquals", "StringLike", "StringNotEquals"]),
}


def callers() -> list[tuple[str, str, JSON]]:
    """Return requests of a service: whose they are, of which organization, and what is known of them."""
    found = []
    for account, organization in zip(ACCOUNTS, ["o-own", "o-own", "o-else", ""], strict=True):
        arns = [
            f"arn:aws:sns:us-east-1:{account}:t",
            f"arn:aws:sns:us-east-1:{account}:x:{OWN}:t",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bother",
        ]
        for arn in [*arns, None]:
            known = {"aws:SourceAccount": account, "aws:SourceArn": arn, "aws:SourceOrgID": organization or None}
            found.append((account, organization, known))
            found.append((account, organization, {**known, "aws:SourceAccount": None}))
    return found


def draw_condition(chance: random.Random) -> JSON:
    """Draw a few conditions on whose the source is."""
    condition: JSON = {}
    for _ in range(chance.choice([0, 1, 1, 2, 2])):
        key = chance.choice(list(KEYS))
        values, operators = KEYS[key]
        name = chance.choice(["", "", "", "ForAllValues:", "ForAnyValue:"]) + chance.choice(operators)
        name += chance.choice(["", "", "", "IfExists"])
        condition.setdefault(name, {})[key] = chance.sample(values, chance.randint(1, 2))
    if chance.random() < 0.2:
        condition["Null"] = {chance.choice(list(KEYS)): chance.choice(["true", "false"])}
    return condition


def draw_policy(chance: random.Random) -> JSON:
    """Draw an Allow for a service or for anyone, now and then with a Deny."""
    base = {"Action": "lambda:InvokeFunction", "Resource": FUNCTION}
    principal = chance.choice([{"Service": SERVICE}, {"Service": SERVICE}, "*"])
    statements = [{"Effect": "Allow", "Principal": principal, "Condition": draw_condition(chance), **base}]
    if chance.random() < 0.4:
        denied = chance.choice(["*", {"Service": SERVICE}, {"AWS": FOREIGN}])
        statements.append({"Effect": "Deny", "Principal": denied, "Condition": draw_condition(chance), **base})
    return {"Version": "2012-10-17", "Statement": statements}


def test_whoever_gets_in_was_foretold() -> None:
    """A foreign request that is allowed is open, weak or named; a principal that never matches is never allowed."""
    chance = random.Random(20261120)  # noqa: S311 - no secret, a repeatable fuzz
    requests = [
        (account, organization, Request(Principal.service(SERVICE), "lambda:InvokeFunction", FUNCTION, context))
        for account, organization, known in callers()
        for context in [Context(known, default=ABSENT)]
    ]
    seen: Counter[str] = Counter()
    for _ in range(3000):
        document = draw_policy(chance)
        policy = parse_policy(document)
        (statement,) = exposure(policy, TRUST).statements
        (principal,) = statement.principals
        seen[principal.hold] += 1
        for account, organization, request in requests:
            if not evaluate(request, PolicySet(resource=policy)).allowed:
                continue
            assert statement.closed_by is None, (document, request)
            assert principal.hold is not Hold.NEVER, (document, request)
            if account in TRUST.accounts or organization in TRUST.organizations:
                continue
            assert principal.hold is not Hold.HELD, (document, request)
            if principal.hold is Hold.FOREIGN:
                assert account in principal.accounts or organization in principal.organizations, (document, request)
    assert min(seen[hold] for hold in Hold) > 50, seen
