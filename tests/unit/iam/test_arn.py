"""Parsing ARNs."""

from __future__ import annotations

import pytest

from permission_guard.iam.arn import (
    account_of,
    function_name,
    is_account_id,
    parse_arn,
    require_arn,
    split_arn,
    unqualified,
)


def test_the_resource_keeps_its_colons() -> None:
    """Only the first five colons separate parts."""
    parsed = parse_arn("arn:aws:logs:us-east-1:123456789012:log-group:/x:*")
    assert parsed is not None
    assert (parsed.service, parsed.account, parsed.resource) == ("logs", "123456789012", "log-group:/x:*")
    assert require_arn("arn:aws:logs:us-east-1:123456789012:log-group:/x:*") == parsed
    assert split_arn("arn:aws:logs:us-east-1:123456789012:log-group:/x:*")[-1] == parsed.resource
    assert split_arn("arn:aws:*:x", 3) == ["arn", "aws", "*:x"]


@pytest.mark.parametrize("qualifier", ["", ":live", ":7"])
def test_a_function_arn_contains_the_name_and_may_end_in_a_qualifier(qualifier: str) -> None:
    """The version or alias is not part of the function itself."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    assert function_name(arn + qualifier) == "orders"
    assert unqualified(arn + qualifier) == arn


@pytest.mark.parametrize("text", ["", "*", "arn:aws:sqs:us-east-1:123456789012", "orders"])
def test_fewer_than_six_parts_are_not_an_arn(text: str) -> None:
    """Missing parts are not replaced."""
    assert parse_arn(text) is None
    assert account_of(text) is None
    with pytest.raises(ValueError, match="not an ARN"):
        require_arn(text)


def test_an_arn_can_contain_no_account() -> None:
    """A bucket ARN does not."""
    assert account_of("arn:aws:s3:::bucket") is None


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢", ""])
def test_an_account_id_is_twelve_digits(text: str) -> None:
    """Exactly twelve, and all of them ASCII."""
    assert is_account_id("123456789012")
    assert not is_account_id(text)
