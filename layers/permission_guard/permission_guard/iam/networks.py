"""Whether IP networks together are so wide that they restrict nobody."""

from __future__ import annotations

from permission_guard.iam.values import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final


_BITS: Final = {4: 32, 6: 128}
_WIDEST: Final = {4: 8, 6: 32}
"""The shortest prefixes that are not wide. Amazon S3 counts networks that are broader than `/8` and `/32` as public.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""
_PRIVATE: Final = (Address(4, 10 << 24, 8), Address(4, 172 << 24 | 16 << 16, 12), Address(4, 192 << 24 | 168 << 16, 16))
_MAPPED: Final = 0xFFFF
_MAPPED_BITS: Final = 96


def is_wide(networks: Iterable[Address]) -> bool:
    """Return whether networks contain more public addresses than one network that is not wide."""
    ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for network in map(_as_ipv4, networks):
        if not any(_contains(private, network) for private in _PRIVATE):
            ranges[network.family].append(_range(network))
    return any(_size(found) > 1 << _BITS[family] - _WIDEST[family] for family, found in ranges.items())


def _as_ipv4(network: Address) -> Address:
    """Return the IPv4 network that an IPv4-mapped IPv6 network stands for; any other network as it is."""
    if network.family == 4 or network.prefix < _MAPPED_BITS or network.bits >> _BITS[4] != _MAPPED:  # noqa: PLR2004
        return network
    return Address(4, network.bits & 0xFFFFFFFF, network.prefix - _MAPPED_BITS)


def _range(network: Address) -> tuple[int, int]:
    """Return the first address of a network, and the one after its last."""
    host = _BITS[network.family] - network.prefix
    first = network.bits >> host << host
    return first, first + (1 << host)


def _contains(outer: Address, inner: Address) -> bool:
    if outer.family != inner.family:
        return False
    first, end = _range(inner)
    return _range(outer)[0] <= first and end <= _range(outer)[1]


def _size(ranges: list[tuple[int, int]]) -> int:
    """Return the number of addresses in ranges that can overlap."""
    total = reached = 0
    for first, end in sorted(ranges):
        total += max(0, end - max(first, reached))
        reached = max(reached, end)
    return total
