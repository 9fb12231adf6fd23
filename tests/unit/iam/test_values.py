"""Numbers, dates, IP addresses and binary data are parsed as AWS does."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt

import pytest

from permission_guard.iam.values import (
    in_network,
    ip_address,
    ip_network,
    numbers_within,
    parse_binary,
    parse_date,
    parse_number,
)


@pytest.mark.parametrize(("text", "same"), [("10", "10.0"), ("+7", "007"), ("-0.5", "-.5"), ("1e3", "1000")])
def test_numbers_are_equal_in_every_notation(text: str, same: str) -> None:
    """Leading zeros, signs and exponents do not matter, and no precision is lost."""
    assert parse_number(text) == parse_number(same)
    assert parse_number("0.1") != parse_number("0.10000000000000000001")


@pytest.mark.parametrize("text", ["", "ten", "1_000", "NaN", "Infinity", "1" * 500])
def test_what_is_not_a_number_is_none(text: str) -> None:
    """So are notations that only Python accepts."""
    assert parse_number(text) is None


@pytest.mark.parametrize("comparison", ["Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"])
@pytest.mark.parametrize(
    "text", ["5", "5.5", "-1", "-0.5", "0", "9", "10", "8.5", "9.5", "1e999999", "-1e999999", "1e-99999"]
)
def test_a_comparison_admits_a_range_of_whole_numbers(comparison: str, text: str) -> None:
    """From zero to a last one, whatever the size of the bound."""
    bound = parse_number(text)
    assert bound is not None
    first, last = numbers_within(comparison, bound, 9)
    holds = {"Equals": eq, "LessThan": lt, "LessThanEquals": le, "GreaterThan": gt, "GreaterThanEquals": ge}[comparison]
    assert [number for number in range(10) if first <= number <= last] == [n for n in range(10) if holds(n, bound)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01",
        "2026-01",
        "2026",
        "1767225600",
        "1767225600.0",
    ],
)
def test_dates_are_equal_in_every_notation(text: str) -> None:
    """ISO-8601 in all lengths, and seconds since 1970. A date without a time zone is UTC."""
    assert parse_date(text) == 1_767_225_600_000


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "1" * 40, "2026-1-1"])
def test_what_is_not_a_date_is_none(text: str) -> None:
    """Neither a date nor a number of seconds."""
    assert parse_date(text) is None


def test_seconds_can_be_negative() -> None:
    """For dates before 1970."""
    assert parse_date("-1") == -1000


@pytest.mark.parametrize(
    ("address", "network", "expected"),
    [
        ("203.0.113.7", "203.0.113.0/24", True),
        ("203.0.113.7", "203.0.113.99/24", True),
        ("203.0.113.7", "0.0.0.0/0", True),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.8", "203.0.113.7", False),
        ("203.000.113.007", "203.0.113.7/032", True),
        ("203.0.113.7", f"0.0.0.0/{'0' * 5000}", True),
        ("::ffff:203.0.113.7", "203.0.113.0/24", True),
        ("203.0.113.7", "::/0", False),
        ("2001:db8::7", "2001:db8::/32", True),
        ("2001:db8::7", "::/0", True),
        ("2001:db8::5", "2001:db8::5/64", False),
        ("2001:db8::5", "2001:DB8::5", True),
    ],
)
def test_networks_contain_addresses(address: str, network: str, expected: bool) -> None:
    """By family and prefix. An IPv6 network with host bits set contains no address."""
    parsed_address, parsed_network = ip_address(address), ip_network(network)
    assert parsed_address is not None
    assert parsed_network is not None
    assert in_network(parsed_address, parsed_network) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "here",
        "1.2.3",
        "1.2.3.256",
        "1.2.3.4/33",
        "1.2.3.4/x",
        "g::",
        "1.2.3.4/",
        "1.2.3.4/" + "9" * 5000,
        "::/" + "9" * 5000,
    ],
)
def test_what_is_not_a_network_is_none(text: str) -> None:
    """It is not an IP address either."""
    assert ip_network(text) is None
    assert ip_address(text) is None


def test_binary_data_is_base64() -> None:
    """The decoded bytes are compared."""
    assert parse_binary("YQ==") == b"a"
    assert parse_binary("") == b""
    assert parse_binary("a") is None
    assert parse_binary("é") is None
