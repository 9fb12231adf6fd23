"""Policy documents are parsed from every form in which AWS returns them."""

from __future__ import annotations

import json
from collections import OrderedDict
from urllib.parse import quote

import pytest

from permission_guard.iam import parse_policy, unread_policy

STATEMENT = {"Sid": "S", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
DOCUMENT = {"Version": "2012-10-17", "Statement": [STATEMENT]}
TEXT = json.dumps(DOCUMENT)


@pytest.mark.parametrize(
    "document",
    [
        DOCUMENT,
        OrderedDict(DOCUMENT),
        {**DOCUMENT, "Statement": (STATEMENT,)},
        {**DOCUMENT, "Statement": STATEMENT},
        TEXT,
        f"\n {TEXT}\n",
        quote(TEXT),
        TEXT.encode(),
        bytearray(b"\xef\xbb\xbf" + TEXT.encode()),
    ],
)
def test_every_form_is_parsed(document: object) -> None:
    """Object, text, URL-encoded text and bytes, one statement or several."""
    policy = parse_policy(document, name="p")
    assert policy.problems == ()
    assert not policy.unreadable
    (statement,) = policy.statements
    assert (policy.name, statement.sid, statement.index, statement.effect) == ("p", "S", 0, "Allow")
    assert dict(statement.raw) == STATEMENT
    assert policy.document is not None


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, "not a JSON object"),
        (7, "not a JSON object"),
        ([], "not a JSON object"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("NaN", "not JSON"),
        ("%7B", "not JSON"),
        (b"\xff", "not UTF-8"),
        ({"statement": []}, "unknown or appears twice"),
        ('{"Statement": [], "Statement": []}', "unknown or appears twice"),
        ({"Statement": "none"}, "neither an object nor a list"),
    ],
)
def test_an_invalid_document_is_unreadable(document: object, problem: str) -> None:
    """It has a reason, and no statements."""
    policy = parse_policy(document)
    assert policy.unreadable
    assert policy.statements == ()
    assert problem in policy.problems[0]


def test_a_document_without_statements_is_readable_and_empty() -> None:
    """AWS rejects it, but it cannot allow anything."""
    policy = parse_policy({"Version": "2012-10-17"})
    assert not policy.unreadable
    assert policy.problems == ("the document has no Statement element",)


def test_an_invalid_version_is_a_problem() -> None:
    """Variables are then literal, and the statements stay valid."""
    policy = parse_policy({"Version": "2013-01-01", "Statement": STATEMENT})
    assert policy.problems == ("Version '2013-01-01' is invalid",)
    assert not policy.statements[0].problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Effect": "allow"}, "not 'Allow' or 'Deny'"),
        ({"Sid": 7}, "Sid is not a string"),
        ({"Action": None}, "Action is neither a string nor a list of strings"),
        ({"Action": ["a:b", 7]}, "contains a value that is not a string"),
        ({"NotAction": "x:y"}, "both Action and NotAction"),
        ({"NotResource": "*"}, "both Resource and NotResource"),
        ({"Principal": "*", "NotPrincipal": "*"}, "both Principal and NotPrincipal"),
        ({"Principal": {"Who": "*"}}, "principal type 'Who' is invalid"),
        ({"Condition": []}, "Condition is not an object"),
        ({"Condition": {"Bool": "x"}}, "Condition is not an object"),
        ({"Comment": "x"}, "unknown elements: Comment"),
    ],
)
def test_a_malformed_statement_has_a_problem(change: dict[str, object], problem: str) -> None:
    """A verdict repeats it as its reason."""
    policy = parse_policy({"Statement": {**STATEMENT, **change}})
    (statement,) = policy.statements
    assert statement.malformed
    assert any(problem in text for text in statement.problems)
    assert policy.problems[0].startswith("statement S: ") or change == {"Sid": 7}


def test_values_that_match_nothing_are_problems_of_a_valid_statement() -> None:
    """An action without a name, for example."""
    policy = parse_policy({"Statement": {**STATEMENT, "Action": ["sqs:", "sqs:*"]}})
    assert policy.problems
    assert not policy.statements[0].malformed


@pytest.mark.parametrize(
    "text",
    [
        '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": "1", "AWS": "*"}}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {}, "Bool": {}}}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a": 1, "a": 2}}}}',
    ],
)
def test_a_key_that_appears_twice_is_malformed(text: str) -> None:
    """JSON parsers keep the last one. AWS rejects the statement."""
    assert parse_policy(text).statements[0].malformed


def test_a_trust_policy_needs_no_resource() -> None:
    """It applies to its role."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert parse_policy({"Statement": trust}).problems == ()
    assert parse_policy({"Statement": {**trust, "Action": "lambda:InvokeFunction"}}).statements[0].malformed


def test_texts_are_parsed_once() -> None:
    """The same text under the same name is the same policy."""
    assert parse_policy(TEXT, name="a") is parse_policy(TEXT, name="a")
    assert parse_policy(TEXT, name="a") is not parse_policy(TEXT, name="b")
    assert parse_policy(TEXT, name="a") == parse_policy(DOCUMENT, name="a")


def test_an_unread_policy_has_a_reason() -> None:
    """It replaces the policy that could not be read."""
    policy = unread_policy("arn", "AccessDenied")
    assert (policy.unreadable, policy.problems) == (True, ("AccessDenied",))
