"""Mutated items of the tables, to everything that reads them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.tables.deliveries import DeliveryTable
from permission_guard.aws.tables.findings import FindingsTable, read_finding
from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.aws.tables.role_index import RoleIndex
from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.ledger import Claim, Skip
from permission_guard.delivery.message import compose
from permission_guard.delivery.tickets.ops_item.content import content
from permission_guard.errors import UNREADABLE, ConflictError, DeliveryBusyError, MalformedEventError
from permission_guard.findings.checkpoint import Checkpoint, still_relevant
from permission_guard.findings.fit import fit
from permission_guard.findings.lifecycle import Change
from permission_guard.model.findings import Finding
from permission_guard.model.targets import Direction, RoleTarget
from tests.fakes import ACCOUNT, NOW
from tests.fuzz.aws import DELIVERIES, FINDINGS, ORDERS, OTHERS, FakeAws
from tests.fuzz.harness import COUNT, SEED
from tests.fuzz.material import (
    DOCUMENTS,
    KEYS,
    check_items,
    finding_items,
    finding_of,
    good_items,
    items_of,
    role_items,
    target_of,
)
from tests.fuzz.mutations import Mutator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.fuzz.dynamodb import Item

_A_TIME = 10
"""How many mutated items a table has at the same time."""


def mutated(samples: Sequence[Item], keys: tuple[str, ...] = KEYS) -> Iterator[tuple[str, Item]]:
    """Yield items, each with the seed that gives it."""
    for number in range(COUNT):
        seed = f"{SEED}/{samples[0][keys[0]]['S']}/{number}"
        random = Random(seed)
        yield seed, Mutator(random).item(random.choice(samples), keys, DOCUMENTS)


def mutated_parts(samples: Sequence[Item]) -> Iterator[tuple[str, list[Item]]]:
    """Yield some items at a time, each with its own key."""
    part: dict[str, Item] = {}
    for seed, item in mutated(samples):
        part[item["sk"]["S"]] = item
        if len(part) == min(_A_TIME, len(samples)) - 1:
            yield seed, list(part.values())
            part = {}


def is_usable(finding: Finding) -> bool:
    """Return whether a finding can be stored again, published, shown and compared."""
    assert Finding.from_document(json.loads(json.dumps(finding.to_document()))) is not None
    for shown in (fit(finding), fit(finding, 0)):
        texts = (
            compose(shown).body,
            json.dumps(payload(shown)),
            publication(shown).message,
            content(shown).description,
        )
        assert all(text.encode() for text in texts)
    return replace(finding, revision=finding.revision + 1) != finding


def test_a_finding_that_is_read_is_usable() -> None:
    """Whatever is not is rejected by the reader, and not by one of the many that use the finding."""
    read = 0
    for seed, item in mutated(finding_items()):
        with suppress(*UNREADABLE):
            finding = read_finding(item)
            read += 1
            try:
                assert is_usable(finding)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
    assert COUNT * 0.1 < read < COUNT * 0.9


def test_a_transition_is_read_or_rejected() -> None:
    """A record of the stream is a finding, or nothing to publish, or malformed: nothing else is raised."""
    outcomes = {Finding: 0, type(None): 0, MalformedEventError: 0}
    for seed, item in mutated((*finding_items(), *check_items(), *role_items())):
        try:
            outcomes[type(transition_of({"dynamodb": {"NewImage": item}}))] += 1
        except MalformedEventError:
            outcomes[MalformedEventError] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item!a:.3000}") from error
    assert all(outcomes.values())


def test_a_damaged_finding_does_not_hide_the_others() -> None:
    """The reader returns those that are readable, and names the others."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    good, read, damaged = finding_of(ORDERS, 9), 0, 0
    for seed, items in mutated_parts(finding_items()):
        aws.start()
        for item in (*items, *items_of([good])):
            aws.tables.put(FINDINGS, item)
        found, unreadable = table.findings_of(target_of(ORDERS)), table.unreadable_of(target_of(ORDERS))
        assert good in found, seed
        identifiers = {one.id for one in found} | unreadable
        assert identifiers == {good.id, *(item["sk"]["S"].removeprefix("FINDING#") for item in items)}, seed
        read, damaged = read + len(found) - 1, damaged + len(unreadable)
    assert read > COUNT * 0.05
    assert damaged > COUNT * 0.05


def test_one_damaged_finding_is_read_or_rejected() -> None:
    """As an approval reads it: by its key."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    read = 0
    for seed, item in mutated(finding_items()):
        aws.start()
        aws.tables.put(FINDINGS, item)
        identifier = item["sk"]["S"].removeprefix("FINDING#")
        try:
            finding = table.finding(target_of(ORDERS), identifier)
        except UNREADABLE:
            continue
        assert finding is not None, seed
        with suppress(ConflictError):  # the item has another revision than its document
            table.put_finding(Change(replace(finding, reason="Other words."), finding.revision))
        read += 1
    assert read > COUNT * 0.1


def test_a_damaged_checkpoint_is_dropped_and_overwritten() -> None:
    """Otherwise the function would never be checked again."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    kept = 0
    for number in range(COUNT):
        seed = f"{SEED}/checkpoint/{number}"
        random = Random(seed)
        item = dict(random.choice(check_items()))
        text = Mutator(random).text(json.loads(item["checkpoint"]["S"])).encode(errors="replace").decode()
        item["checkpoint"] = {"S": text[:300_000]}
        aws.start()
        aws.tables.put(FINDINGS, item)
        direction = Direction(item["sk"]["S"].removeprefix("CHECK#"))
        try:
            check = table.start_check(target_of(ORDERS), direction)
            denied = still_relevant(check.checkpoint.denied_calls, (), NOW)
            uses = [(one.mapping, one.invoke_config) for one in denied]
            after = replace(check.checkpoint, denied_calls=denied)
            assert Checkpoint.from_json(after.to_json()) == after
            assert table.commit_check(target_of(ORDERS), direction, check, after, changes=(), unknowns=(), now=NOW)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text!a:.3000}") from error
        kept += bool(uses)
    assert COUNT * 0.1 < kept < COUNT * 0.9


def test_a_damaged_finding_does_not_hide_functions_with_open_findings() -> None:
    """The sweep has all of them checked."""
    aws = FakeAws()
    table = FindingsTable(aws.client("dynamodb"), FINDINGS)
    for seed, items in mutated_parts(finding_items()):
        aws.start()
        mutator = Mutator(Random(seed))
        for item in items:
            pk = mutator.string(item["pk"]["S"]).encode(errors="replace").decode()[:500] or "FUNCTION#"
            aws.tables.put(FINDINGS, {**item, "pk": {"S": pk}})
        for item in good_items()[OTHERS[0]]:
            aws.tables.put(FINDINGS, dict(item))
        assert target_of(OTHERS[0]) in set(table.functions_with_open_findings()), seed


def test_a_damaged_entry_does_not_hide_the_functions_of_a_role() -> None:
    """One query reads the entries of all roles."""
    aws = FakeAws()
    role, other = RoleTarget(ACCOUNT, f"{OTHERS[0]}-role"), RoleTarget(ACCOUNT, "other")
    for seed, items in mutated_parts(role_items()):
        aws.start()
        mutator = Mutator(Random(seed))
        for item in items:
            sk = mutator.string(mutator.random.choice(role_items())["sk"]["S"])
            aws.tables.put(FINDINGS, {**item, "sk": {"S": sk.encode(errors="replace").decode()[:500] or "ROLE#"}})
        for item in role_items():
            aws.tables.put(FINDINGS, dict(item))
        index = RoleIndex(aws.client("dynamodb"), FINDINGS, FunctionReader(aws.client("lambda")))
        assert target_of(OTHERS[0]) in index.functions_of_roles((role, other))[role], seed


def test_a_damaged_delivery_record_is_read_or_rejected() -> None:
    """A claim succeeds, or is skipped, or fails for this one finding: nothing else is raised."""
    aws = FakeAws()
    ledger = DeliveryTable(aws.client("dynamodb"), DELIVERIES)
    now = datetime.fromisoformat(NOW).astimezone(UTC)
    sample: Item = {
        "finding_id": {"S": "cee529e84633a62d46d03b2a1ea636a0"},
        "channel": {"S": "sns"},
        "revision": {"N": "2"},
        "reference": {"S": "oi-000000000001"},
        "locked_until": {"N": "1795169400000"},
        "locked_by": {"S": "5d3c1a522b3f4d4e9c5b0a1b2c3d4e5f"},
        "expires_at": {"N": "1795169400"},
    }
    outcomes: dict[type, int] = {Claim: 0, Skip: 0}
    for seed, item in mutated([sample], ("finding_id", "channel")):
        aws.start()
        aws.tables.put(DELIVERIES, item)
        try:
            outcomes[type(ledger.claim(item["finding_id"]["S"], "sns", Random(seed).choice((2, 3)), now))] += 1
        except (ConflictError, DeliveryBusyError, *UNREADABLE) as error:
            outcomes[type(error)] = outcomes.get(type(error), 0) + 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {item}") from error
    assert all(outcomes[one] for one in (Claim, Skip))
