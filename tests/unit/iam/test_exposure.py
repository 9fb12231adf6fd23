"""The exposure of a whole policy. The case tables cover single statements."""

from __future__ import annotations

from permission_guard.iam import Exposure, TrustSet, exposure, parse_policy

OWN = TrustSet(frozenset({"123456789012"}), frozenset({"o-own"}))


def exposed(*statements: dict[str, object]) -> Exposure:
    """Return the exposure of Allow statements for invoking."""
    base = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    return exposure(parse_policy({"Statement": [{**base, **statement} for statement in statements]}), OWN)


def account(value: str) -> dict[str, object]:
    """Return a condition on the source account."""
    return {"StringEquals": {"aws:SourceAccount": value}}


def test_a_policy_combines_its_statements() -> None:
    """Each list is sorted and has no duplicates."""
    found = exposed(
        {"Principal": {"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}},
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"Service": "s3.amazonaws.com"}, "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}},
        {"Principal": {"AWS": ["999999999999", "111122223333"]}},
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-own", "o-else"]}}},
    )
    assert found.services_open == ("s3.amazonaws.com", "sns.amazonaws.com")
    assert found.services_weak == ("s3.amazonaws.com",)
    assert found.foreign_accounts == ("111122223333", "999999999999")
    assert found.foreign_organizations == ("o-else",)
    assert found.effectively_open
    assert not found.public
    assert [item.index for item in found.statements] == [0, 1, 2, 3, 4]


def test_deny_statements_are_not_listed_but_evaluated() -> None:
    """A denied Allow statement still shows what it allows, and which Deny denies it."""
    found = exposed({"Principal": "*"}, {"Effect": "Deny", "Principal": "*", "Sid": "No"})
    (statement,) = found.statements
    assert (statement.public, statement.closed_by) == (True, "No")
    assert (found.public, found.effectively_open, found.config_rule_public) == (False, False, True)
    assert found.services_open == found.foreign_accounts == ()


def test_a_restricted_statement_has_no_reasons() -> None:
    """It exposes nothing."""
    (statement,) = exposed(
        {"Principal": {"Service": "sns.amazonaws.com"}, "Condition": account("123456789012")}
    ).statements
    assert statement.reasons == ()
    assert not statement.weak
    assert statement.services_restricted == ("sns.amazonaws.com",)
    assert [(item.key, item.operator, item.values, item.effective) for item in statement.scoping] == [
        ("aws:SourceAccount", "StringEquals", ("123456789012",), True)
    ]


def test_an_open_statement_has_a_reason() -> None:
    """One for each of its principals."""
    (statement,) = exposed({"Principal": {"AWS": "*", "Service": "sns.amazonaws.com"}}).statements
    assert statement.reasons == (
        "anyone can call",
        "no condition restricts the account for which sns.amazonaws.com calls",
    )


def test_a_statement_that_never_matches_has_a_reason() -> None:
    """The value that no request can have."""
    service = {"Service": "sns.amazonaws.com"}
    (literal,) = exposed({"Principal": service, "Condition": account("*")}).statements
    (different,) = exposed(
        {
            "Principal": service,
            "Condition": {**account("999999999999"), "ArnLike": {"aws:SourceArn": "arn:aws:sns:x:123456789012:t"}},
        }
    ).statements
    assert (literal.never_matches, different.never_matches) == (True, True)
    assert "literally" in literal.never_reason
    assert "different source accounts: 123456789012, 999999999999" in different.never_reason


def test_an_unreadable_policy_is_unknown() -> None:
    """It is not reported as open, and the reason is listed."""
    found = exposure(parse_policy("{"), OWN)
    assert (found.effectively_open, found.config_rule_public) == (False, False)
    assert found.unknown


def test_other_principals_are_evaluated_too() -> None:
    """Canonical users and identity providers."""
    found = exposed({"Principal": {"CanonicalUser": "79a5", "Federated": "accounts.google.com"}})
    (statement,) = found.statements
    assert statement.foreign_accounts == ("79a5",)
    assert statement.federated == ("accounts.google.com",)
    assert not found.effectively_open


def test_a_deny_counts_with_broader_values_and_not_with_narrower_ones() -> None:
    """A pattern can be broader than a string. A negated operator, or another key, is not compared."""
    allow: dict[str, object] = {
        "Principal": {"AWS": "999999999999"},
        "Condition": {"StringEquals": {"aws:PrincipalTag/a": ["x", "y"]}},
    }

    def closed(**condition: dict[str, object]) -> bool:
        deny: dict[str, object] = {"Effect": "Deny", "Principal": "*", "Sid": "No", "Condition": condition}
        return exposed(allow, deny).statements[0].closed_by == "No"

    assert closed(StringEquals={"aws:PrincipalTag/a": ["x", "y", "z"]})
    assert closed(StringLike={"aws:PrincipalTag/A": "*"})
    assert not closed(StringEquals={"aws:PrincipalTag/a": ["x"]})
    assert not closed(StringLike={"aws:PrincipalTag/a": "x*"})
    assert not closed(StringEquals={"aws:PrincipalTag/b": ["x", "y"]})
    assert not closed(StringNotEquals={"aws:PrincipalTag/a": ["q"]})
    assert not closed(ArnLike={"aws:PrincipalTag/a": ["x", "y"]})
    assert not closed(Null={"aws:PrincipalTag/a": "false"})
