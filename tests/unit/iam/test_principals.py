"""Callers, and the callers that a Principal element matches."""

from __future__ import annotations

import pytest

from permission_guard.iam import Principal, PrincipalKind
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.principals import PrincipalSet, is_unique_id, match_principal

ROLE = Principal.role("arn:aws:iam::123456789012:role/service-role/orders")
SESSION = Principal.session("arn:aws:sts::123456789012:assumed-role/orders/fn")
USER = Principal.user("arn:aws:iam::123456789012:user/ann")
ROOT = Principal.root("123456789012")
SNS = Principal.service("sns.amazonaws.com")
GOOGLE = Principal.federated("accounts.google.com")
ANONYMOUS = Principal.anonymous()

BY_ACCOUNT, BY_ROLE, DIRECTLY, NOT = (TRUE, FALSE, FALSE), (FALSE, TRUE, FALSE), (FALSE, FALSE, TRUE), (FALSE,) * 3
PERHAPS = (FALSE, FALSE, UNKNOWN)


@pytest.mark.parametrize(
    ("text", "kind", "account"),
    [
        ("123456789012", PrincipalKind.ACCOUNT, "123456789012"),
        ("arn:aws:iam::123456789012:root", PrincipalKind.ACCOUNT, "123456789012"),
        ("arn:aws:iam::123456789012:role/p/r", PrincipalKind.ROLE, "123456789012"),
        ("arn:aws:iam::123456789012:user/ann", PrincipalKind.USER, "123456789012"),
        ("arn:aws:sts::123456789012:assumed-role/r/s", PrincipalKind.SESSION, "123456789012"),
        ("arn:aws:sts::123456789012:federated-user/ann", PrincipalKind.FEDERATED_USER, "123456789012"),
        ("arn:aws:iam::123456789012:saml-provider/x", PrincipalKind.FEDERATED, "123456789012"),
        ("s3.amazonaws.com", PrincipalKind.SERVICE, ""),
        ("alexa-appkit.amazon.com", PrincipalKind.SERVICE, ""),
    ],
)
def test_an_arn_names_a_type_of_caller(text: str, kind: PrincipalKind, account: str) -> None:
    """So do an account ID and a service principal."""
    found = Principal.from_arn(text)
    assert (found.kind, found.account) == (kind, account)


@pytest.mark.parametrize("text", ["", "*", "orders", "arn:aws:iam::123456789012:group/g"])
def test_what_cannot_call_is_not_a_principal(text: str) -> None:
    """A group, for example, is not one."""
    with pytest.raises(ValueError, match="is not a valid principal"):
        Principal.from_arn(text)


@pytest.mark.parametrize(
    ("kind", "value", "principal", "expected"),
    [
        ("AWS", "*", ANONYMOUS, DIRECTLY),
        ("AWS", "*", SNS, DIRECTLY),
        ("AWS", "123456789012", ROLE, BY_ACCOUNT),
        ("AWS", "123456789012", ROOT, DIRECTLY),
        ("AWS", "arn:aws:iam::123456789012:root", USER, BY_ACCOUNT),
        ("AWS", "arn:aws:iam::123456789012:root", ANONYMOUS, NOT),
        ("AWS", "arn:aws:iam::123456789012:user/ann", USER, DIRECTLY),
        ("AWS", "arn:aws:iam::123456789012:role/service-role/orders", ROLE, BY_ROLE),
        ("AWS", "arn:aws:iam::123456789012:role/orders", ROLE, NOT),
        ("AWS", "arn:aws:iam::123456789012:role/any/path/orders", SESSION, BY_ROLE),
        ("AWS", "arn:aws:sts::123456789012:assumed-role/orders/fn", SESSION, DIRECTLY),
        ("AWS", "arn:aws:sts::123456789012:assumed-role/orders/other", SESSION, NOT),
        ("AWS", "arn:aws:sts::123456789012:assumed-role/orders/fn", ROLE, PERHAPS),
        ("AWS", "arn:aws:sts::123456789012:assumed-role/other/fn", ROLE, NOT),
        ("AWS", "arn:aws:iam::123456789012:user/*", USER, PERHAPS),
        ("AWS", "arn:aws:iam::111122223333:user/*", USER, NOT),
        ("AWS", "AROAEXAMPLE", ROLE, NOT),
        ("Service", "sns.amazonaws.com", SNS, DIRECTLY),
        ("Service", "sns.amazonaws.com", ROLE, NOT),
        ("Service", "sns.us-east-1.amazonaws.com", SNS, NOT),
        ("Service", "*", SNS, PERHAPS),
        ("Federated", "accounts.google.com", GOOGLE, DIRECTLY),
        ("Federated", "accounts.google.com", SNS, NOT),
        ("AWS", "123456789012", GOOGLE, NOT),
        ("CanonicalUser", "79a59d", USER, (UNKNOWN, FALSE, FALSE)),
        ("CanonicalUser", "79a59d", SNS, NOT),
    ],
)
def test_a_value_matches_a_caller_in_one_of_three_ways(
    kind: str, value: str, principal: Principal, expected: tuple[int, ...]
) -> None:
    """By the account, by the role, directly, or not at all."""
    assert match_principal(kind, value, principal) == expected


def test_a_session_of_a_known_role_is_compared_by_the_whole_arn() -> None:
    """Including its path."""
    known = Principal.session(SESSION.arn, ROLE.arn)
    assert match_principal("AWS", ROLE.arn, known) == BY_ROLE
    assert match_principal("AWS", "arn:aws:iam::123456789012:role/orders", known) == NOT


@pytest.mark.parametrize("raw", ["", None, [], {}, {"AWS": ""}, {"AWS": []}])
def test_an_empty_principal_is_recognized(raw: object) -> None:
    """AWS Config reports an empty principal as public; other invalid principals are not empty."""
    assert PrincipalSet(raw).empty
    assert PrincipalSet(raw).problems


@pytest.mark.parametrize("raw", [7, {"Aws": "*"}, {"AWS": 123456789012}, {"AWS": [None]}, "arn:aws:iam::1:root"])
def test_an_invalid_principal_can_match_anyone(raw: object) -> None:
    """For every caller the match is unknown."""
    found = PrincipalSet(raw)
    assert found.problems
    assert found.match(ROLE, denies=True, bounded=False) == PERHAPS


def test_not_principal_negates_the_match() -> None:
    """For a Deny, an identity is excepted only by all its ARNs; with a boundary it is always denied."""
    account = PrincipalSet({"AWS": ["123456789012"]}, negated=True)
    listed = PrincipalSet({"AWS": ["123456789012", USER.arn]}, negated=True)
    assert account.match(USER, denies=True, bounded=False) == DIRECTLY
    assert account.match(ROOT, denies=True, bounded=False) == NOT
    assert listed.match(USER, denies=True, bounded=False) == NOT
    assert listed.match(USER, denies=True, bounded=True) == DIRECTLY
    assert listed.match(SNS, denies=True, bounded=True) == DIRECTLY


def test_not_principal_with_allow_is_unknown_for_an_account() -> None:
    """AWS does not support it. The users and roles of a listed account may count as listed."""
    listed = PrincipalSet({"AWS": ["123456789012", USER.arn]}, negated=True)
    assert listed.match(ROLE, denies=False, bounded=True) == PERHAPS
    assert listed.match(USER, denies=False, bounded=False) == NOT
    assert listed.match(SNS, denies=False, bounded=False) == DIRECTLY


def test_the_user_of_a_federated_user_can_be_given() -> None:
    """Without it, the user of the same name is the user, and any other may be."""
    arn, other = "arn:aws:sts::123456789012:federated-user/ann", "arn:aws:iam::123456789012:user/team/bob"
    unknown, known = Principal.federated_user(arn), Principal.federated_user(arn, other)
    assert Principal.from_arn(arn) == unknown
    assert match_principal("AWS", USER.arn, unknown) == BY_ROLE
    assert match_principal("AWS", other, unknown) == (FALSE, UNKNOWN, FALSE)
    assert match_principal("AWS", USER.arn, known) == NOT
    assert match_principal("AWS", other, known) == BY_ROLE
    assert match_principal("AWS", "arn:aws:iam::111122223333:user/ann", unknown) == NOT


def test_service_linked_roles_and_deleted_principals_are_recognized() -> None:
    """By the path, and by the prefix of the ID."""
    assert Principal.role("arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/X").is_service_linked
    assert not ROLE.is_service_linked
    assert is_unique_id("AROAEXAMPLEEXAMPLE123")
    assert not is_unique_id("arn:aws:iam::123456789012:role/AROA")
