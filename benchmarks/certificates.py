"""Measure the certificates of full policies: `python -m benchmarks.certificates`. Each may take 200 ms of CPU time.

The policies have nearly the 20,480 bytes that Lambda accepts: the rules of one API, statements that have nothing in
common, patterns of many wildcards that overlap each other, and lists of many keys that differ in one value.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "permission_guard"))

from permission_guard.fixes.certificate import Call, Certificate, add, compact, narrow, remove
from permission_guard.iam import Policy, parse_policy
from permission_guard.iam.compaction import compacted

if TYPE_CHECKING:
    from collections.abc import Callable

    JSON = Any

MOST_MILLISECONDS: Final = 200
MOST_BYTES: Final = 20_480
ACCOUNT: Final = "123456789012"
FUNCTION: Final = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders"
ROUNDS: Final = 3
STEPS: Final = 10


def statement(number: int, path: str, account: str, service: str = "apigateway") -> JSON:
    """Return a statement as AddPermission writes it."""
    return {
        "Sid": f"statement-{number:02}",
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {
            "ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3d4e5/{path}"},
            "StringEquals": {"AWS:SourceAccount": account},
        },
    }


def listed(one: JSON, number: int) -> JSON:
    """Return a statement that also requires one of some values for each of ten keys."""
    keys = {f"aws:RequestTag/{key}": [str(number), "x"] for key in range(10)}
    return {**one, "Condition": {**one["Condition"], "StringLike": keys}}


POLICIES: Final[dict[str, Callable[[int], JSON]]] = {
    "one API": lambda number: statement(number, f"*/GET/orders/{number:02}", ACCOUNT),
    "different": lambda number: statement(number, f"*/GET/{number:02}", f"{number:012}", f"service-{number}"),
    "lists": lambda number: listed(statement(number, f"*/GET/{number:02}", ACCOUNT), number),
    "wildcards": lambda number: statement(number, f"*/*{number}*/{'o?' * (number % 20)}*x", ACCOUNT),
}


def full(make: Callable[[int], JSON]) -> list[JSON]:
    """Return as many statements as one policy has room for."""
    statements: list[JSON] = []
    while len(json.dumps(policy_of([*statements, make(len(statements))]), separators=(",", ":"))) <= MOST_BYTES:
        statements.append(make(len(statements)))
    return statements


def policy_of(statements: list[JSON]) -> JSON:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": statements}


def certificates(statements: list[JSON]) -> dict[str, Callable[[], Certificate]]:
    """Return what certifies each kind of plan, the policies parsed anew each time."""
    broad = {**{name: value for name, value in statements[0].items() if name != "Condition"}, "Principal": "*"}
    wider = {**broad, "Sid": "broad"}
    new = compacted(policy_of(statements))
    calls = [
        Call(
            principal=one["Principal"]["Service"],
            function_arn=FUNCTION,
            source_arn=one["Condition"]["ArnLike"]["AWS:SourceArn"],
            source_account=one["Condition"]["StringEquals"]["AWS:SourceAccount"],
        )
        for one in statements
    ]
    few = statements[:STEPS]

    def policy(*some: JSON) -> Policy:
        return parse_policy(policy_of(list(some)))

    def steps() -> list[Policy]:
        return [policy(wider, *few[:count], *statements[STEPS:-2]) for count in range(1, STEPS + 1)]

    return {
        "narrow to all": lambda: narrow(policy(wider), [policy(wider, *statements)], policy(*statements), calls),
        f"narrow in {STEPS + 1} calls": lambda: narrow(
            policy(wider, *statements[STEPS:-2]), steps(), policy(*statements[:-2]), calls[:STEPS]
        ),
        "compact": lambda: compact(policy(*statements), (), parse_policy(new), calls),
        "not the same": lambda: compact(policy(*statements), (), policy(wider), calls),
        "remove": lambda: remove(policy(*statements), (), policy(*statements[1:])),
        "add": lambda: add(policy(*statements[1:]), policy(*statements), statements[:1]),
    }


def main() -> int:
    """Print the milliseconds of each; 1 if one takes too long."""
    slowest = 0.0
    print(f"{'policy':<12}{'statements':>11}  {'certificate':<20}{'holds':>6}{'ms':>8}")
    for name, make in POLICIES.items():
        statements = full(make)
        for kind, certify in certificates(statements).items():
            times = []
            for _ in range(ROUNDS):
                started = time.process_time()
                found = certify()
                times.append(1000 * (time.process_time() - started))
            slowest = max(slowest, min(times))
            print(f"{name:<12}{len(statements):>11}  {kind:<20}{'yes' if found.holds else 'no':>6}{min(times):>8.1f}")
    print(f"\nthe slowest: {slowest:.0f} ms, at most {MOST_MILLISECONDS} ms")
    return int(slowest > MOST_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
