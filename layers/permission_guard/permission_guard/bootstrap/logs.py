"""The logger and the metrics of each Lambda function.

Functions take both from here, so that `bootstrap` is imported before Powertools and boto3: it keeps cold starts short.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNT: Final = MetricUnit.Count

MAX_LINE: Final = 16_384
"""The longest line, in characters: what is logged costs money, and names and messages come from others."""

_MAX_TEXT: Final = 2_000
_MAX_ITEMS: Final = 20
_MAX_KEYS: Final = 50
_MAX_DEPTH: Final = 4
_MAX_BITS: Final = 64
_SHORT: Final = 200


def function_logger(name: str) -> Logger:
    """Return the logger of a function. It bounds every line, and escapes what is not ASCII.

    A line with an unpaired surrogate cannot be encoded, and would be lost.
    """
    return Logger(service=name, json_serializer=log_line)


def function_metrics(name: str) -> Metrics:
    """Return the metrics of a function."""
    return Metrics(namespace="PermissionGuard", service=name)


def log_line(entry: Mapping[str, Any]) -> str:
    """Return an entry of the log as one line of at most `MAX_LINE` characters.

    Of a long text the begin and the end are kept, of a long list the first items; each says how much is left out.
    """
    line = _json(_bounded(entry, _MAX_TEXT, _MAX_ITEMS))
    if len(line) > MAX_LINE:
        line = _json(_bounded(entry, _SHORT, 3))
    if len(line) > MAX_LINE:
        kept = {key: entry[key] for key in ("level", "message", "timestamp", "service") if key in entry}
        line = _json(_bounded({**kept, "left_out": f"{len(line)} characters"}, _SHORT, 3))
    return line


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _bounded(value: Any, longest: int, most: int, depth: int = 0) -> Any:
    """Return a value as JSON, with a bound for each text, for each list or object, and for their depth."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_BITS else f"a number of {value.bit_length()} bits"
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        if depth == _MAX_DEPTH:
            return f"{len(value)} more"
        if isinstance(value, dict):
            kept = islice(value.items(), _MAX_KEYS)
            bounded = {_shortened(str(key), _SHORT): _bounded(one, longest, most, depth + 1) for key, one in kept}
            return bounded | ({"left_out": f"{len(value) - _MAX_KEYS} more"} if len(value) > _MAX_KEYS else {})
        shown = [_bounded(one, longest, most, depth + 1) for one in islice(value, most)]
        return [*shown, f"{len(value) - most} more"] if len(value) > most else shown
    return _shortened(str(value), longest)


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    end = longest // 2  # the last lines of a traceback have the error
    return f"{text[: longest - end]} … {len(text) - longest} characters left out … {text[-end:]}"
