"""The engine agrees with a second, simple engine on random policies."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from permission_guard.iam import ABSENT, Context, EvalDecision, PolicySet, Principal, Request, evaluate, parse_policy

from . import reference

JSON = Any

ROLE = "arn:aws:iam::123456789012:role/service-role/orders"
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
ACTIONS = ["sqs:ReceiveMessage", "s3:GetObject", "logs:PutLogEvents"]
ACTION_PATTERNS = [*ACTIONS, "*", "*:*", "sqs:*", "SQS:Receive*", "s3:?etObject", "s3:Get*", "logs:*Log*", "sns:*"]
RESOURCES = [
    "arn:aws:sqs:us-east-1:123456789012:orders",
    "arn:aws:s3:::media/ann/a:b.jpg",
    "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/x:log-stream:y",
    "arn:aws:sqs:us-east-1:999999999999:theirs",
    "*",
]
RESOURCE_PATTERNS = [
    *RESOURCES,
    "arn:aws:sqs:*",
    "arn:aws:sqs:*:123456789012:ord*",
    "arn:aws:sqs:*:orders",
    "arn:aws:*:*:*:*",
    "arn:aws:s3:::media/*",
    "arn:aws:s3:::media/${aws:PrincipalTag/name}/*",
    "arn:aws:s3:::media/${aws:PrincipalTag/nick, 'ann'}/?:b.jpg",
    "arn:aws:s3:::${*}/*",
    "arn:aws:logs:*:*:log-group:/aws/lambda/*",
    "arn:aws:logs:us-east-1:*:*:y",
    "arn:aws:s3",
]
VALUES: dict[str, list[JSON]] = {
    "aws:PrincipalTag/account": ["123456789012", "111122223333", "*"],
    "aws:PrincipalTag/name": ["ann", "bob", "*", "Ann", "a?n"],
    "aws:SourceArn": [TOPIC, "arn:aws:sqs:eu-west-1:111122223333:q", "topic", "arn:aws:sns:x:y:z:123456789012:topic"],
    "aws:TagKeys": [["a"], ["a", "b"], [], ["ann", "c"]],
    "aws:CurrentTime": ["2026-11-20T00:00:00+00:00", "2020-01-01T00:00:00+00:00"],
    "s3:max-keys": ["10", "7", "x"],
    "aws:SourceIp": ["203.0.113.7", "10.1.2.3", "2001:db8::7", "nowhere"],
    "aws:SecureTransport": ["true", "false"],
}
STRINGS = ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"]
STRINGS += ["StringNotEqualsIgnoreCase"]
ARNS = ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"]
ARN_PATTERNS = [TOPIC, "arn:aws:sns:*:*:*", "arn:aws:*:123456789012:topic", "arn:aws:s?s:*:1*:*", "*", "arn:*"]
ARN_PATTERNS += [
    "arn:aws:s?s:*:${aws:PrincipalTag/account}:*",
    "arn:aws:sns:us-east-1:${aws:nothing, '123456789012'}:${aws:PrincipalTag/name, 'topic'}",
    "arn:aws:sqs:*:${aws:nothing}:*",
]
TEXTS = [
    "ann",
    "bob",
    "*",
    "a*",
    "A*",
    "?nn",
    "${aws:PrincipalTag/name}",
    "${aws:TagKeys}",
    "${aws:nothing,'ann'}",
    "b",
]
NUMBERS = ["10", "7.0", "8"]
DATES = ["2026-11-20T00:00:00+00:00", "2025-01-01T00:00:00+00:00"]
NETWORKS = ["203.0.113.0/24", "10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "0.0.0.0/0"]
ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]

NO_LAYERS: dict[str, list[JSON] | None] = {"identity": [], "boundary": None, "session": None, "resource": None}


class Draw:
    """Draws policies and requests."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret, a repeatable fuzz

    def some(self, choices: list[Any], most: int = 2) -> JSON:
        """Draw one, or a list of some."""
        if self.chance.random() < 0.5:
            return self.chance.choice(choices)
        return self.chance.sample(choices, self.chance.randint(1, min(most, len(choices))))

    def condition(self) -> tuple[str, str, JSON]:
        """Draw an operator, a key and values that the operator can compare."""
        key = self.chance.choice(list(VALUES))
        spelled = self.chance.choice([key, key.upper(), key.lower()])
        if self.chance.random() < 0.1:
            return "Null", spelled, self.chance.choice(["true", "false", True, ["true", "false"]])
        operators, texts = STRINGS, TEXTS
        if key == "aws:SourceArn" and self.chance.random() < 0.7:
            operators, texts = ARNS, ARN_PATTERNS
        elif key == "s3:max-keys":
            operators, texts = [f"Numeric{order}" for order in ORDERS], NUMBERS
        elif key == "aws:CurrentTime":
            operators, texts = [f"Date{order}" for order in ORDERS], DATES
        elif key == "aws:SourceIp":
            operators, texts = ["IpAddress", "NotIpAddress"], NETWORKS
        elif key == "aws:SecureTransport":
            operators, texts = ["Bool"], ["true", "false"]
        qualifier = self.chance.choice(["", "", "ForAllValues:", "ForAnyValue:"])
        suffix = self.chance.choice(["", "", "IfExists"])
        return f"{qualifier}{self.chance.choice(operators)}{suffix}", spelled, self.some(texts)

    def statement(self, *, named: bool = False) -> JSON:
        """Draw a statement, with a principal if it is `named`."""
        statement: JSON = {"Effect": self.chance.choice(["Allow", "Allow", "Deny"])}
        statement[self.chance.choice(["Action", "Action", "Action", "NotAction"])] = self.some(ACTION_PATTERNS, 3)
        statement[self.chance.choice(["Resource", "Resource", "Resource", "NotResource"])] = self.some(
            ["*", *RESOURCE_PATTERNS], 3
        )
        if named:
            own = "123456789012"
            statement["Principal"] = self.chance.choice(
                ["*", {"AWS": own}, {"AWS": [f"arn:aws:iam::{own}:root"]}, {"AWS": ROLE}, {"AWS": "999999999999"}]
            )
        condition: JSON = {}
        for _ in range(self.chance.choice([0, 0, 1, 1, 2])):
            operator, key, values = self.condition()
            condition.setdefault(operator, {})[key] = values
        if condition:
            statement["Condition"] = condition
        return statement

    def statements(self, most: int, *, named: bool = False) -> list[JSON]:
        """Draw a few statements."""
        return [self.statement(named=named) for _ in range(self.chance.randint(1, most))]

    def context(self) -> JSON:
        """Draw the known keys. All other keys are absent."""
        return {key: self.chance.choice(values) for key, values in VALUES.items() if self.chance.random() < 0.6}


def test_decides_as_the_second_engine_does() -> None:
    """Both make the same decision on every request whose behavior AWS documents."""
    draw = Draw(20261120)
    seen: Counter[str] = Counter()
    for _ in range(10000):
        layers = {
            "identity": draw.statements(3),
            "boundary": draw.statements(2) if draw.chance.random() < 0.2 else None,
            "session": draw.statements(2) if draw.chance.random() < 0.1 else None,
            "resource": draw.statements(2, named=True) if draw.chance.random() < 0.4 else None,
        }
        levels = [draw.statements(3) for _ in range(draw.chance.choice([0, 0, 0, 0, 1, 2]))]
        version = draw.chance.choice(["2012-10-17"] * 4 + ["2008-10-17", ""])
        parsed: dict[str, Any] = {kind: layer and _parsed(layer, version) for kind, layer in layers.items()}
        context = draw.context()
        action, resource = draw.chance.choice(ACTIONS), draw.chance.choice(RESOURCES)
        request = Request(Principal.role(ROLE), action, resource, Context(context, default=ABSENT))
        policies = PolicySet(
            identity=(parsed["identity"],),
            boundary=parsed["boundary"],
            session=parsed["session"],
            resource=parsed["resource"],
            scps=[[_parsed(level, version)] for level in levels],
        )
        ours = evaluate(request, policies)
        known = {**context, "has variables": version == "2012-10-17"}
        plain = {"role": ROLE, "action": action, "resource": resource, "context": known}
        try:
            theirs = reference.decide(layers, levels, plain)
        except reference.Undocumented:
            seen["undocumented"] += 1
            continue
        seen[theirs] += 1
        assert ours.decision == theirs, (layers, levels, plain)
    assert ours.decision in EvalDecision
    assert min(seen.values()) > 500, seen


def test_compares_as_the_second_engine_does() -> None:
    """Only conditions, which the policies of the other test seldom reach."""
    draw = Draw(20261121)
    seen: Counter[str] = Counter()
    for _ in range(8000):
        operator, key, values = draw.condition()
        effect = draw.chance.choice(["Allow", "Deny"])
        statement = {"Effect": effect, "Action": "*", "Resource": "*", "Condition": {operator: {key: values}}}
        statements = [statement, {"Effect": "Allow", "Action": "*", "Resource": "*"}][: 1 if effect == "Allow" else 2]
        context = draw.context()
        version = draw.chance.choice(["2012-10-17"] * 4 + ["2008-10-17"])
        request = Request(Principal.role(ROLE), ACTIONS[0], RESOURCES[0], Context(context, default=ABSENT))
        ours = evaluate(request, PolicySet(identity=(_parsed(statements, version),)))
        known = {**context, "has variables": version == "2012-10-17"}
        plain = {"role": ROLE, "action": ACTIONS[0], "resource": RESOURCES[0], "context": known}
        try:
            theirs = reference.decide({**NO_LAYERS, "identity": statements}, [], plain)
        except reference.Undocumented:
            seen["undocumented"] += 1
            continue
        seen[theirs] += 1
        assert ours.decision == theirs, (statements, plain)
    assert min(seen.values()) > 200, seen


def _parsed(statements: list[JSON], version: str) -> Any:
    return parse_policy({**({"Version": version} if version else {}), "Statement": statements})
