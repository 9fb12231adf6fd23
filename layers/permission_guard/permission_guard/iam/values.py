"""The values that conditions compare: numbers, dates, addresses, binary data and ARNs, read as AWS reads them."""

from __future__ import annotations

from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


_IPV4_PARTS: Final = 4
_IPV4_BITS: Final = 32
_IPV6_BITS: Final = 128
_BYTE: Final = 255
_MAPPED: Final = 0xFFFF
_LONGEST_NUMBER: Final = 400
_LONGEST_SECONDS: Final = 32
_YEAR_DIGITS: Final = 4


def parse_number(text: str) -> object | None:
    """Read a number exactly, or return None."""
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - few policies compare numbers

    if len(text) > _LONGEST_NUMBER or "_" in text:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def parse_date(text: str) -> object | None:
    """Read an ISO-8601 date, or seconds since 1970, as whole milliseconds since 1970; None when it is neither."""
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
    """Decode base64, or return None."""
    from binascii import Error, a2b_base64  # noqa: PLC0415 - hardly a policy compares binary data

    try:
        return a2b_base64(text.encode("ascii"), strict_mode=True) if text else b""
    except (Error, UnicodeEncodeError):
        return None


def is_arn(text: str) -> bool:
    """Tell whether the text has the six parts of an ARN."""
    return text.count(":") >= 5  # noqa: PLR2004


@record
class Address:
    """An IP address or a network: family 4 or 6, the bits as an integer, and how many of them count."""

    family: int
    bits: int
    prefix: int


def ip_address(text: str) -> Address | None:
    """Read the address of a request, or return None; an IPv4 address mapped into IPv6 is the IPv4 address."""
    if ":" not in text:
        bits = _ipv4(text)
        return None if bits is None else Address(4, bits, _IPV4_BITS)
    wide = _ipv6(text)
    if wide is None:
        return None
    if wide >> _IPV4_BITS == _MAPPED:
        return Address(4, wide & 0xFFFFFFFF, _IPV4_BITS)
    return Address(6, wide, _IPV6_BITS)


def ip_network(text: str) -> Address | None:
    """Read a network in CIDR notation, or a bare address as a network of one; None when it is neither."""
    base, slash, length = text.partition("/")
    family, width = (6, _IPV6_BITS) if ":" in base else (4, _IPV4_BITS)
    bits = _ipv6(base) if family == 6 else _ipv4(base)  # noqa: PLR2004
    if bits is None:
        return None
    if not slash:
        return Address(family, bits, width)
    length = length.removeprefix("+")
    if not (length.isascii() and length.isdecimal()) or int(length) > width:
        return None
    return Address(family, bits, int(length))


def in_network(address: Address, network: Address) -> bool:
    """Tell whether a network holds an address.

    Host bits of an IPv4 network are ignored; an IPv6 network with host bits set was seen to hold nothing.
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
