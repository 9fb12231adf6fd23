"""IP networks that are wide together."""

from __future__ import annotations

import pytest

from permission_guard.iam.networks import is_wide
from permission_guard.iam.values import ip_network


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], False),
        (["203.0.113.0/24"], False),
        (["9.0.0.0/8"], False),
        (["9.0.0.0/8", "9.1.0.0/16", "9.0.0.0/9"], False),
        (["8.0.0.0/7"], True),
        (["9.0.0.0/8", "11.0.0.0/8"], True),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "9.0.0.0/8"], False),
        ([f"{first}.0.0.0/8" for first in range(0, 256, 2)], True),
        ([f"{first}.128.0.0/9" for first in range(256)], True),
        (["2001:db8::/32"], False),
        (["2001:db8::/31"], True),
        (["::ffff:203.0.113.0/120"], False),
        (["::ffff:8.0.0.0/103"], True),
        (["203.0.113.0/24", "2001:db8::/31"], True),
    ],
)
def test_networks_are_wide_by_their_public_addresses(texts: list[str], expected: bool) -> None:
    """Each counted once, in both families, without private ones."""
    networks = [ip_network(text) for text in texts]
    assert is_wide(network for network in networks if network) is expected
    assert None not in networks
