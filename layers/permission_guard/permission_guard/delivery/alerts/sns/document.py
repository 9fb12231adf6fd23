"""A message as a JSON document, for programs. Its schema is `docs/schemas/alert.v1.json`, generated from the records.

Programs have one text to parse where people have the mail: who reads the document does not depend on our sentences'
order. Fields may be added to version 1; none is removed or gets another meaning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from permission_guard.delivery.formats.blocks import shortened
from permission_guard.delivery.formats.plain import fact_text
from permission_guard.delivery.message import Link, Section
from permission_guard.delivery.text import cut, one_line
from permission_guard.model.documents import as_document
from permission_guard.model.verdicts import Severity  # noqa: TC001 - the schema is generated from the annotations
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from permission_guard.delivery.message import Fact, Message
    from permission_guard.model.targets import JSON

VERSION: Final = 1

_OMITTED_SHOWN: Final = 20
_LONGEST_TITLE: Final = 100
_OMITTED_BYTES: Final = 4 * _OMITTED_SHOWN * (_LONGEST_TITLE + 8)
"""A character takes four bytes at most, also a quotation mark that is escaped twice."""


@record
class LabelledText:
    """A fact: its label, its text, and the links in it. A time is in UTC, such as `2026-11-20T10:15:30Z`."""

    label: str
    text: str
    links: tuple[Link, ...] = ()


@record(kw_only=True)
class AlertDocument:
    """A message. `severity` is null if nothing needs attention; the attribute `severity` is that of the finding.

    `key` is the same for the same message, also when it is received again. `sections` say why it matters and how to fix
    it: those of the style `command` are to paste, and are whole. `omitted` are the titles of the sections that were
    omitted because of the size limit, at most 20; `rest` says where to see them.
    """

    version: int
    key: str
    group: str
    finding_ids: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    headline: str
    title: str
    state: str
    severity: Severity | None
    happened: str
    owner: str
    facts: tuple[LabelledText, ...]
    sections: tuple[Section, ...]
    references: tuple[LabelledText, ...]
    evidence: tuple[Section, ...]
    omitted: tuple[str, ...]
    rest: str


def document(message: Message) -> str:
    """Return all of a message as a JSON document."""
    return _json(_document(message, message.sections, message.evidence, ()))


def document_within(message: Message, limit: int, size: Callable[[str], int]) -> str:
    """Return a message as a JSON document whose `size` is at most `limit`, without the sections that do not fit.

    A section of prose or a listing takes at most a sixth of it; commands are whole or not at all.
    """
    whole = document(message)
    if size(whole) <= limit:
        return whole
    left = limit - size(_json(_document(message, (), (), ()))) - _OMITTED_BYTES
    omitted: list[str] = []

    def fitting(sections: Iterable[Section]) -> Iterable[Section]:
        nonlocal left
        for section in (shortened(one, limit // 6) for one in sections):
            needed = size(_json(as_document(section)) + ", ")
            if needed > left:
                omitted.append(cut(one_line(section.title, _LONGEST_TITLE), _LONGEST_TITLE))
            else:
                left -= needed
                yield section

    sections, evidence = tuple(fitting(message.sections)), tuple(fitting(message.evidence))
    return _json(_document(message, sections, evidence, tuple(omitted[:_OMITTED_SHOWN])))


def all_attributes(message: Message) -> dict[str, tuple[str, ...]]:
    """Return what subscribers filter by: the attributes of a message, its findings and the owner."""
    owner = one_line(message.owner, _LONGEST_TITLE)
    return {
        **message.attributes,
        **({"finding_id": message.findings} if message.findings else {}),
        **({"owner": (owner,)} if owner else {}),
    }


def _document(
    message: Message, sections: tuple[Section, ...], evidence: tuple[Section, ...], omitted: tuple[str, ...]
) -> JSON:
    return as_document(
        AlertDocument(
            version=VERSION,
            key=message.key,
            group=message.group,
            finding_ids=message.findings,
            attributes=all_attributes(message),
            headline=message.headline,
            title=message.title,
            state=message.state,
            severity=message.severity,
            happened=message.happened,
            owner=message.owner,
            facts=tuple(map(_labelled, message.facts)),
            sections=sections,
            references=tuple(map(_labelled, message.references)),
            evidence=evidence,
            omitted=omitted,
            rest=message.rest if omitted else "",
        )
    )


def _labelled(fact: Fact) -> LabelledText:
    return LabelledText(fact.label, fact_text(fact), tuple(part for part in fact.parts if isinstance(part, Link)))


def _json(document: JSON) -> str:
    return json.dumps(document, ensure_ascii=False)
