"""How a test message reaches every alert channel, once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.base import send_within, to_every_channel
from permission_guard.delivery.ledger import deliver_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.delivery.alerts.channel import AlertChannel
    from permission_guard.delivery.ledger import DeliveryLedger, DeliveryResult
    from permission_guard.delivery.limits import Limits


def send_test(
    test: AlertTest, channels: Sequence[AlertChannel], ledger: DeliveryLedger, limits: Limits | None = None
) -> list[DeliveryResult]:
    """Send a test message to every channel, once each. What `limits` do not let through is a failure: it is retried.

    After all channels were tried, DeliveryError names those that failed.
    """
    message = compose_test(test)
    return to_every_channel(
        channels,
        lambda channel: deliver_once(ledger, channel.name, test.key, lambda: send_within(limits, channel, message)),
        what=test.key,
    )
