"""Compaction: fewer statements that allow exactly the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from permission_guard.fixes.certificate import compact
from permission_guard.iam import parse_policy
from permission_guard.iam.compaction import compacted

JSON = Any

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:orders"
MOST_BYTES = 20_480


def statement(sid: str, arn: JSON = "", account: JSON = "", **more: JSON) -> JSON:
    """Return a statement as AddPermission writes it."""
    condition = {
        **({"ArnLike": {"AWS:SourceArn": arn}} if arn else {}),
        **({"StringEquals": {"AWS:SourceAccount": account}} if account else {}),
    }
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        **({"Condition": condition} if condition else {}),
        **more,
    }


def api(path: str) -> str:
    """Return the ARN of a method of an API."""
    return f"arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/{path}"


def size(document: JSON) -> int:
    """Return the size of a policy in bytes, as AWS counts it."""
    return len(json.dumps(document, separators=(",", ":")).encode())


def policy(*statements: JSON) -> JSON:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}


DENY = {"Sid": "d", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": FUNCTION}
S3 = {"Principal": {"Service": "s3.amazonaws.com"}}

EXAMPLES: dict[str, tuple[list[JSON], list[JSON]]] = {
    "sources": ([statement("1", api("a")), statement("2", api("b"))], [statement("1", [api("a"), api("b")])]),
    "lists": (
        [statement("1", [api("a"), api("b")]), statement("2", [api("b"), api("c")])],
        [statement("1", [api("a"), api("b"), api("c")])],
    ),
    "copies": ([statement("1", api("a")), statement("2", api("a"))], [statement("1", api("a"))]),
    "covered": ([statement("1", api("a")), statement("2", api("*")), DENY], [statement("2", api("*")), DENY]),
    "covered by one without conditions": ([statement("1", api("a")), statement("2")], [statement("2")]),
    "covered by two together": (
        [
            statement("1", Condition={"Null": {"aws:SourceArn": "true"}}),
            statement("2", Condition={"Null": {"aws:SourceArn": "false"}}),
            statement("3", api("a")),
        ],
        [
            statement("1", Condition={"Null": {"aws:SourceArn": "true"}}),
            statement("2", Condition={"Null": {"aws:SourceArn": "false"}}),
        ],
    ),
    "a square": (
        [statement(f"{a}{b}", api(a), b) for a in "xy" for b in ("1", "2")],
        [statement("x1", [api("x"), api("y")], ["1", "2"])],
    ),
    "no square": (
        [statement("1", api("x"), "1"), statement("2", api("y"), "2")],
        [statement("1", api("x"), "1"), statement("2", api("y"), "2")],
    ),
    "principals": (
        [statement("1", api("x")), statement("2", api("x"), **S3)],
        [statement("1", api("x"), Principal={"Service": ["apigateway.amazonaws.com", "s3.amazonaws.com"]})],
    ),
    "not across principals": (
        [statement("1", api("x")), statement("2", api("y"), **S3)],
        [statement("1", api("x")), statement("2", api("y"), **S3)],
    ),
    "actions": (
        [statement("1", Action="lambda:InvokeFunction"), statement("2", Action="lambda:InvokeFunctionUrl")],
        [statement("1", Action=["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"])],
    ),
    "resources": (
        [statement("1"), statement("2", Resource=f"{FUNCTION}:*")],
        [statement("1", Resource=[FUNCTION, f"{FUNCTION}:*"])],
    ),
    "keys in any case": (
        [statement("1", api("a")), statement("2", Condition={"ArnLike": {"aws:sourcearn": api("b")}})],
        [statement("1", [api("a"), api("b")])],
    ),
    "negated": (
        [statement(name, Condition={"StringNotEquals": {"k": name}}) for name in "ab"],
        [statement(name, Condition={"StringNotEquals": {"k": name}}) for name in "ab"],
    ),
    "for all values": (
        [statement(name, Condition={"ForAllValues:StringEquals": {"k": name}}) for name in "ab"],
        [statement(name, Condition={"ForAllValues:StringEquals": {"k": name}}) for name in "ab"],
    ),
    "variables": (
        [statement(name, Condition={"StringEquals": {"k": "${aws:x}", "l": name}}) for name in "ab"],
        [statement("a", Condition={"StringEquals": {"k": "${aws:x}", "l": ["a", "b"]}})],
    ),
    "denies": ([DENY, {**DENY, "Sid": "e"}, statement("1")], [DENY, {**DENY, "Sid": "e"}, statement("1")]),
    "malformed": ([{**statement("1"), "Extra": 1}] * 2, [{**statement("1"), "Extra": 1}] * 2),
    "a key twice": (
        [statement(name, Condition={"StringEquals": {"k": name, "K": [name, "c"]}}) for name in "ab"],
        [statement(name, Condition={"StringEquals": {"k": name, "K": [name, "c"]}}) for name in "ab"],
    ),
    "without a Sid": (
        [{**statement("1", api("a")), "Sid": ""}, statement("2", api("b"))],
        [statement("2", [api("a"), api("b")])],
    ),
}


@pytest.mark.parametrize(("before", "after"), EXAMPLES.values(), ids=EXAMPLES)
def test_statements_are_merged_or_kept(before: list[JSON], after: list[JSON]) -> None:
    """A merged statement has the Sid and the place of its first one. The document is not changed."""
    given = json.dumps(policy(*before))
    document = json.loads(given)
    assert sorted(map(json.dumps, compacted(document)["Statement"])) == sorted(map(json.dumps, after))
    assert json.dumps(document) == given
    assert compacted(compacted(document)) == compacted(document)


@pytest.mark.parametrize(("before", "after"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_same_is_allowed(before: list[JSON], after: list[JSON]) -> None:
    """As the certificate decides it; statements that it compares by their text only are not merged values."""
    found = compact(parse_policy(policy(*before)), (), parse_policy(compacted(policy(*before))))
    assert found.holds or "${" in str(before), found.grounds


def test_a_policy_that_cannot_be_read_stays() -> None:
    """And so does one with a single statement."""
    assert compacted({"Statement": "x"}) == {"Statement": "x"}
    one = {"Version": "2012-10-17", "Statement": statement("1")}
    assert compacted(one) == one


def test_a_full_policy_takes_ten_more_permissions() -> None:
    """Sixty rules of one API have 20,300 bytes: together they are a fraction of it."""
    rules = [statement(f"api-rule-{number:02}", api(f"*/GET/{'orders/' * 5}{number:02}")) for number in range(60)]
    full = policy(*rules)
    rules[-1]["Sid"] += "x" * (20_300 - size(full))
    assert size(full) == 20_300
    more = [statement(f"another-{number}", api(f"*/POST/{number}"), "123456789012") for number in range(10)]
    assert size(policy(*rules, *more)) > MOST_BYTES
    new = compacted(full)
    assert size(new) < 9_000
    assert size(policy(*new["Statement"], *more)) < MOST_BYTES - 8_000
    assert compact(parse_policy(full), (), parse_policy(new)).holds
