"""Forms with a meaning of their own: the rule that a text names, and the time at which an exception expires."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.config.forms import did_you_mean
from permission_guard.config.nodes import Scalar, described, quoted
from permission_guard.config.rule_names import ROLE_RULES, RULE_NAMES

if TYPE_CHECKING:
    from permission_guard.config.forms import Reading
    from permission_guard.config.nodes import Node

LONGEST_EXCEPTION: Final = timedelta(days=366)
"""A year, whichever it is."""

MOMENT_PATTERN: Final = r"20\d\d-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?"
_DATE_LENGTH: Final = len("2027-01-31")
_EXAMPLES: Final = "a date such as 2027-01-31, or a time with its offset such as 2027-01-31T09:00:00Z"

_IDS: Final = {name: rule_id for rule_id, name in RULE_NAMES.items()}


class RuleReference:
    """The id or name of a rule. Its value is the id."""

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Return the id of the rule."""
        text = node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
        if text is None:
            fix = "Write its id or name, such as PG107 or public-function-url."
            reading.add(node, path, f"{described(node)} is not a rule. {fix}")
        elif text in RULE_NAMES:
            return text
        elif text in _IDS:
            return _IDS[text]
        else:
            hint = f" Did you mean {text.upper()}?" if text.upper() in RULE_NAMES else did_you_mean(text, _IDS)
            fix = hint or " All rules: permission-guard rules list."
            reading.add(node, path, f"there is no rule {quoted(text)}.{fix}")
        return None


class FunctionRuleReference(RuleReference):
    """The id or name of a rule whose findings are about functions: the tags of a function never suppress others."""

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Return the id of the rule."""
        rule_id = super().read(node, path, reading)
        if rule_id not in ROLE_RULES:
            return rule_id
        reading.add(node, path, f"{rule_id} is about roles: tags of functions never suppress it. Remove it.")
        return None


class Expiry:
    """When an exception expires: a date, which means its first moment in UTC, or a time with an offset."""

    def read(self, node: Node, path: str, reading: Reading) -> datetime | None:
        """Return the time in UTC. A past time is a problem only if the reading rejects it."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            reading.add(node, path, f"{described(node)} is not a date. Write {_EXAMPLES}.")
            return None
        try:
            moment = _moment(node.text)
        except ValueError as error:
            reading.add(node, path, str(error))
            return None
        latest = reading.now + LONGEST_EXCEPTION
        problem = None
        if moment > latest:
            problem = f"is more than a year away. The latest date is {latest:%Y-%m-%d}."
        elif reading.rejects_expired and moment <= reading.now:
            problem = "is in the past. Remove the exception, or write a later date."
        if problem is None:
            return moment
        reading.add(node, path, f"{quoted(node.text)} {problem}")
        return None


def _moment(text: str) -> datetime:
    """Return the time that a text names. ValueError has a sentence with the fix."""
    match = re.fullmatch(MOMENT_PATTERN, text, re.ASCII)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a date. Write {_EXAMPLES}.")
    is_time = len(text) > _DATE_LENGTH
    if is_time and match[3] is None:
        raise ValueError(f"{quoted(text)} has no offset from UTC. Add one: {text}Z.")
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if is_time else moment.replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{quoted(text)} does not exist in the calendar. Write {_EXAMPLES}.") from None
