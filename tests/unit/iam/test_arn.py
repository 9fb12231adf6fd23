"""Taking ARNs apart."""

from __future__ import annotations

import pytest

from permission_guard.iam.arn import account_of, is_account_id, parse_arn


def test_the_resource_keeps_its_colons() -> None:
    """Only the first five colons separate."""
    parsed = parse_arn("arn:aws:logs:us-east-1:123456789012:log-group:/x:*")
    assert parsed is not None
    assert (parsed.service, parsed.account, parsed.resource) == ("logs", "123456789012", "log-group:/x:*")


@pytest.mark.parametrize("text", ["", "*", "arn:aws:sqs:us-east-1:123456789012", "orders"])
def test_fewer_than_six_parts_are_no_arn(text: str) -> None:
    """Nothing is made up for the parts that are missing."""
    assert parse_arn(text) is None
    assert account_of(text) is None


def test_an_arn_may_name_no_account() -> None:
    """As a bucket's does."""
    assert account_of("arn:aws:s3:::bucket") is None


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢", ""])
def test_an_account_id_is_twelve_digits(text: str) -> None:
    """ASCII digits, neither more nor fewer."""
    assert is_account_id("123456789012")
    assert not is_account_id(text)
