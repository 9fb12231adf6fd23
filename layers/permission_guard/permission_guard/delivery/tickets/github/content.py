"""A finding as a GitHub issue.

The body begins with a marker that GitHub does not show: the finding's id, and the mark of the bot's last write. Nothing
in the finding mentions a person or a team, refers to an issue, or is a link: GitHub would notify people for it.
https://github.github.com/gfm/
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from permission_guard.delivery.markdown import code, escape, fenced
from permission_guard.delivery.message import SectionStyle, compose
from permission_guard.delivery.text import cut, one_line
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.parts import within
from permission_guard.model import limits

if TYPE_CHECKING:
    from permission_guard.delivery.message import Section
    from permission_guard.model.findings import Finding

LABEL = "permission-guard"

_MARKER = re.compile(r"<!-- permission-guard (\{[^\n]*?\}) -->")
_LISTING = 8_000
_ELSEWHERE = "The rest does not fit into an issue. The command `permission-guard findings show` prints all of it."

# A zero-width space ends what GitHub would make a mention, a reference or a link of. In code GitHub makes none.
_AUTOLINKS = re.compile(r"@|#|://|www(?=\.)|GH-(?=\d)", re.IGNORECASE)
_BREAK = "&#8203;"


def title(finding: Finding) -> str:
    """Return the title of a finding's issue."""
    return one_line(f"{finding.rule_id}: {finding.title}", limits.GITHUB_TITLE_CHARACTERS)


def labels(finding: Finding) -> list[str]:
    """Return the labels of a finding's issue: the bot's, and one for the function or the role, to find it by."""
    return [LABEL, function_label(finding)]


def function_label(finding: Finding) -> str:
    """Return the label for the function or the role that a finding is about. A long name ends with its hash."""
    name = finding.function_arn.partition(":function:")[2] or finding.target_arn.rpartition("/")[2]
    label = one_line(name.replace(",", "_"), len(name)) or "unnamed"
    if len(label) <= limits.GITHUB_LABEL_CHARACTERS:
        return label
    digest = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{label[: limits.GITHUB_LABEL_CHARACTERS - len(digest) - 1]}-{digest}"


def body(finding: Finding, mark: Mark) -> str:
    """Return the body of a finding's issue: the marker and Markdown within the size limit."""
    message = compose(finding)
    facts = "\n".join(f"- {label}: {code(value)}" for label, value in message.facts)
    head = [_marker(finding, mark), f"**{_prose(message.happened)}**", code(message.resource)]
    parts = [*map(_section, message.sections), facts, *map(_section, message.evidence)]
    room = limits.GITHUB_BODY_CHARACTERS - sum(len(part) + 2 for part in head) - len(_ELSEWHERE) - 2
    kept, is_all = within(parts, room, lambda part: len(part) + 2)
    return "\n\n".join([*head, *kept, *([] if is_all else [_ELSEWHERE])])


def marked(text: str, finding: Finding) -> Mark | None:
    """Return the mark in the body of an issue, None if it is not the issue of this finding.

    The first marker counts: the bot writes it before everything that comes from AWS.
    """
    found = _MARKER.search(text)
    if found is None:
        return None
    try:
        values = json.loads(found[1])
    except ValueError:
        return None
    return Mark.read(values) if values.get("finding") == finding.id else None


def _marker(finding: Finding, mark: Mark) -> str:
    values = json.dumps({"finding": finding.id, **mark.values()})
    return f"<!-- permission-guard {values.replace('--', '-')} -->"


def _section(section: Section) -> str:
    heading = f"**{_prose(section.title)}**"
    if section.style is SectionStyle.PROSE:
        return f"{heading}\n\n{_prose(section.text)}"
    text = section.text if section.style is SectionStyle.COMMAND else cut(section.text, _LISTING)
    return f"{heading}\n\n{fenced(text)}"


def _prose(text: str) -> str:
    return _AUTOLINKS.sub(_broken, escape(text.replace("&", "&amp;")))


def _broken(found: re.Match[str]) -> str:
    """Return a match with a zero-width space in it, or after it if that is what ends the name."""
    text = found[0]
    return f":{_BREAK}//" if text == "://" else f"{text}{_BREAK}"
