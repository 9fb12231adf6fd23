"""Whether statements allow everything that another allows: by examples, and against `evaluate` on random requests."""

from __future__ import annotations

import random
from typing import Any

import pytest

from permission_guard.iam import Context, PolicySet, Principal, Request, Statement, evaluate, inclusion, parse_policy
from permission_guard.iam.inclusion import Answer, Inclusion, Workspace, may_meet

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:orders"
ARN = "AWS:SourceArn"
YES, NO, UNDECIDED = Answer.YES, Answer.NO, Answer.UNDECIDED

JSON = Any


def statement(condition: JSON = None, **more: JSON) -> JSON:
    """Return an Allow statement for API Gateway."""
    return {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        **({"Condition": condition} if condition else {}),
        **more,
    }


def parsed(*statements: JSON, version: str = "2012-10-17") -> tuple[Statement, ...]:
    """Return compiled statements."""
    return parse_policy({"Version": version, "Statement": list(statements)}).statements


def answer(one: JSON, *others: JSON, deny: JSON = ()) -> Answer:
    """Return whether the other statements allow everything that one allows and none denies."""
    return Inclusion(parsed(*others), parsed(*deny)).decide(parsed(one)[0]).answer


def api(path: str) -> str:
    """Return the ARN of a method of an API."""
    return f"arn:aws:execute-api:us-east-1:123456789012:abc/{path}"


def by_arn(*arns: str, operator: str = "ArnLike") -> JSON:
    """Return a statement for sources."""
    return statement({operator: {ARN: list(arns)}})


A, B = {"StringEquals": {"aws:SourceAccount": "1"}}, {"StringEquals": {"aws:SourceAccount": "2"}}
BOTH = {"StringEquals": {"aws:SourceAccount": ["1", "2"]}}
ROLE = "arn:aws:iam::111122223333:role/x"
OWN_ROLE = "arn:aws:iam::123456789012:role/x"
MANY = [str(number) for number in range(18)]
OPEN = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}

EXAMPLES: dict[str, tuple[Answer, JSON, list[JSON]]] = {
    # Patterns
    "any source": (YES, by_arn(api("*/GET/x")), [statement()]),
    "one source of all": (NO, statement(), [by_arn(api("*/GET/x"))]),
    "the union of two": (YES, by_arn(api("a*"), api("b")), [by_arn(api("a*")), by_arn(api("?"))]),
    "star and one, one and star": (YES, by_arn(api("?*")), [by_arn(api("*?"))]),
    "star is empty or more": (YES, by_arn(api("*")), [by_arn(api("")), by_arn(api("?*"))]),
    "star without the empty text": (NO, by_arn(api("*")), [by_arn(api("?*"))]),
    "in the middle": (YES, by_arn(api("*/GET/*")), [by_arn(api("*GET*"))]),
    "not in the middle": (NO, by_arn(api("*GET*")), [by_arn(api("*/GET/*"))]),
    "the parts of an ARN": (NO, by_arn("*:lambda:*", operator="StringLike"), [by_arn("arn:*:lambda:*:*:*")]),
    "a star of an ARN in no other part": (
        YES,
        by_arn("arn:aws:s3:*:*:b"),
        [by_arn("arn:aws:s3:*b", operator="StringLike")],
    ),
    "a star of a text in other parts": (
        NO,
        by_arn("arn:aws:s3:*b", operator="StringLike"),
        [by_arn("arn:aws:s3:*:*:b")],
    ),
    "equal and like": (YES, by_arn(api("x"), operator="ArnEquals"), [by_arn(api("x"), operator="StringEquals")]),
    "equal takes a star as it is": (NO, by_arn(api("*")), [by_arn(api("*"), operator="StringEquals")]),
    "in any case": (
        YES,
        by_arn("Ab", "AB", operator="StringEquals"),
        [by_arn("ab", operator="StringEqualsIgnoreCase")],
    ),
    "not in any case": (
        NO,
        by_arn("ab", operator="StringEqualsIgnoreCase"),
        [by_arn("ab", "AB", operator="StringEquals")],
    ),
    # Negations and missing keys
    "fewer exceptions": (NO, by_arn("x", operator="StringNotEquals"), [by_arn("x", "y", operator="StringNotEquals")]),
    "more exceptions": (YES, by_arn("x", "y", operator="StringNotEquals"), [by_arn("x", operator="StringNotEquals")]),
    "not an ARN": (NO, by_arn(api("x"), operator="StringNotEquals"), [by_arn(api("x"), operator="ArnNotEquals")]),
    "negated ARN": (YES, by_arn(api("*"), operator="ArnNotLike"), [by_arn(api("x"), operator="StringNotEquals")]),
    "if it exists": (NO, by_arn("x", operator="StringEqualsIfExists"), [by_arn("x", operator="StringEquals")]),
    "with or without": (YES, statement(), [statement({"Null": {ARN: "true"}}), statement({"Null": {ARN: "false"}})]),
    "absent or equal": (
        YES,
        by_arn("x", operator="StringEqualsIfExists"),
        [statement({"Null": {ARN: "true"}}), by_arn("x", operator="StringEquals")],
    ),
    "several values": (
        NO,
        statement(),
        [by_arn("x", operator="StringNotEquals"), by_arn("x", operator="StringEquals")],
    ),
    # Sets
    "for all": (
        YES,
        by_arn("x", operator="ForAllValues:StringEquals"),
        [by_arn("x", "y", operator="ForAllValues:StringEquals")],
    ),
    "for any": (
        YES,
        by_arn("x", operator="ForAnyValue:StringEquals"),
        [by_arn("x", "y", operator="ForAnyValue:StringEquals")],
    ),
    "for all, of any": (
        NO,
        by_arn("x", operator="ForAllValues:StringEquals"),
        [by_arn("x", operator="ForAnyValue:StringEquals")],
    ),
    "one value, of any": (
        YES,
        by_arn("x", operator="StringEquals"),
        [by_arn("x", operator="ForAnyValue:StringEquals")],
    ),
    "an empty value is undocumented": (
        UNDECIDED,
        by_arn("", operator="StringEquals"),
        [by_arn("x", operator="ForAllValues:StringEquals")],
    ),
    # Other types
    "fewer numbers": (YES, by_arn("5", operator="NumericLessThan"), [by_arn("7", operator="NumericLessThan")]),
    "more numbers": (NO, by_arn("7.5", operator="NumericLessThan"), [by_arn("7", operator="NumericLessThanEquals")]),
    "numbers in two parts": (
        YES,
        by_arn("7", operator="NumericLessThan"),
        [by_arn("5", operator="NumericLessThan"), by_arn("5", operator="NumericGreaterThanEquals")],
    ),
    "dates": (YES, by_arn("2026-01-01", operator="DateLessThan"), [by_arn("2027", operator="DateLessThan")]),
    "later dates": (NO, by_arn("2026-01-01", operator="DateGreaterThan"), [by_arn("2027", operator="DateGreaterThan")]),
    "networks": (YES, by_arn("10.1.0.0/16", operator="IpAddress"), [by_arn("10.0.0.0/8", operator="IpAddress")]),
    "not networks": (
        NO,
        by_arn("10.1.0.0/16", operator="NotIpAddress"),
        [by_arn("10.0.0.0/8", operator="NotIpAddress")],
    ),
    "booleans": (YES, by_arn("false", operator="Bool"), [by_arn("true", operator="StringNotEquals")]),
    "base64": (NO, by_arn("AAAA", operator="BinaryEquals"), [by_arn("AAAB", operator="BinaryEquals")]),
    "other types together": (
        UNDECIDED,
        by_arn("5", operator="NumericLessThan"),
        [by_arn("5", operator="StringEquals")],
    ),
    # Variables
    "the same variable": (YES, by_arn("${aws:x}"), [by_arn("${aws:x}")]),
    "a variable and more": (
        YES,
        statement({"ArnLike": {ARN: "${aws:x}"}, **A}),
        [statement({"ArnLike": {ARN: "${aws:x}"}, **BOTH})],
    ),
    "a variable": (UNDECIDED, by_arn("${aws:x}"), [by_arn("x")]),
    # Principals
    "another service": (NO, statement(), [statement(Principal={"Service": "s3.amazonaws.com"})]),
    "everyone": (YES, statement(), [statement(Principal="*")]),
    "not everyone": (NO, statement(Principal="*"), [statement(), statement(Principal={"AWS": "123456789012"})]),
    "services together": (
        YES,
        statement(Principal={"Service": ["s3.amazonaws.com", "apigateway.amazonaws.com"]}),
        [statement(), statement(Principal={"Service": "s3.amazonaws.com"})],
    ),
    "an account by two names": (
        YES,
        statement(Principal={"AWS": "123456789012"}),
        [statement(Principal={"AWS": "arn:aws:iam::123456789012:root"})],
    ),
    "a role of another account": (
        YES,
        statement(Principal={"AWS": ROLE}),
        [statement(Principal={"AWS": "111122223333"})],
    ),
    "a role of the own account": (
        NO,  # the account needs an identity-based policy besides
        statement(Principal={"AWS": OWN_ROLE}),
        [statement(Principal={"AWS": "123456789012"})],
    ),
    "a deleted role": (UNDECIDED, statement(Principal={"AWS": "AROAEXAMPLE"}), [statement()]),
    # Actions and resources
    "actions in any case": (YES, statement(Action="lambda:invokefunction"), [statement()]),
    "actions by pattern": (
        YES,
        statement(Action=["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]),
        [statement(Action="lambda:Invoke*")],
    ),
    "not an action": (NO, statement(NotAction="lambda:Get*", Action=None), [statement(Action="lambda:*")]),
    "qualifiers": (NO, statement(Resource=f"{FUNCTION}:*"), [statement()]),
    "every resource": (YES, statement(), [statement(Resource="*")]),
    "stars that may cross colons": (
        UNDECIDED,
        statement(),
        [statement(Resource="arn:aws:lambda:*:function:orders")],
    ),
    # Elements together
    "across two elements": (
        NO,
        statement(BOTH, Principal={"Service": ["s3.amazonaws.com", "apigateway.amazonaws.com"]}),
        [statement(A), statement(B, Principal={"Service": "s3.amazonaws.com"})],
    ),
    "a square of four": (
        YES,
        statement({"StringEquals": {"aws:SourceAccount": ["1", "2"], "k": ["1", "2"]}}),
        [statement({"StringEquals": {"aws:SourceAccount": a, "k": b}}) for a in "12" for b in "12"],
    ),
    "a square of three": (
        NO,
        statement({"StringEquals": {"aws:SourceAccount": ["1", "2"], "k": ["1", "2"]}}),
        [statement({"StringEquals": {"aws:SourceAccount": a, "k": b}}) for a, b in ("11", "12", "21")],
    ),
    "three parts of two keys": (
        YES,
        statement(),
        [
            statement({"Null": {"k": "true"}}),
            statement({"Null": {"k": "false", "l": "true"}}),
            statement({"Null": {"k": "false", "l": "false"}}),
        ],
    ),
    "two parts of two keys": (
        NO,
        statement(),
        [statement({"Null": {"k": "true", "l": "true"}}), statement({"Null": {"k": "false", "l": "false"}})],
    ),
    "too many values to be split": (
        YES,
        statement({"StringEquals": dict.fromkeys("klm", MANY[1:])}),
        [statement({"StringEquals": dict.fromkeys("klm", MANY)})],
    ),
    "an invalid action": (YES, statement(Action=["lambda:InvokeFunction", "l*:x", "lambda: *"]), [statement()]),
    "a short resource": (UNDECIDED, statement(Resource="arn:aws:lambda"), [statement()]),
    "a variable in the resource": (UNDECIDED, statement(Resource=f"{FUNCTION}:${{aws:x}}"), [statement(Resource="x")]),
    "any service": (UNDECIDED, statement(Principal={"Service": "*"}), [statement()]),
    "a service and a role": (
        NO,
        statement(Principal={"AWS": ROLE}),
        [statement(), statement(Principal={"Service": "*"})],
    ),
    "a session of a role": (
        UNDECIDED,
        statement(Principal={"AWS": "arn:aws:sts::111122223333:assumed-role/x/s"}),
        [statement(Principal={"AWS": ROLE})],
    ),
    "no principal": (NO, statement(Principal=None), [statement()]),
    "malformed": (UNDECIDED, statement(Extra="x"), [statement()]),
    "no caller with NotPrincipal": (UNDECIDED, statement(NotPrincipal="*", Principal=None), [statement()]),
}


def cleaned(one: JSON) -> JSON:
    """Return a statement without the elements that are None."""
    return {name: value for name, value in one.items() if value is not None}


@pytest.mark.parametrize(("expected", "one", "others"), EXAMPLES.values(), ids=EXAMPLES)
def test_a_statement_is_included_or_not(expected: Answer, one: JSON, others: list[JSON]) -> None:
    """Each kind of element, and each operator that is compared in its own way."""
    assert answer(cleaned(one), *map(cleaned, others)) is expected


@pytest.mark.parametrize(("expected", "one", "others"), EXAMPLES.values(), ids=EXAMPLES)
def test_each_statement_includes_itself(expected: Answer, one: JSON, others: list[JSON]) -> None:
    """Also one that is undecided, under another Sid, if nothing else is known."""
    assert answer(cleaned(one), {**cleaned(one), "Sid": "other"}) is YES


def test_variables_of_another_version_are_other_statements() -> None:
    """Policies without the current version compare `${` as it is."""
    old = parsed(by_arn("${aws:x}"), version="2008-10-17")
    assert Inclusion(old).decide(parsed(by_arn("${aws:x}"))[0]).answer is UNDECIDED


def test_a_deny_that_both_policies_have_covers_what_it_denies() -> None:
    """A statement without a source is then included in one for the sources that are not denied."""
    deny = {**OPEN, "Condition": {"StringNotEquals": {"aws:SourceAccount": "1"}}}
    present = {"StringLike": {"aws:SourceAccount": "*"}}
    assert answer(statement(present), statement(A), deny=[deny]) is YES
    assert answer(statement(present), statement(B), deny=[deny]) is NO
    assert answer(statement(Principal={"AWS": OWN_ROLE}), deny=[{**OPEN, "Principal": {"AWS": "123456789012"}}]) is YES


def test_too_much_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps are bounded, whatever the patterns are."""
    other = by_arn(api("a"), api("*a?"), api("?*a*b"))
    assert answer(by_arn(api("*a*b*")), other) is NO
    monkeypatch.setattr(inclusion, "MOST_STEPS", 5)
    assert answer(by_arn(api("*a*b*")), other) is UNDECIDED


def test_statements_meet_unless_they_certainly_do_not() -> None:
    """By their principals, and by each element."""
    call = parsed(statement({"StringEquals": {"aws:SourceAccount": "1"}}))[0]
    meets = [
        (OPEN, True),
        ({**OPEN, "Principal": {"Service": "s3.amazonaws.com"}}, False),
        ({**OPEN, "Condition": {"StringEquals": {"aws:SourceAccount": "2"}}}, False),
        ({**OPEN, "Condition": {"StringEquals": {"aws:SourceAccount": "${aws:x}"}}}, True),
        ({**OPEN, "Action": "lambda:Get*"}, False),
        ({**OPEN, "Resource": f"{FUNCTION}:*"}, False),
        ({**OPEN, "Extra": "x"}, True),
        ({**OPEN, "Condition": {"NumericEquals": {"aws:SourceAccount": "2"}}}, True),
    ]
    assert [may_meet(call, parsed(deny)[0], Workspace()) for deny, _ in meets] == [expected for _, expected in meets]


# ── Against evaluate ────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = ["x", "y", "", "*", "x*", "?", "X", "xy", api("x"), api("*"), "arn:aws:*:*:*:*"]
SENT = ["x", "y", "", "X", "xy", "z", api("x"), api("y"), "5", "6", "9", "2026-01-01", "10.1.1.1", "11.0.0.1"]
OPERATORS: dict[str, list[str]] = {
    **dict.fromkeys(
        ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"], TEXTS
    ),
    **dict.fromkeys(["ArnLike", "ArnNotEquals"], TEXTS[-3:]),
    "NumericLessThan": ["5", "7", "6.5"],
    "NumericNotEquals": ["6", "5"],
    "DateGreaterThan": ["2025-01-01", "2027"],
    "Bool": ["true", "false"],
    "IpAddress": ["10.0.0.0/8", "10.1.1.1"],
    "NotIpAddress": ["10.0.0.0/8", "10.1.1.1", "11.0.0.0/30"],
}
KEYS = ["k", "l"]


def drawn(chance: random.Random) -> JSON:
    """Return a statement of few different ones."""
    condition: JSON = {}
    for _ in range(chance.choice((0, 1, 1, 2))):
        if chance.random() < 0.1:
            condition["Null"] = {chance.choice(KEYS): chance.choice(("true", "false"))}
        else:
            operator = chance.choice([*OPERATORS][: chance.choice((5, 7, 13))])
            values = chance.sample(OPERATORS[operator], k=chance.choice((1, 1, 2)))
            qualifier, suffix = (
                chance.choice(("", "", "ForAllValues:", "ForAnyValue:")),
                chance.choice(("", "", "IfExists")),
            )
            condition[f"{qualifier}{operator}{suffix}"] = {chance.choice(KEYS): values}
    return statement(
        condition,
        Principal=chance.choice(
            ["*", {"Service": "a.amazonaws.com"}, {"Service": ["a.amazonaws.com", "b.amazonaws.com"]}]
        ),
        Action=chance.choice(["lambda:*", "lambda:Invoke*", "lambda:InvokeFunction"]),
        Resource=chance.choice([FUNCTION, f"{FUNCTION}*", "*"]),
    )


def requests(chance: random.Random, count: int) -> list[Request]:
    """Return random requests whose keys are all known."""
    found = []
    for _ in range(count):
        known: dict[str, Any] = {
            key: chance.choice([chance.choice(SENT), chance.sample(SENT, k=chance.choice((0, 1, 2)))])
            for key in KEYS
            if chance.random() < 0.8
        }
        found.append(
            Request(
                Principal.service(chance.choice(("a.amazonaws.com", "b.amazonaws.com", "c.amazonaws.com"))),
                chance.choice(("lambda:InvokeFunction", "lambda:InvokeAsync", "lambda:GetFunction")),
                chance.choice((FUNCTION, f"{FUNCTION}:live")),
                Context(known, absent=[key for key in KEYS if key not in known]),
            )
        )
    return found


def allows(statements: list[JSON], request: Request) -> bool:
    """Return whether statements certainly allow a request."""
    policy = parse_policy({"Version": "2012-10-17", "Statement": statements})
    return evaluate(request, PolicySet(resource=policy)).allowed


def test_what_is_included_is_allowed() -> None:
    """For 400 random pairs of policies, no random request contradicts a yes, and most noes have a request."""
    chance = random.Random(16)  # noqa: S311 - a repeatable test
    counts = dict.fromkeys(Answer, 0)
    shown = 0
    for _ in range(400):
        one, others = drawn(chance), [drawn(chance) for _ in range(chance.choice((1, 2, 3)))]
        found = answer(one, *others)
        counts[found] += 1
        against = [each for each in requests(chance, 60) if allows([one], each) and not allows(others, each)]
        assert not (found is YES and against), (one, others, against[0])
        shown += found is NO and bool(against)
    assert counts[YES] > 30, counts
    assert counts[UNDECIDED] < 100, counts
    assert shown > 0.4 * counts[NO], (counts, shown)


CALLERS = [f"{number:012}" for number in range(200)]
PAIRS = {"ArnLike": {ARN: [f"arn:aws:s3:::b{number}*" for number in range(50)]}, "StringEquals": {"a:1": MANY}}
LARGE: dict[str, tuple[list[JSON], list[JSON]]] = {
    "lists for each of many principals": (
        [statement(PAIRS, Principal={"AWS": CALLERS})],
        [statement({**PAIRS, "StringEquals": {"a:1": each}}, Principal={"AWS": CALLERS}) for each in MANY],
    ),
    "the parts of many lists": (
        [statement({"StringEquals": {f"a:{key}": [f"{one}", "x"] for key in range(10)}}) for one in range(40)],
        [statement({"StringEquals": {f"a:{key}": [f"{one}", "y"] for key in range(10)}}) for one in range(40)],
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_steps_of_all_comparisons_count(name: str) -> None:
    """Not only the steps of automata: also the parts of lists, for each principal and each other statement."""
    ones, others = LARGE[name]
    workspace = Workspace()
    large = Inclusion(parsed(*others), (), workspace)
    found = [large.decide(each) for each in parsed(*ones)][-1]
    assert workspace.is_exhausted
    assert (found.answer, found.reason) == (UNDECIDED, "too much would have to be compared")
