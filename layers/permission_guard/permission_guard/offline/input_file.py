"""Read files in JSON, or in YAML with CloudFormation's short forms."""

from __future__ import annotations

import codecs
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError, UnreadFileError, UnsupportedFileError
from permission_guard.offline.bounds import MAX_BYTES, TOO_DEEP, TOO_LARGE, outside_time_bound, require_within_bounds

if TYPE_CHECKING:
    from pathlib import Path

STDIN: Final = "-"

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(path: Path) -> Any:
    """Return the content of a file, `-` for standard input.

    InputError if it is neither JSON nor YAML, UnsupportedFileError if it cannot be a template or policy,
    UnreadFileError if it is over a bound.
    """
    try:
        with outside_time_bound():  # a command that writes to a pipe may take its time
            content = bytes_of(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise UnreadFileError(TOO_LARGE)
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnsupportedFileError("not UTF-8 text") from error
    if not text.strip():
        raise UnsupportedFileError("empty: neither a policy nor a template")
    return parse(text)


def bytes_of(path: Path) -> bytes:
    """Return at most one byte more than a file may have: a device has no end."""
    if str(path) == STDIN:
        if sys.stdin is None:
            raise InputError("standard input is closed")
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def parse(text: str) -> Any:
    """Return the value of JSON or YAML text. The same errors as `read`."""
    try:
        document = json.loads(text)
    except ValueError as error:
        if text.lstrip()[:1] in {"{", "["} and "\n" not in text.strip():
            raise InputError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise UnreadFileError(TOO_DEEP) from error
    else:
        require_within_bounds(document)
        return document
    try:
        from permission_guard.offline.cloudformation_yaml import parse as parse_yaml  # noqa: PLC0415 - only YAML needs it
    except ModuleNotFoundError as error:
        raise InputError("YAML files need PyYAML: pip install pyyaml") from error
    return parse_yaml(text)
