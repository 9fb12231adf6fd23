"""Properties of every policy and request, and malformed and hostile inputs."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from permission_guard.iam import (
    ABSENT,
    UNKNOWN,
    Context,
    Decision,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    TrustSet,
    evaluate,
    exposure,
    parse_policy,
)
from permission_guard.iam.glob import compile_glob
from permission_guard.iam.scoping import SCOPING_KEYS

JSON = Any

ROLE = Principal.role("arn:aws:iam::123456789012:role/service-role/orders")
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
law = settings(max_examples=200, deadline=None, derandomize=True, database=None)
"""The examples are the same in every run, however slow the machine is."""
DENIED = {EvalDecision.IMPLICIT_DENY, EvalDecision.EXPLICIT_DENY}
KEYS = ["aws:PrincipalTag/a", "aws:PrincipalTag/b", "aws:SourceArn", "aws:TagKeys"]
VALUES = ["x", "y", "*", "x*", "${aws:PrincipalTag/a}", "arn:aws:sns:us-east-1:123456789012:t", "10", "2026-01-01", ""]
OPERATORS = [
    f"{qualifier}{operator}{suffix}"
    for qualifier in ("", "ForAllValues:", "ForAnyValue:")
    for operator in (
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "ArnLike",
        "ArnNotEquals",
        "NumericLessThan",
        "DateGreaterThan",
        "Bool",
        "NotIpAddress",
    )
    for suffix in ("", "IfExists")
] + ["Null"]

conditions = st.dictionaries(
    st.sampled_from(OPERATORS),
    st.dictionaries(
        st.sampled_from(KEYS),
        st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), min_size=1, max_size=3)),
        min_size=1,
        max_size=2,
    ),
    max_size=2,
)
actions = st.sampled_from(["*", "sqs:*", "sqs:Receive*", "SQS:receivemessage", "s3:*", "sqs:Send?essage", "sqs:"])
resources = st.sampled_from(
    ["*", QUEUE, "arn:aws:sqs:*", "arn:aws:sqs:*:orders", "arn:aws:sqs", "arn:aws:sqs:*:*:${aws:PrincipalTag/a}", "x"]
)
principals = st.sampled_from(
    ["*", {"AWS": "123456789012"}, {"AWS": ROLE.arn}, {"AWS": "arn:aws:iam::999999999999:root"}, {"AWS": "AROAX"}]
)


@st.composite
def statements(draw: st.DrawFn, effect: str | None = None, *, named: bool = False) -> JSON:
    """Draw a statement, sometimes with NotAction, NotResource or NotPrincipal."""
    statement: JSON = {"Effect": effect or draw(st.sampled_from(["Allow", "Deny"]))}
    statement[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(
        st.lists(actions, min_size=1, max_size=2)
    )
    resource = draw(st.sampled_from(["Resource", "Resource", "NotResource"]))
    statement[resource] = draw(st.lists(resources, min_size=1, max_size=2))
    condition = draw(conditions)
    if condition:
        statement["Condition"] = condition
    if named:
        statement[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(principals)
    return statement


def document(items: list[JSON]) -> JSON:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": items}


known_values = st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), max_size=2))
contexts = st.dictionaries(st.sampled_from(KEYS), st.one_of(known_values, st.just(ABSENT), st.just(UNKNOWN)))


def context_of(drawn: JSON) -> Context:
    """Return a context of drawn keys: each has a value, is absent or is unknown. All other keys are unknown."""
    return Context(
        {key: value for key, value in drawn.items() if value not in (ABSENT, UNKNOWN)},
        absent=[key for key, value in drawn.items() if value is ABSENT],
    )


def decide(identity: list[JSON], context: JSON, resource: list[JSON] | None = None, **more: JSON) -> Decision:
    """Evaluate whether the role is allowed to receive messages."""
    return evaluate(
        Request(ROLE, "sqs:ReceiveMessage", QUEUE, context_of(context)),
        PolicySet(
            identity=(parse_policy(document(identity)),),
            resource=parse_policy(document(resource)) if resource is not None else None,
            **more,
        ),
    )


@law
@given(st.lists(statements(), max_size=4), st.lists(statements(named=True), max_size=2), contexts, st.data())
def test_adding_an_allow_never_denies(items: list[JSON], own: list[JSON], context: JSON, data: st.DataObject) -> None:
    """Another Allow, on either side, never changes ALLOWED."""
    if decide(items, context, own).allowed:
        more = data.draw(statements("Allow"))
        other = data.draw(statements("Allow", named=True))
        assert decide([*items, more], context, own).allowed
        assert decide(items, context, [*own, other]).allowed


@law
@given(st.lists(statements(), max_size=4), st.lists(statements(named=True), max_size=2), contexts, st.data())
def test_adding_a_deny_never_grants(items: list[JSON], own: list[JSON], context: JSON, data: st.DataObject) -> None:
    """Another Deny, on either side, never changes a denied or conditional request to ALLOWED."""
    before = decide(items, context, own).decision
    more = data.draw(statements("Deny"))
    other = data.draw(statements("Deny", named=True))
    for after in (decide([*items, more], context, own).decision, decide(items, context, [*own, other]).decision):
        if before in DENIED:
            assert after in DENIED
        if before is EvalDecision.EXPLICIT_DENY:
            assert after is EvalDecision.EXPLICIT_DENY
        assert before is EvalDecision.ALLOWED or after is not EvalDecision.ALLOWED


@law
@given(st.lists(statements(), max_size=4), contexts, st.randoms(use_true_random=False))
def test_order_never_matters(items: list[JSON], context: JSON, chance: random.Random) -> None:
    """Neither the order of the statements, nor the order of the values in a list."""
    shuffled = json.loads(json.dumps(items))
    chance.shuffle(shuffled)
    for item in shuffled:
        lists = [value for value in item.values() if isinstance(value, list)]
        lists += [
            values
            for keys in item.get("Condition", {}).values()
            for values in keys.values()
            if isinstance(values, list)
        ]
        for values in lists:
            chance.shuffle(values)
    assert decide(shuffled, context).decision == decide(items, context).decision


@law
@given(st.lists(statements(), max_size=4), contexts)
def test_the_case_of_keys_never_matters(items: list[JSON], context: JSON) -> None:
    """For condition keys, in the policy and in the request, and for actions."""
    upper = json.loads(json.dumps(items))
    for item in upper:
        if "Condition" in item:
            item["Condition"] = {
                operator: {key.upper(): values for key, values in keys.items()}
                for operator, keys in item["Condition"].items()
            }
        for element in {"Action", "NotAction"} & set(item):
            item[element] = [text.upper() for text in item[element]]
    assert decide(upper, context).decision == decide(items, context).decision
    lower = {key.lower(): value for key, value in context.items()}
    assert decide(items, lower).decision == decide(items, context).decision


@law
@given(
    st.lists(statements(), max_size=4),
    st.lists(statements(named=True), max_size=2),
    contexts,
    st.dictionaries(st.sampled_from(KEYS), st.one_of(known_values, st.just(ABSENT))),
)
def test_more_known_keys_never_change_a_definite_result(
    items: list[JSON], own: list[JSON], context: JSON, learned: JSON
) -> None:
    """A result that does not depend on unknown keys stays the same for every value of them."""
    before = decide(items, context, own)
    more = {**learned, **{key: value for key, value in context.items() if value is not UNKNOWN}}
    after = decide(items, more, own)
    if before.allowed:
        assert after.allowed
    if before.denied:
        assert after.denied
    if before.decision is EvalDecision.EXPLICIT_DENY:
        assert after.decision is EvalDecision.EXPLICIT_DENY


@law
@given(st.lists(statements(), min_size=1, max_size=3), contexts)
def test_an_unread_policy_leaves_only_what_it_cannot_change(items: list[JSON], context: JSON) -> None:
    """With an unread policy, only an explicit deny stays, and every other result is conditional."""
    before = decide(items, context).decision
    after = decide(items, context, unread=("p",)).decision
    assert after is (before if before is EvalDecision.EXPLICIT_DENY else EvalDecision.CONDITIONAL)


@law
@given(st.lists(statements(), max_size=3), contexts)
def test_every_result_can_be_explained(items: list[JSON], context: JSON) -> None:
    """In one sentence, with the statement or the kind of policy on which the result depends."""
    decision = decide(items, context)
    assert decision.explain().endswith(".")
    assert "\n" not in decision.explain()
    match decision.decision:
        case EvalDecision.ALLOWED | EvalDecision.EXPLICIT_DENY:
            assert decision.statement is not None
        case EvalDecision.IMPLICIT_DENY:
            assert decision.blocked_by == "identity"
        case EvalDecision.CONDITIONAL:
            assert decision.statement is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.one_of(
                st.text(max_size=8), st.sampled_from(["Statement", "Effect", "Action", "Principal", "Condition"])
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
broken_statements = st.fixed_dictionaries(
    {},
    optional={
        element: st.one_of(json_values, st.just("*"), st.just("Allow"), st.just("Deny"))
        for element in ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition")
    },
)


def evaluate_and_expose(given_document: object) -> None:
    """Parse, evaluate and expose a document. An exception fails the test."""
    policy = parse_policy(given_document)
    decision = evaluate(
        Request(ROLE, "sqs:ReceiveMessage", QUEUE), PolicySet(identity=(policy,), boundary=policy, resource=policy)
    )
    found = exposure(policy, TrustSet(frozenset({"123456789012"})))
    assert decision.explain()
    assert isinstance(found.effectively_open, bool)
    if policy.unreadable:
        assert decision.decision is EvalDecision.CONDITIONAL


@law
@given(json_values)
def test_any_json_is_evaluated(value: JSON) -> None:
    """As an object, as text and as a statement of a policy."""
    evaluate_and_expose(value)
    evaluate_and_expose(json.dumps(value))
    evaluate_and_expose(document([value]))


@law
@given(st.lists(broken_statements, max_size=3))
def test_malformed_statements_are_evaluated(items: list[JSON]) -> None:
    """Elements of the wrong type, in every combination."""
    evaluate_and_expose(document(items))


@law
@given(st.binary(max_size=200))
def test_any_bytes_are_evaluated(data: bytes) -> None:
    """Even if they are not text."""
    evaluate_and_expose(data)


def test_random_documents_are_evaluated_in_bounded_time() -> None:
    """Five thousand corrupted policies take less than 15 seconds of CPU time."""
    chance = random.Random(20261120)  # noqa: S311 - no secret, a repeatable fuzz
    base = json.dumps(
        document(
            [
                {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:${aws:PrincipalTag/a, 'x'}"},
                {"Effect": "Deny", "NotAction": ["s3:*"], "Resource": "*", "Condition": {"Null": {"aws:a": True}}},
                {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Resource": "*"},
            ]
        )
    )
    alphabet = base + "*?${}%\\\x00é𐐀"
    started = time.process_time()
    for _ in range(5000):
        text = list(base)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(text))
            text[place : place + chance.randrange(3)] = chance.choice(alphabet)
        evaluate_and_expose("".join(text))
    assert time.process_time() - started < 15


def test_deep_nesting_is_evaluated() -> None:
    """A document that is nested too deeply for Python's parser is unreadable, and raises no error."""
    evaluate_and_expose("[" * 100_000)
    evaluate_and_expose('{"Statement":' * 50_000)


DIGITS = "9" * 5000
HOSTILE = [
    10**5000,
    -(10**5000),
    1e308,
    float("inf"),
    float("nan"),
    DIGITS,
    f"1e{DIGITS}",
    f"0.{DIGITS}",
    "1e999999999",
]
HOSTILE += [f"1.2.3.4/{DIGITS}", f"::/{DIGITS}", f"{DIGITS}.1.1.1", f"::{DIGITS}", f"1::{DIGITS}.2.3.4", "::1%9/128"]
HOSTILE += [f"{DIGITS}-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", f"-{DIGITS[:30]}", "-."]
HOSTILE += ["\ud800", "\x00", "${", "${}", "${*", "\u0663", "é" * 300, "*" * 5000, ":" * 5000, "A" * 5000, "====", ""]


def test_hostile_values_are_evaluated() -> None:
    """In every element, under every operator, and in the request: numbers, dates, addresses and texts of any size."""
    base = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    nested: list[object] = ["x"]
    for _ in range(900):
        nested = [nested]
    for value in [*HOSTILE, nested]:
        for element in ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "Resource", "NotResource", "Condition"):
            evaluate_and_expose(document([{**base, element: value}]))
            evaluate_and_expose(document([{**base, element: {"AWS": [value], "StringLike": {"aws:SourceArn": value}}}]))
        evaluate_and_expose({"Version": value, "Statement": [base], "Id": value})
        evaluate_and_expose(document([{**base, "Condition": {"StringLike": dict.fromkeys(SCOPING_KEYS, value)}}]))
    for operator in (
        *OPERATORS,
        "BinaryEquals",
        "IpAddress",
        "NumericEquals",
        "DateEquals",
        "DateNotEquals",
        "ArnLike",
    ):
        for value in HOSTILE:
            condition = {"aws:SourceIp": value, "aws:SourceAccount": value}
            items = [{**base, "Principal": "*", "Condition": {operator: condition}}]
            evaluate_and_expose(document(items))
            decide(items, {"aws:SourceIp": value, "aws:SourceAccount": [value]})


def test_hostile_texts_of_documents_are_evaluated() -> None:
    """Numbers that Python does not read, nesting up to its limit, and escapes that are not text."""
    for value in (
        DIGITS,
        f"-{DIGITS}",
        f"1e{DIGITS}",
        '"\\ud800"',
        "[" * 900 + "]" * 900,
        '{"a":' * 450 + "1" + "}" * 450,
    ):
        for element in ("Effect", "Principal", "Condition", "Action", "Sid"):
            text = f'{{"Statement": [{{"{element}": {value}, "Resource": "*"}}], "Version": {value}}}'
            evaluate_and_expose(text)
            evaluate_and_expose(text.replace("{", "%7B"))


@law
@given(st.text("ab*?:", max_size=12), st.text("ab:*", max_size=12))
def test_globs_match_by_their_definition(pattern: str, text: str) -> None:
    """The linear matcher agrees with a recursive definition."""

    def defined(left: str, right: str) -> bool:
        if not left:
            return not right
        if left[0] == "*":
            return defined(left[1:], right) or (bool(right) and defined(left, right[1:]))
        return bool(right) and left[0] in ("?", right[0]) and defined(left[1:], right[1:])

    assert compile_glob(pattern).matches(text) == defined(pattern, text)


def test_hostile_globs_are_fast() -> None:
    """Thousands of `*` and `?` against a text that almost matches: twice the length takes at most about four times.

    A search that goes back and forth would take twice the time for each character more.
    """

    def seconds(length: int) -> float:
        text, many = "a" * length, length // 10
        patterns = ("*a" * 31 + "*b", "a*" * 31 + "b", "*?" * (4 * many) + "b", "*" + "a?" * (3 * many) + "b*")
        started = time.process_time()
        for pattern in (*patterns, "?" * (length - 1) + "b"):
            assert not compile_glob(pattern).matches(text)
        return time.process_time() - started

    short = min(seconds(2_500) for _ in range(3))
    assert min(seconds(5_000) for _ in range(3)) < 8 * short
