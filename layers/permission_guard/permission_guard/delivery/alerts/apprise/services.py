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
    opsgenie_priority,
    pagerduty_severity,
)
from permission_guard.delivery.alerts.apprise.targets import Form
from permission_guard.delivery.alerts.apprise.transport import bounded
from permission_guard.delivery.alerts.channel import has_all
from permission_guard.model.verdicts import Severity
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.delivery.alerts.apprise.content import Content
    from permission_guard.delivery.alerts.apprise.targets import Target
    from permission_guard.delivery.message import Message

_TYPES: Final[Mapping[Severity, NotifyType]] = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.HIGH: NotifyType.FAILURE,
    Severity.MEDIUM: NotifyType.WARNING,
    Severity.LOW: NotifyType.WARNING,
}
_LONGEST_OPSGENIE_MESSAGE: Final = 130
_MOST_INCIDENTS: Final = 20
"""How many requests, one for each finding, a delivery has time for."""
_LONGEST: Final = {Form.NTFY: 3_800}
"""Bytes of a body where Apprise's own limit is too high: ntfy makes a file of what has more than 4,096."""


@record
class Result:
    """What became of a message: whether it was accepted, the last HTTP status, and what to say about a failure."""

    accepted: bool
    status: int | None
    outcome: str


def send(target: Target, message: Message, end: float, done: set[str]) -> Result:
    """Send a message to a target until a time. Raise nothing: the errors of libraries have the address.

    `done` are the findings whose incidents an earlier try has sent; those of this one are added.
    """
    with bounded(end) as transport:
        try:
            plugin: Any = Apprise.instantiate(target.url, asset=_asset())
            if plugin is None:
                return Result(accepted=False, status=None, outcome="Apprise cannot read the URL")
            accepted = _SENDERS.get(target.form, _send)(_settled(plugin), target.form, message, done)
        except Exception as error:  # noqa: BLE001 - the text and the chain of any error may have the URL
            return Result(accepted=False, status=transport.status, outcome=type(error).__name__)
    return Result(accepted=accepted, status=transport.status, outcome=transport.outcome)


def shows_all(target: Target, message: Message) -> bool:
    """Return whether a service shows every finding of a message. True if the URL cannot be read: sending says so."""
    if target.form in _SENDERS:
        return len(message.findings) <= _MOST_INCIDENTS
    with bounded(0):  # no request is made
        try:
            plugin: Any = Apprise.instantiate(target.url, asset=_asset())
            shown = _content(plugin, target.form, message) if plugin else None
        except Exception:  # noqa: BLE001 - as above
            return True
    return shown is None or has_all(message, shown.body)


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


def _send(plugin: Any, form: Form, message: Message, _done: set[str]) -> bool:
    shown = _content(plugin, form, message)
    return _notify(plugin, shown.title, shown.body, _type(message))


def _content(plugin: Any, form: Form, message: Message) -> Content:
    longest = min(plugin.body_maxlen, _LONGEST.get(form, plugin.body_maxlen))
    return content(message, form, plugin.title_maxlen, longest)


def _pagerduty(plugin: Any, form: Form, message: Message, done: set[str]) -> bool:
    """Trigger an incident for each finding, or resolve it if that is over. Its key is the finding's id."""
    plugin.action, plugin.severity = "map", pagerduty_severity(message)
    plugin.details = {**plugin.details, **details(message)}
    shown = content(message, form, 0, plugin.body_maxlen)

    def incident(identifier: str) -> bool:
        plugin.dedup = identifier
        kind = NotifyType.SUCCESS if identifier in message.over else _type_of_open(message)
        return _notify(plugin, "", shown.body, kind)

    return _each(message, done, incident)


def _opsgenie(plugin: Any, form: Form, message: Message, done: set[str]) -> bool:
    """Create an alert for each finding, or close it if that is over. Its alias is the finding's id."""
    plugin.action, plugin.priority, plugin.entity = "new", opsgenie_priority(message), None
    shown = content(message, form, _LONGEST_OPSGENIE_MESSAGE, plugin.body_maxlen)

    def alert(identifier: str) -> bool:
        plugin.alias = identifier
        if identifier in message.over:
            return _close(plugin, shown.body)
        return _notify(plugin, shown.title, shown.body, _type_of_open(message))

    return _each(message, done, alert)


def _each(message: Message, done: set[str], send_one: Callable[[str], bool]) -> bool:
    """Send what each finding of a message needs, but for those that are done; return whether all of it was accepted."""
    for identifier in message.findings or (message.key,):
        if identifier not in done:
            if not send_one(identifier):
                return False
            done.add(identifier)
    return True


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
    is_over = bool(message.findings) and message.over.issuperset(message.findings)
    return NotifyType.SUCCESS if is_over else _type_of_open(message)


def _type_of_open(message: Message) -> NotifyType:
    return NotifyType.INFO if message.severity is None else _TYPES[message.severity]


_SENDERS: Final[Mapping[Form, Any]] = {Form.PAGERDUTY: _pagerduty, Form.OPSGENIE: _opsgenie}
