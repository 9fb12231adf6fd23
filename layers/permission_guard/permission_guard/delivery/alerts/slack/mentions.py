"""Whom a Slack message mentions: the owner of the function, as the configuration maps owners to Slack.

The owner is a tag's value, which others choose. Only the configuration says who that is in Slack, and the mention is an
element of `rich_text`, not text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.model.findings import Transition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.message import Message
    from permission_guard.model.targets import JSON

_USER: Final = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_GROUP: Final = re.compile(r"S[A-Z0-9]{1,30}", re.ASCII)
_STARTS: Final = ((str(Transition.OPENED),), (str(Transition.REOPENED),))


def is_start(message: Message) -> bool:
    """Return whether a message says that a problem exists since now: it was opened or reopened."""
    return message.severity is not None and message.attributes.get("transition") in _STARTS


def mention(message: Message, owners: Mapping[str, str]) -> dict[str, JSON] | None:
    """Return the element that mentions the owner, None for nobody. Only a finding's start mentions somebody.

    `owners` has the id of a Slack user or user group for each owner. Others than such ids mention nobody.
    """
    member = owners.get(message.owner, "") if message.owner and is_start(message) else ""
    if _USER.fullmatch(member):
        return {"type": "user", "user_id": member}
    return {"type": "usergroup", "usergroup_id": member} if _GROUP.fullmatch(member) else None
