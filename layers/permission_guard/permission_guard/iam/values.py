"""The values that conditions compare, parsed as AWS does: numbers, dates, IP addresses, binary data and ARNs."""

from __future__ import annotations

from functools import lru_cache
from math import floor

from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from decimal import Decimal
    from typing import Final


_IPV4_PARTS: Final = 4
_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128
_WIDTH_DIGITS: Final = len(str(_IPV6_BITS))
_BYTE: Final = 255
_MAPPED: Final = 0xFFFF
_LONGEST_NUMBER: Final = 400
_LONGEST_SECONDS: Final = 32
_YEAR_DIGITS: Final = 4
_CACHED: Final = 4096
"""More values than a policy of the size that AWS accepts usually has: it is evaluated and compared repeatedly."""


@lru_cache(maxsize=_CACHED)
def parse_number(text: str) -> Decimal | None:
    """Parse a number without loss of precision. Return None if it is not a number."""
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - few policies compare numbers

    if len(text) > _LONGEST_NUMBER or "_" in text:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def numbers_within(comparison: str, bound: Decimal, last: int) -> tuple[int, int]:
    """Return the first and last whole number from 0 to `last` that a comparison with a bound admits.

    The first is greater than the last if there is none. The comparison is `Equals`, `LessThan` …
    """
    number: Decimal | int = -1 if bound < -1 else last + 1 if bound > last else bound
    below = floor(number)
    whole = below == number
    if comparison == "Equals":
        return (below, below) if whole and 0 <= below <= last else (1, 0)
    if comparison.startswith("LessThan"):
        return 0, min(last, below if comparison.endswith("Equals") or not whole else below - 1)
    return max(0, below if comparison.endswith("Equals") and whole else below + 1), last


@lru_cache(maxsize=_CACHED)
def parse_date(text: str) -> object | None:
    """Parse an ISO-8601 date or seconds since 1970, as whole milliseconds since 1970. Return None if it is neither."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - few policies compare dates

    text = text.strip()
    digits = text.removeprefix("-").replace(".", "", 1)
    if digits.isascii() and digits.isdecimal() and (len(text) > _YEAR_DIGITS or text.startswith("-")):
        return round(float(text) * 1000) if len(text) < _LONGEST_SECONDS else None
    padding = {len("2013"): "-01-01", len("2013-01"): "-01"}.get(len(text), "")
    try:
        moment = datetime.fromisoformat(text + padding)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def parse_binary(text: str) -> bytes | None:
    """Decode base64. Return None if the text is not base64."""
    from binascii import Error, a2b_base64  # noqa: PLC0415 - few policies compare binary data

    try:
        return a2b_base64(text.encode("ascii"), strict_mode=True) if text else b""
    except (Error, UnicodeEncodeError):
        return None


def is_arn(text: str) -> bool:
    """Return whether the text has the six parts of an ARN."""
    return text.count(":") >= 5  # noqa: PLR2004


@record
class Address:
    """An IP address or a network: its family (4 or 6), its bits as an integer, and the length of its prefix."""

    family: int
    bits: int
    prefix: int


@lru_cache(maxsize=_CACHED)
def ip_address(text: str) -> Address | None:
    """Parse the IP address of a request, or return None. An IPv4-mapped IPv6 address is the IPv4 address."""
    if ":" not in text:
        bits = _ipv4(text)
        return None if bits is None else Address(4, bits, _IPV4_BITS)
    wide = _ipv6(text)
    if wide is None:
        return None
    if wide >> _IPV4_BITS == _MAPPED:
        return Address(4, wide & 0xFFFFFFFF, _IPV4_BITS)
    return Address(6, wide, _IPV6_BITS)


@lru_cache(maxsize=_CACHED)
def ip_network(text: str) -> Address | None:
    """Parse a network in CIDR notation, or an address as a network of one address. Return None if it is neither."""
    base, slash, length = text.partition("/")
    family, width = (6, _IPV6_BITS) if ":" in base else (4, _IPV4_BITS)
    bits = _ipv6(base) if family == 6 else _ipv4(base)  # noqa: PLR2004
    if bits is None:
        return None
    if not slash:
        return Address(family, bits, width)
    length = length.removeprefix("+").lstrip("0") or length[-1:]
    if not (length.isascii() and length.isdecimal()) or len(length) > _WIDTH_DIGITS or int(length) > width:
        return None
    return Address(family, bits, int(length))


def in_network(address: Address, network: Address) -> bool:
    """Return whether a network contains an address.

    Host bits of an IPv4 network are ignored. AWS was observed to match no address with an IPv6 network whose host bits
    are set.
    """
    if address.family != network.family:
        return False
    width = _IPV4_BITS if network.family == 4 else _IPV6_BITS  # noqa: PLR2004
    host = width - network.prefix
    if network.family == 6 and network.bits & ((1 << host) - 1):  # noqa: PLR2004
        return False
    return address.bits >> host == network.bits >> host


def _ipv4(text: str) -> int | None:
    octets = text.split(".")
    if len(octets) != _IPV4_PARTS:
        return None
    bits = 0
    for octet in octets:
        if not (octet.isascii() and octet.isdecimal()) or len(octet) > _IPV4_BITS or int(octet) > _BYTE:
            return None
        bits = bits << 8 | int(octet)
    return bits


def _ipv6(text: str) -> int | None:
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415 - slow to import, few policies need it

    try:
        return int(IPv6Address(text))
    except AddressValueError:
        return None
