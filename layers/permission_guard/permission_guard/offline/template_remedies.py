"""Remedies for findings in templates: with references, and without commands, which the next deployment would undo."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import parse_arn
from permission_guard.model.verdicts import Remedy
from permission_guard.remedies.cloudformation import comment
from permission_guard.remedies.quoting import quoted

if TYPE_CHECKING:
    from permission_guard.model.verdicts import Verdict
    from permission_guard.offline.physical_names import Place
    from permission_guard.offline.scenarios import OfflineCheck

_LINE: Final = re.compile(r"((?:# )?\s*)(\w+): (.+)", re.ASCII)
_REFERENCE: Final = re.compile(r"\$\{([\w:.]+)\}", re.ASCII)
_FOR_TEMPLATES: Final = ("sam", "policy-statement")


def remedies_in(verdict: Verdict, offline_check: OfflineCheck, place: Place | None) -> tuple[Remedy, ...]:
    """Return the remedies of a verdict that apply to the file; a template has a place."""
    if place is None or not offline_check.from_template:
        return verdict.remedies
    kept = [remedy for kind in _FOR_TEMPLATES for remedy in verdict.remedies if remedy.kind == kind]
    if not kept:
        return (Remedy("sam", comment(f"Change or remove {offline_check.source_id} in the template.")),)
    return tuple(
        replace(remedy, text=_in_template(remedy.text, offline_check, place)) if remedy.kind == "sam" else remedy
        for remedy in kept
    )


def _in_template(text: str, offline_check: OfflineCheck, place: Place) -> str:
    return "\n".join(_line(line, offline_check, place) for line in text.split("\n"))


def _line(line: str, offline_check: OfflineCheck, place: Place) -> str:
    """Replace the value of a line by references, if the template has an expression for it or for a part of it."""
    match = _LINE.fullmatch(line)
    if match is None:
        return line
    import yaml  # noqa: PLC0415 - only remedies for templates need it

    indent, key, scalar = match.groups()
    value = yaml.safe_load(scalar)
    if not isinstance(value, str):
        return line
    expression = offline_check.expressions.get(value)
    reference = _REFERENCE.fullmatch(value)
    if expression:
        new = expression
    elif reference:
        new = f"!{'GetAtt' if '.' in reference[1] else 'Ref'} {reference[1]}"
    elif value == place.account:
        new = "!Ref AWS::AccountId"
    elif value.startswith("arn:") or "${" in value:
        new = f"!Sub {quoted(_generalized(value, place))}"
    else:
        return line
    return f"{indent}{key}: {new}"


def _generalized(value: str, place: Place) -> str:
    """Return an ARN with pseudo parameters for the partition, region and account of the deployment."""
    arn = parse_arn(value)
    if arn is None:
        return value
    partition = "${AWS::Partition}" if arn.partition == place.partition else arn.partition
    region = "${AWS::Region}" if arn.region == place.region else arn.region
    account = "${AWS::AccountId}" if arn.account == place.account else arn.account
    return f"{arn.prefix}:{partition}:{arn.service}:{region}:{account}:{arn.resource}"
