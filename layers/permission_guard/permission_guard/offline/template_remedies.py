"""Cures for what stands in a template: with its own references, and never a command that the next deployment undoes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from permission_guard.model.verdicts import Remedy

if TYPE_CHECKING:
    from permission_guard.model.verdicts import Verdict
    from permission_guard.offline.physical_names import Place
    from permission_guard.offline.scenarios import OfflineCheck

_LINE: Final = re.compile(r"(\s*)(\w+): (.+)")
_REFERENCE: Final = re.compile(r"\$\{([\w:.]+)\}")
_FOR_TEMPLATES: Final = ("sam", "policy-statement")


def remedies_in(verdict: Verdict, offline_check: OfflineCheck, place: Place) -> tuple[Remedy, ...]:
    """Return a finding's cures, the one that fits the file first."""
    if not offline_check.from_template:
        return verdict.remedies
    kept = [remedy for kind in _FOR_TEMPLATES for remedy in verdict.remedies if remedy.kind == kind]
    if not kept:
        return (Remedy("sam", f"# Change or remove {offline_check.source_id} in the template."),)
    return tuple(
        Remedy(remedy.kind, _in_template(remedy.text, offline_check, place)) if remedy.kind == "sam" else remedy
        for remedy in kept
    )


def _in_template(text: str, offline_check: OfflineCheck, place: Place) -> str:
    return "\n".join(_line(line, offline_check, place) for line in text.split("\n"))


def _line(line: str, offline_check: OfflineCheck, place: Place) -> str:
    """Write the value of a line by references, where it has an account, a region or something of the template's."""
    match = _LINE.fullmatch(line)
    if match is None:
        return line
    indent, key, written = match.groups()
    value = _plain(written)
    expression = offline_check.written.get(value)
    reference = _REFERENCE.fullmatch(value)
    if expression:
        new = expression
    elif reference:
        new = f"!{'GetAtt' if '.' in reference[1] else 'Ref'} {reference[1]}"
    elif value == place.account:
        new = "!Ref AWS::AccountId"
    elif value.startswith("arn:") or "${" in value:
        new = f"!Sub {json.dumps(_generalized(value, place))}"
    else:
        return line
    return f"{indent}{key}: {new}"


def _plain(written: str) -> str:
    """Return a YAML scalar's text."""
    if not written.startswith('"'):
        return written
    try:
        return str(json.loads(written))
    except ValueError:
        return written


def _generalized(value: str, place: Place) -> str:
    """Return an ARN with the partition, region and account of wherever it is deployed."""
    own = {1: (place.partition, "Partition"), 3: (place.region, "Region"), 4: (place.account, "AccountId")}
    parts = value.split(":", 5)
    if len(parts) < 6:  # noqa: PLR2004 - an ARN has six parts
        return value
    return ":".join(
        f"${{AWS::{own[index][1]}}}" if index in own and part == own[index][0] else part
        for index, part in enumerate(parts)
    )
