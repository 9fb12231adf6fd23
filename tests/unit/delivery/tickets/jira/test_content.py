"""The content of a finding's Jira issue, as a valid document within Jira's limits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.jira.content import (
    comment,
    description,
    finding_label,
    marked,
    property_value,
    summary,
)
from permission_guard.model.verdicts import Remedy
from tests.integration.tickets.contract import APPLIED, HOSTILE, OPENED, RESOLVED
from tests.integration.tickets.jira import check, plain

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding
    from permission_guard.model.targets import JSON

LONG = replace(
    OPENED,
    reason="🚀" * 4_000,
    remedies=tuple(Remedy("aws-cli", f"command {number} " + "x" * 6_000) for number in range(8)),
    evidence={"a": "b" * 60_000},
)
EMPTY = replace(OPENED, title="", reason="", impact="", evidence={}, remedies=(), subject="")


def test_an_issue_has_the_problem_and_the_fix() -> None:
    """A command is a block of code."""
    document = description(OPENED)
    assert summary(OPENED) == "[HIGH] PG201: orders cannot read its SQS queue"
    assert summary(RESOLVED) == "PG201: orders cannot read its SQS queue"
    assert document["content"][0]["content"][0]["text"] == "A problem was found."
    commands = [node["content"][0]["text"] for node in document["content"] if node["type"] == "codeBlock"]
    assert OPENED.remedies[0].text in commands
    assert f"Finding id: \n{OPENED.id}" in plain(document)


def test_the_function_is_a_link_to_the_console() -> None:
    """Every other text has no mark of a link."""
    texts = [text for node in description(OPENED)["content"] for text in node["content"]]
    links = [text for text in texts if {"link"} & {mark["type"] for mark in text.get("marks", ())}]
    assert [text["text"] for text in links] == ["orders", OPENED.changed_event]
    assert "2026-11-20T10:15:30Z" in [text["text"] for text in texts]


@pytest.mark.parametrize("finding", [OPENED, APPLIED, RESOLVED, LONG, EMPTY, replace(OPENED, reason=HOSTILE)])
def test_every_document_is_valid_and_fits(finding: Finding) -> None:
    """No node is empty, and no text is markup."""
    document = description(finding)
    check(document)
    assert len(json.dumps(document)) <= 32_767
    assert 0 < len(summary(replace(finding, title="t" * 400))) <= 255
    check(comment("Closed too early."))


def test_a_long_finding_has_no_half_a_command() -> None:
    """What does not fit is named."""
    text = plain(description(LONG))
    assert text.endswith(f"The rest does not fit into an issue. See permission-guard findings show {OPENED.id}.")
    shown = [line for line in text.splitlines() if line.startswith("command ")]
    assert 0 < len(shown) < 8
    assert {len(line) for line in shown} == {6_010}


def test_the_property_has_the_id_and_the_mark() -> None:
    """JQL finds the issue by a label that has the id."""
    value = property_value(APPLIED, Mark.of(APPLIED, has_comment=True))
    assert marked(value, APPLIED) == Mark.of(APPLIED, has_comment=True)
    others: list[JSON] = [None, [], {}, {"finding": "another"}]
    assert [marked(other, APPLIED) for other in others] == [None] * 4
    assert finding_label(OPENED) == f"permission-guard-{OPENED.id}"
    assert finding_label(replace(OPENED, id='x" OR 1=1')) == "permission-guard-x__OR_1_1"
