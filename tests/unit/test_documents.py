"""What the documents say of the repository exists there: links, parameters, metrics, tests, and sections in alarms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard.model.findings import FixResult, Transition
from tests.paths import LAYER, REPOSITORY
from tests.unit.test_vocabulary import DOCUMENTS

if TYPE_CHECKING:
    from pathlib import Path

README: Final = REPOSITORY / "README.md"
OPERATIONS: Final = REPOSITORY / "docs" / "operations.md"
THREAT_MODEL: Final = REPOSITORY / "docs" / "threat-model.md"
TEMPLATES: Final = (REPOSITORY / "template.yaml", REPOSITORY / "stacks" / "iam_events.yaml")
EN_DASH: Final = "\N{EN DASH}"
HANDLED: Final = {FixResult.PROPOSED, FixResult.APPLIED, FixResult.REFUSED, FixResult.FAILED}
RECORDED_BY_CHECKS: Final = {Transition.OPENED, Transition.REOPENED, Transition.RESOLVED}


def text_of(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"```.*?```|^ {4}[^\n]*$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """Return the links of a document to files or sections that do not exist."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        is_document = target.suffix == ".md" and target.is_file()
        if link.startswith(("https:", "mailto:")):
            continue
        if not target.exists() or (anchor and is_document and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_to_files_and_sections(path: Path) -> None:
    """A heading that was changed breaks the links to it."""
    assert broken_links(path) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """To a file, and to a section of this one or of another one; not to a page of others."""
    other = tmp_path / "other.md"
    other.write_text("# What `auto` applies\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n[a](#page) [b](other.md#what-auto-applies) [c](https://example.com/#x)"
        " [d](#pages) [e](other.md#what-auto) [f](absent.md)\n\n    [g](code.md)\n"
    )
    assert broken_links(page) == ["#pages", "other.md#what-auto", "absent.md"]


def test_the_readme_has_every_parameter_with_its_default() -> None:
    """In the table of parameters; an empty default is a dash."""
    template = TEMPLATES[0].read_text()
    parameters = template[template.index("\nParameters:\n") : template.index("\nConditions:\n")]
    found = dict(re.findall(r"^  (\w+):\n    Type: .+\n    Default: \"?([^\"\n]*)\"?$", parameters, re.MULTILINE))
    assert len(found) == len(re.findall(r"^  \w+:$", parameters, re.MULTILINE)) > 0
    table = README.read_text().partition("\n| parameter | default | what it does |\n")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \| .+ \|$", table, re.MULTILINE))
    assert rows == {name: default or EN_DASH for name, default in found.items()}


def counted() -> set[str]:
    """Return the metrics that the code counts."""
    names = {f"Fixes{result.capitalize()}" for result in HANDLED}
    names |= {f"Findings{transition.removeprefix('Finding ')}" for transition in RECORDED_BY_CHECKS}
    for path in [*LAYER.rglob("*.py"), *(REPOSITORY / "functions").rglob("*.py")]:
        code = path.read_text()
        names |= set(re.findall(r"""(?:add_metric\(name=|[_.]count\()f?"([A-Z][A-Za-z]+)\"""", code))
        for pair in re.findall(r'(?:name=|[_.]count\()"([A-Z]\w+)" if [\w.]+ else "([A-Z]\w+)"', code):
            names |= set(pair)
    return names


def test_the_operations_page_has_every_metric() -> None:
    """People read there which of them need action."""
    metrics = counted()
    assert {"CallersUnproven", "DecisionsRefused", "EventsRefused", "DeliveriesRepaired", "ReadsDenied"} <= metrics
    page = OPERATIONS.read_text()
    assert sorted(name for name in metrics if f"`{name}`" not in page) == []


def test_alarms_name_a_section_of_the_operations_page() -> None:
    """Whoever gets an alarm searches for this title."""
    headings = re.findall(r"^## (.+)$", OPERATIONS.read_text(), re.MULTILINE)
    for path in TEMPLATES:
        template = path.read_text()
        alarms = len(re.findall(r"^    Type: AWS::CloudWatch::Alarm$", template, re.MULTILINE))
        named = re.findall(r"See docs/operations\.md,\s+\"([^\"]+)\"\.", template)
        assert len(named) == alarms > 0, path.name
        assert set(named) <= set(headings), path.name


def test_the_tests_that_the_threat_model_names_exist() -> None:
    """A guard that no test shows is a claim."""
    page = THREAT_MODEL.read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)
    assert len(named) > 30
    absent = [
        f"{name}::{function}"
        for name, function in named
        if not any(f"\ndef {function}(" in path.read_text() for path in (REPOSITORY / "tests").rglob(name))
    ]
    assert absent == []


def test_the_threat_model_describes_every_risk_that_it_refers_to() -> None:
    """And refers to every risk that it describes."""
    tables, _, risks = THREAT_MODEL.read_text().partition("\n## Accepted risks\n")
    described = re.findall(r"^\*\*(R\d+)\. ", risks, re.MULTILINE)
    assert described == [f"R{number}" for number in range(1, len(described) + 1)]
    assert set(re.findall(r"\bR\d+\b", tables)) <= set(described)
