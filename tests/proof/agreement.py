"""The encoding and `evaluate` on random requests: two descriptions of one thing must agree."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import z3

from permission_guard.iam import Context, EvalDecision, PolicySet, Principal, Request, evaluate, parse_policy
from tests.proof.encoding import ANONYMOUS, ROLE, ROOT, SERVICE, USER, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = Any

SEED: Final = 16
PART: Final = 500
"""The requests of one part of the work."""
_EACH: Final = 20
"""The requests for each policy."""
ACCOUNT: Final = "123456789012"
OTHER: Final = "111122223333"
FUNCTION: Final = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders"
SERVICES: Final = ("s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com")
ARNS: Final = (
    "arn:aws:s3:::uploads",
    "arn:aws:s3:::uploads-2",
    f"arn:aws:sns:us-east-1:{ACCOUNT}:news",
    f"arn:aws:sns:eu-west-1:{OTHER}:news",
    f"arn:aws:events:us-east-1:{ACCOUNT}:rule/a/b",
    "x",
)
_TEXTS: Final = (*ARNS, "arn:aws:s3:::*", "arn:aws:*:*:*:n?ws", f"arn:*:{ACCOUNT}:*", "*", "X", "arn:aws:s3:::upload?")
_ARN_PATTERNS: Final = (
    *ARNS[:5],
    "arn:aws:s3:::*",
    "arn:aws:*:*:*:n?ws",
    "arn:*:*:*:*:*",
    f"arn:aws:sns:*:{ACCOUNT}:*",
)
_STRING: Final = ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
_ARN: Final = ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")
_TYPED: Final = {
    "number": (
        ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"),
        ("5", "7.5", "-1"),
    ),
    "date": (("DateEquals", "DateLessThan", "DateGreaterThanEquals", "DateNotEquals"), ("2026-01-01", "2027-06-01")),
    "address": (("IpAddress", "NotIpAddress"), ("10.0.0.0/8", "10.1.0.0/16", "192.168.1.1")),
}
_SENT: Final = {
    "number": ("5", "6", "-2", "7.5", "x"),
    "date": ("2025-01-01", "2026-01-01", "2026-07-01T10:00:00Z", "x"),
    "address": ("10.1.2.3", "10.2.2.2", "192.168.1.1", "8.8.8.8", "x"),
}
_PRINCIPALS: Final[tuple[JSON, ...]] = (
    "*",
    {"AWS": "*"},
    *({"Service": service} for service in SERVICES),
    {"Service": list(SERVICES[:2])},
    {"AWS": ACCOUNT},
    {"AWS": [f"arn:aws:iam::{OTHER}:root", f"arn:aws:iam::{ACCOUNT}:role/a"]},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:user/b"},
    {"AWS": f"arn:aws:iam::{OTHER}:role/a", "Service": SERVICES[0]},
)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many requests were compared and how many of them are allowed, and on which the two disagree."""

    requests: int
    allowed: int
    disagreements: tuple[str, ...]


def parts(requests: int) -> list[int]:
    """Return the numbers of the parts that together have so many requests."""
    return list(range(-(-requests // PART)))


def compared(part: int) -> Compared:
    """Compare the requests of one part."""
    chance = random.Random(f"{SEED}-{part}")
    allowed = 0
    disagreements = []
    for _ in range(PART // _EACH):
        document = _policy(chance)
        policy = parse_policy(document)
        encoding = Encoding([document], ACCOUNT)
        formula = encoding.allowed(document)
        for _ in range(_EACH):
            values = _request(chance)
            found = evaluate(_as_request(values), PolicySet(identity=_identity(values), resource=policy))
            expected = found.decision is EvalDecision.ALLOWED
            result = z3.simplify(z3.substitute(formula, *encoding.request(values)))
            allowed += expected
            agrees = z3.is_true(result) if expected else z3.is_false(result)
            if not agrees or found.decision is EvalDecision.CONDITIONAL:
                disagreements.append(f"the encoding says {result}, evaluate {found.decision}: {document} {values}")
    return Compared(PART, allowed, tuple(disagreements))


def _policy(chance: random.Random) -> JSON:
    statements = []
    for _ in range(chance.choice((1, 2, 2, 3))):
        statement: JSON = {
            "Effect": "Deny" if chance.random() < 0.2 else "Allow",
            "Principal": chance.choice(_PRINCIPALS),
            "Action": chance.choice(["lambda:*", "lambda:InvokeFunction", "lambda:Invoke*", "*", ["lambda:GetPolicy"]]),
            "Resource": chance.choice([FUNCTION, FUNCTION, f"{FUNCTION}:*", f"{FUNCTION}*", "*"]),
        }
        if chance.random() < 0.2:
            statement["NotAction"] = statement.pop("Action")
            statement["NotAction"] = "lambda:Get*"
        for _ in range(chance.choice((0, 1, 1, 2))):
            operator, key, values = _condition(chance)
            statement.setdefault("Condition", {}).setdefault(operator, {})[key] = values
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _condition(chance: random.Random) -> tuple[str, str, JSON]:
    key = chance.choice(["aws:SourceArn", "AWS:sourcearn", "aws:PrincipalOrgPaths"])
    kind = chance.random()
    if kind < 0.1:
        return "Null", key, chance.choice(["true", "false"])
    if kind < 0.3:
        name = chance.choice([*_TYPED])
        operators, values = _TYPED[name]
        return (
            chance.choice(operators) + chance.choice(("", "IfExists")),
            f"aws:{name}",
            list(values[: chance.choice((1, 2))]),
        )
    if kind < 0.4:
        return "Bool", "aws:SecureTransport", chance.choice(["true", "false", True])
    operators, texts = chance.choice([(_STRING, _TEXTS), (_ARN, _ARN_PATTERNS)])
    qualifier = chance.choice(("", "", "ForAllValues:", "ForAnyValue:"))
    suffix = chance.choice(("", "", "IfExists")) if qualifier != "ForAnyValue:" else ""
    return f"{qualifier}{chance.choice(operators)}{suffix}", key, chance.sample(texts, chance.choice((1, 1, 2)))


def _request(chance: random.Random) -> JSON:
    kind = chance.choice((SERVICE, SERVICE, SERVICE, ROOT, ROLE, USER, ANONYMOUS))
    account = chance.choice((ACCOUNT, OTHER)) if kind in {ROOT, ROLE, USER} else ""
    callers = {
        SERVICE: chance.choice(SERVICES),
        ROOT: f"arn:aws:iam::{account}:root",
        ROLE: f"arn:aws:iam::{account}:role/{chance.choice('ab')}",
        USER: f"arn:aws:iam::{account}:user/{chance.choice('ab')}",
        ANONYMOUS: "",
    }
    context: dict[str, JSON] = {
        key: chance.choice(
            [chance.choice(ARNS), chance.choice(ARNS), chance.sample(ARNS, chance.choice((0, 1, 2))), None]
        )
        for key in ("aws:sourcearn", "aws:principalorgpaths")
    }
    context |= {f"aws:{name}": chance.choice([*values, None]) for name, values in _SENT.items()}
    context["aws:securetransport"] = chance.choice(["true", "false", "True", None])
    return {
        "kind": kind,
        "caller": callers[kind],
        "account": account,
        "own_side": chance.random() < 0.5 and kind in {ROLE, USER},
        "action": chance.choice(
            ["lambda:InvokeFunction", "lambda:invokefunctionurl", "lambda:GetPolicy", "sqs:SendMessage"]
        ),
        "resource": chance.choice([FUNCTION, FUNCTION, f"{FUNCTION}:live", f"{FUNCTION}s"]),
        "context": context,
    }


def _as_request(values: JSON) -> Request:
    makers: dict[int, Callable[[str], Principal]] = {
        SERVICE: Principal.service,
        ROOT: lambda _: Principal.root(values["account"]),
        ROLE: Principal.role,
        USER: Principal.from_arn,
        ANONYMOUS: lambda _: Principal.anonymous(),
    }
    known = {key: value for key, value in values["context"].items() if value is not None}
    absent = [key for key, value in values["context"].items() if value is None]
    caller = makers[values["kind"]](values["caller"])
    return Request(caller, values["action"], values["resource"], Context(known, absent=absent))


def _identity(values: JSON) -> tuple[Any, ...]:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return (parse_policy({"Version": "2012-10-17", "Statement": [everything]}),) if values["own_side"] else ()
