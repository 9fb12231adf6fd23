"""The senders are given the patience of their execution environment, and the functions begin it."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bootstrap import alerts, tickets
from permission_guard.bootstrap import patience as root
from permission_guard.config.destinations import Channel, ChannelType
from permission_guard.config.document import GuardConfig
from permission_guard.delivery.alerts.channel import shows_all
from permission_guard.delivery.patience import Patience, PatientChannel, PatientSession
from tests.paths import REPOSITORY
from tests.unit.delivery.alerts.test_base import settings_of
from tests.unit.delivery.test_waiting_digests import digest_of, waits

if TYPE_CHECKING:
    from collections.abc import Callable

TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"


def test_every_channel_and_every_request_is_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So none is tried in vain."""
    monkeypatch.setattr(alerts, "client", lambda _service: None)
    settings = settings_of(TOPIC)
    assert [type(one) for one in alerts.all_channels(settings, GuardConfig())] == [PatientChannel]
    assert [type(one) for one in alerts._channels(settings)] == [PatientChannel]
    assert isinstance(tickets._session(), PatientSession)


def test_a_deployed_channel_says_what_it_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon Q has room for about fifty findings; a digest of ninety would lose the others."""
    monkeypatch.setattr(alerts, "client", lambda _service: None)
    config = GuardConfig(channels={"chat": Channel(type=ChannelType.AMAZON_Q, topic=f"{TOPIC}-chat")})
    (chat,) = [one for one in alerts.all_channels(settings_of(TOPIC), config) if one.name == "chat"]
    digests = [digest_of([waits(number) for number in range(count)]).message for count in (5, 90)]
    assert [shows_all(chat, digest) for digest in digests] == [True, False]


def test_waiting_messages_end_with_the_time_of_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sent by the same patience."""
    kept, made = Patience(), dict[str, Any]()
    monkeypatch.setattr(root, "_patience", lambda: kept)
    monkeypatch.setattr(alerts, "client", lambda _service: None)
    monkeypatch.setattr(alerts, "WaitingSender", lambda *_parts, **options: made.update(options))
    alerts.waiting_sender(
        {"FINDINGS_TABLE": "findings", "DELIVERIES_TABLE": "deliveries", "STACK_NAME": "guard"},
        GuardConfig(),
        "123456789012",
        "us-east-1",
    )
    kept.begin(lambda: 36_999)
    kept.begin_message(2)
    assert not made["has_time"]()
    kept.begin_message(1)
    assert made["has_time"]()


@pytest.mark.parametrize("function", ["send_alert", "open_ticket"])
def test_a_function_begins_no_message_without_time(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It returns the whole batch, and reads no setting for it."""
    kept = Patience()
    monkeypatch.setattr(root, "_patience", lambda: kept)
    spec = importlib.util.spec_from_file_location(function, REPOSITORY / "functions" / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)

    def configured(_event: Any, _environment: Any, _logger: Any, _metrics: Any, handle: Callable[..., Any]) -> Any:
        return handle(GuardConfig())

    monkeypatch.setattr(app, "with_configuration", configured)
    context = SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 19_999,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
        aws_request_id="5d3c1a52-2b3f-4d4e-9c5b-0a1b2c3d4e5f",
    )
    answer = app.handler({"Records": [{"messageId": "m0", "body": "{"}, {"messageId": "m1", "body": "{"}]}, context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
