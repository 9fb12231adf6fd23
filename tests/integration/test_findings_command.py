"""`permission-guard findings` reads a deployed stack: what it lists and shows, whatever the items are."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.aws.tables.finding_items import finding_item
from tests import sts
from tests.fakes import FUNCTION_ARN
from tests.integration.requests import deploy
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Account

from tests.integration.findings_command import (
    OF_ROLE,
    OPEN,
    RESOLVED,
    SOON,
    SUPPRESSED,
    SUPPRESSION,
    WORST,
    Done,
    deploy_with_findings,
    listed,
)


@pytest.fixture
def deployed(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a deployed stack that has findings, and whose functions can be invoked."""
    deploy_with_findings(account, monkeypatch)
    return account


# ── list ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_open_findings_are_listed_the_worst_first(deployed: Account) -> None:
    """One line each in a pipe, with the short id that the other commands take."""
    done = Done("list")
    assert (done.code, done.err) == (0, "")
    rows = [line for line in done.out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row.split("│")[1:6]] for row in rows] == [
        ["critical", "PG101", "invoices", WORST.title, "open"],
        ["high", "PG201", "orders", OPEN.title, "open"],
        ["low", "PG208", "role orders-role", OF_ROLE.title, "open"],
    ]
    assert all(one.id[:8] in row for one, row in zip((WORST, OPEN, OF_ROLE), rows, strict=True))
    assert "3 open findings." in done.out
    assert "\x1b" not in done.out


FILTERED: list[tuple[tuple[str, ...], list[str]]] = [
    (("--status", "suppressed"), [SUPPRESSED.title]),
    (("--status", "resolved"), [RESOLVED.title]),
    (("--severity", "high"), [WORST.title, OPEN.title]),
    (("--severity", "critical"), [WORST.title]),
    (("--rule", "pg208", "--rule", "PG101"), [WORST.title, OF_ROLE.title]),
    (("--rule", "event-source-read-missing"), [OPEN.title]),
    (("--rule", "PG999"), []),
    (("--function", "ord*"), [OPEN.title, OF_ROLE.title]),
    (("--function", "invoice?"), [WORST.title, OF_ROLE.title]),
    (("--role", "orders-*"), [OF_ROLE.title]),
    (("--role", "other"), []),
    (("--limit", "1"), [WORST.title]),
]


def test_filters_narrow_the_list(deployed: Account) -> None:
    """A finding about a role is found by the functions that use it, too."""
    for options, titles in FILTERED:
        assert listed(*options) == titles, options


def test_every_status_can_be_listed_together(deployed: Account) -> None:
    """Each with its status, so that what is suppressed is visible as such."""
    done = Done("list", "--status", "all", "--format", "json").document
    assert sorted(one["status"] for one in done["findings"]) == ["open"] * 3 + ["resolved", "suppressed"]
    assert done["counts"] == {"found": 5, "shown": 5, "unreadable": 0}


def test_an_empty_list_says_so(account: Account, server: sts.Sts) -> None:
    """Instead of a table without rows."""
    deploy()
    assert (Done("list").code, Done("list").out) == (0, "There are no open findings.\n")
    assert Done("list", "--severity", "high").out == "There are no open findings that match.\n"
    assert Done("list", "--format", "json").document["findings"] == []


def test_what_the_limit_leaves_out_is_counted(deployed: Account) -> None:
    """A short list must not look like a complete one."""
    done = Done("list", "--limit", "2")
    assert "3 open findings. The worst 2 are shown" in done.out
    assert Done("list", "--limit", "2", "--format", "json").document["counts"]["found"] == 3


def test_no_cell_of_the_csv_file_is_a_formula(deployed: Account) -> None:
    """A spreadsheet would run it."""
    done = Done("list", "--status", "suppressed", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["suppression_reason"] == "'=cmd|' /C calc'!A0"
    assert (row["id"], row["suppressed_by"]) == (SUPPRESSED.id, sts.CALLER)


HOSTILE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "not JSON": lambda item: {**item, "document": {"S": "{"}},
    "nested": lambda item: {**item, "document": {"S": "[" * 9_000}},
    "no document": lambda item: {name: value for name, value in item.items() if name != "document"},
    "binary document": lambda item: {**item, "document": {"B": b"\xff"}},
    "a list": lambda item: {**item, "document": {"S": "[]"}},
    "another key": lambda item: {**item, "sk": {"S": "FINDING#" + "0" * 32}},
    "no finding": lambda item: {**item, "sk": {"S": "CHECK#x"}},
    "no target": lambda item: {**item, "pk": {"S": "\x1b[2J"}},
    "another status": lambda item: {**item, "document": finding_item(replace(RESOLVED, id=OPEN.id))["document"]},
    "another revision": lambda item: {**item, "revision": {"N": "7"}},
}


def test_items_that_cannot_be_read_are_counted_and_block_nothing(deployed: Account) -> None:
    """The others are listed, and the exit code says that some are missing."""
    item = finding_item(OPEN)
    for name, damage in HOSTILE.items():
        damaged = damage(item)
        deployed.dynamodb.delete_item(TableName=TABLE_NAME, Key={key: item[key] for key in ("pk", "sk")})
        deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=damaged)
        table, document = Done("list"), Done("list", "--format", "json")
        assert (table.code, document.code, Done("list", "--format", "csv").code) == (3, 3, 3), name
        assert WORST.title in table.out
        assert "1 item of the table could not be read as a finding: " in table.err
        assert "\x1b" not in table.out + table.err
        assert [one["title"] for one in document.document["findings"]] == [WORST.title, OF_ROLE.title]
        assert len(document.document["unreadable"]) == document.document["counts"]["unreadable"] == 1
        deployed.dynamodb.delete_item(TableName=TABLE_NAME, Key={key: damaged[key] for key in ("pk", "sk")})


def test_texts_of_others_cannot_write_to_the_terminal(deployed: Account) -> None:
    """Nor use markup, whatever format is chosen."""
    text = "\x1b[2J\u202e[red]fine[/red] [link=https://example.com]x[/link]\x00"
    deployed.dynamodb.put_item(
        TableName=TABLE_NAME,
        Item=finding_item(replace(WORST, title=text, reason=text, impact=text, changed_by=text, evidence={text: text})),
    )
    for words in (("list",), ("list", "--format", "csv"), ("list", "--format", "json"), ("show", WORST.id)):
        done = Done(*words)
        assert done.code == 0
        assert all(char.isprintable() or char == "\n" for char in done.out)
    assert "[red]fine[/red]" in Done("list").out


def test_many_findings_are_read_in_batches(deployed: Account) -> None:
    """At most a hundred items a call, and no item twice."""
    for number in range(150):
        one = replace(OPEN, id=f"{number:032x}")
        deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=finding_item(one))
    assert len(listed()) == 153


# ── show ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_shown_by_the_start_of_its_id(deployed: Account) -> None:
    """All of it: also what is suppressed or resolved."""
    done = Done("show", OPEN.id[:6])
    assert (done.code, done.err) == (0, "")
    for text in (OPEN.title, OPEN.id, FUNCTION_ARN, OPEN.reason, OPEN.impact, "not known: no event names it"):
        assert text in done.out
    assert Done("show", OPEN.id, "--format", "json").document == json.loads(json.dumps(OPEN.to_document()))
    assert "It was resolved" in Done("show", RESOLVED.id).out
    assert f"until {SUPPRESSION.until}" in Done("show", SUPPRESSED.id).out


@pytest.mark.parametrize("command", [("show",), ("suppress", "--until", SOON, "--reason", "x"), ("unsuppress",)])
def test_an_id_must_name_one_finding(deployed: Account, command: tuple[str, ...]) -> None:
    """Six characters at least, of one that exists."""
    name, *options = command
    ambiguous = Done(name, "a" * 6, *options)
    assert ambiguous.code == 2
    assert ambiguous.err == f"2 findings start with aaaaaa: {RESOLVED.id}, {SUPPRESSED.id}. Give more characters.\n"
    unknown = Done(name, "0" * 8, *options)
    assert (unknown.code, unknown.err.split(":")[0]) == (1, "There is no finding 00000000")
    for bad in (OPEN.id[:5], "g" * 8, "\x1b[2J", OPEN.id + "0"):
        done = Done(name, bad, *options)
        assert (done.code, "\x1b" in done.err) == (2, False)
        assert "ID requires 6 to 32 characters" in done.err


def test_a_finding_that_cannot_be_read_is_not_called_missing(deployed: Account) -> None:
    """The exit code is 3, as for a list."""
    deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=HOSTILE["not JSON"](finding_item(OPEN)))
    done = Done("show", OPEN.id)
    assert done.code == 3
    assert "could not be read as a finding" in done.err
