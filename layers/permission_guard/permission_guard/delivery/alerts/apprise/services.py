"""Send a message through a service of Apprise.

Imported only when a message is sent: it takes most of a second to load.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import requests
from apprise import Apprise, AppriseAsset, NotifyType, OverflowMode
from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP

from permission_guard.delivery.alerts.apprise.content import (
    content,
    details,
    is_over,
    opsgenie_priority,
    pagerduty_severity,
)
from permission_guard.delivery.alerts.apprise.targets import Form
from permission_guard.delivery.alerts.apprise.transport import bounded
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.alerts.apprise.targets import Target
    from permission_guard.delivery.message import Message

_TYPES: Final[Mapping[Severity, NotifyType]] = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.HIGH: NotifyType.FAILURE,
    Severity.MEDIUM: NotifyType.WARNING,
    Severity.LOW: NotifyType.WARNING,
}
_LONGEST_OPSGENIE_MESSAGE: Final = 130
_LONGEST: Final = {Form.NTFY: 3_800}
"""Bytes of a body where Apprise's own limit is too high: ntfy makes a file of what has more than 4,096."""


@record
class Result:
    """What became of a message: whether it was accepted, the last HTTP status, and what to say about a failure."""

    accepted: bool
    status: int | None
    outcome: str


def send(target: Target, message: Message, end: float) -> Result:
    """Send a message to a target until a time. Raise nothing: the errors of libraries have the address."""
    with bounded(end) as transport:
        try:
            plugin: Any = Apprise.instantiate(target.url, asset=_asset())
            if plugin is None:
                return Result(accepted=False, status=None, outcome="Apprise cannot read the URL")
            accepted = _SENDERS.get(target.form, _send)(_settled(plugin), target.form, message)
        except Exception as error:  # noqa: BLE001 - the text and the chain of any error may have the URL
            return Result(accepted=False, status=transport.status, outcome=type(error).__name__)
    return Result(accepted=accepted, status=transport.status, outcome=transport.outcome)


@cache
def _asset() -> AppriseAsset:
    """Return settings with which Apprise keeps nothing, reads no file, and refers to no picture of its own."""
    return AppriseAsset(
        app_id="Permission Guard",
        app_desc="Permission Guard",
        app_url="",
        storage_mode="memory",
        secure_logging=True,
        allow_templates=False,
        async_mode=False,
        http_redirects=False,
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        language="en",
    )


def _settled(plugin: Any) -> Any:
    """Return a service without pauses of its own, and without pictures, which chats load from Apprise's project."""
    plugin.throttle = lambda *_args, **_options: None  # the other side says when it is too much
    for name in ("include_image", "avatar", "footer_logo"):
        if hasattr(plugin, name):
            setattr(plugin, name, False)
    return plugin


def _send(plugin: Any, form: Form, message: Message) -> bool:
    shown = content(message, form, plugin.title_maxlen, min(plugin.body_maxlen, _LONGEST.get(form, plugin.body_maxlen)))
    return _notify(plugin, shown.title, shown.body, _type(message))


def _pagerduty(plugin: Any, form: Form, message: Message) -> bool:
    """Trigger an incident for each finding, or resolve it. Its key is the finding's id."""
    plugin.action, plugin.severity = "map", pagerduty_severity(message)
    plugin.details = {**plugin.details, **details(message)}
    shown = content(message, form, 0, plugin.body_maxlen)
    accepted = True
    for plugin.dedup in message.findings or (message.key,):
        accepted = _notify(plugin, "", shown.body, _type(message)) and accepted
    return accepted


def _opsgenie(plugin: Any, form: Form, message: Message) -> bool:
    """Create an alert for each finding, or close it. Its alias is the finding's id."""
    plugin.action, plugin.priority, plugin.entity = "new", opsgenie_priority(message), None
    shown = content(message, form, _LONGEST_OPSGENIE_MESSAGE, plugin.body_maxlen)
    accepted = True
    for plugin.alias in message.findings or (message.key,):
        if is_over(message):
            accepted = _close(plugin, shown.body) and accepted
        else:
            accepted = _notify(plugin, shown.title, shown.body, _type(message)) and accepted
    return accepted


def _close(plugin: Any, note: str) -> bool:
    """Close an alert by its alias. Apprise closes only what the same process has created, by the id of that request.

    https://docs.opsgenie.com/docs/alert-api#close-alert
    """
    url = f"{OPSGENIE_API_LOOKUP[plugin.region_name]}/{plugin.alias}/close"
    payload = {"source": plugin.app_desc, "note": note}
    accepted, _ = plugin._fetch(requests.post, url, payload, {"identifierType": "alias"})  # noqa: SLF001 - as above
    return bool(accepted)


def _notify(plugin: Any, title: str, body: str, kind: NotifyType) -> bool:
    return bool(plugin.notify(title=title, body=body, notify_type=kind, overflow=OverflowMode.UPSTREAM))


def _type(message: Message) -> NotifyType:
    if message.severity is not None:
        return _TYPES[message.severity]
    return NotifyType.SUCCESS if is_over(message) else NotifyType.INFO


_SENDERS: Final[Mapping[Form, Any]] = {Form.PAGERDUTY: _pagerduty, Form.OPSGENIE: _opsgenie}
