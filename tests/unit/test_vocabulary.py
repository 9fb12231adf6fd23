"""One word a meaning: what users read uses AWS's words, and none of those that the project once had for them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer.main
from typer.testing import CliRunner

from permission_guard.checks.engine import evaluate
from permission_guard.cli.app import app
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.model.findings import Finding
from permission_guard.rules import RULES
from tests.paths import CASES, FINDINGS, REPOSITORY
from tests.rule_cases import RULE_CASES, snapshot_of, trust_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAY: Final = {
    r"looks?|looked|looking": "check",
    r"occasions?": "check request",
    r"begun": "started",
    r"(lets?|letting) (\w+ )?in|be let": "allow",
    r"cures?|cured|puts? right": "remedy, fix",
    r"tell|tells|told|telling": "report, notify, alert",
    r"refusals?": "denied call",
    r"pass(es|ed)? over|spares?|spared": "skip, ignore",
    r"switched off|gone|anew": "disabled, deleted, recreate",
    r"agrees? with itself|settles?|settled|settling": "propagate, grace period",
    r"thorough|thoroughly": "full check",
    r"not certain|hangs? on|hanging on": "unknown, depends on",
    r"used wrongly|wrongly used": "invalid usage",
    r"worlds?|holes?": "scenario, unresolved value",
}
"""The vocabulary: patterns of words that no text has, and what to write instead."""

_NOT: Final = {re.compile(rf"\b(?:{words})\b", re.IGNORECASE): instead for words, instead in SAY.items()}

LONGEST_TITLE: Final = 70
DOCUMENTS: Final = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "sandbox" / "README.md"]
)


def found_in(text: str) -> list[str]:
    """Return each word of the text that has another name, with that name."""
    return [f"{match[0]!r}: say {instead}" for words, instead in _NOT.items() for match in words.finditer(text)]


def readable(text: str) -> str:
    """Return a document without code and addresses: names of AWS and of other projects are as they are."""
    without_blocks = re.sub(r"```.*?```|^ {4}[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`]*`|https?://\S+", "", without_blocks)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_documents_use_the_words_of_the_field(path: Path) -> None:
    """The rules' pages among them, which are generated from the rules' docstrings."""
    assert found_in(readable(path.read_text())) == []


@pytest.mark.parametrize("name", ["template.yaml", "stacks/iam_events.yaml"])
def test_descriptions_of_templates_use_the_words_of_the_field(name: str) -> None:
    """Parameters, alarms and outputs are read in the console; comments by whoever changes the template."""
    assert found_in(readable((REPOSITORY / name).read_text())) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_a_rule_says_of_its_cases_uses_the_words_of_the_field(rule: type) -> None:
    """Titles, reasons, impacts and remedies, of every outcome."""
    wrong = {}
    for path in RULE_CASES:
        if path.parent.name != rule.id:  # type: ignore[attr-defined]
            continue
        case = json.loads(path.read_text())
        for verdict in evaluate(snapshot_of(case), [rule(trust_of(case))]).verdicts:
            texts = [verdict.title, verdict.reason, verdict.impact, *(remedy.text for remedy in verdict.remedies)]
            if words := found_in(readable("\n\n".join(texts))):
                wrong[path.name] = words
    assert wrong == {}


def test_titles_are_short() -> None:
    """They fit into one line of a list; a case with a long name is listed with the name that makes it long."""
    rules = {rule.id: rule for rule in RULES}
    titles = set()
    for path in RULE_CASES:
        case = json.loads(path.read_text())
        report = evaluate(snapshot_of(case), [rules[path.parent.name](trust_of(case))])
        titles |= {verdict.title for verdict in report.violations}
    assert [title for title in titles if len(title) > LONGEST_TITLE] == []


@pytest.mark.parametrize("path", sorted(FINDINGS.glob("*.json")), ids=lambda path: path.stem)
def test_alerts_use_the_words_of_the_field(path: Path) -> None:
    """As they are composed for every channel and ticket system."""
    assert found_in(text(compose(Finding.from_document(json.loads(path.read_text()))))) == []


def _commands() -> Iterator[list[str]]:
    root = typer.main.get_command(app)
    waiting: list[tuple[list[str], Any]] = [([], root)]
    while waiting:
        path, command = waiting.pop()
        yield path
        waiting += [([*path, name], child) for name, child in getattr(command, "commands", {}).items()]


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_help_uses_the_words_of_the_field(command: list[str]) -> None:
    """Of the program and of each of its commands."""
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert found_in(shown.output) == []


def test_the_words_are_found_where_they_are() -> None:
    """Whole words in any case, and none that only begins like one."""
    assert found_in("It Looked at it, and nobody is told.") == [
        "'Looked': say check",
        "'told': say report, notify, alert",
    ]
    assert found_in("A holey, worldly teller; `look`") == ["'look': say check"]
    shown = readable("See `look_queue` and\n\n    look at this\n\nNobody is told.\n")
    assert found_in(shown) == ["'told': say report, notify, alert"]


def test_cases_are_there() -> None:
    """What is not there cannot be wrong."""
    assert len(RULE_CASES) > 1_000
    assert CASES.is_dir()
