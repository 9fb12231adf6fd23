"""The verdicts on the event source mappings that users and tools write, for the corpus of the material.

`mapping_judgements` has the expected actions and the reasons: exactly these are missing or unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.state import Snapshot
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.base import NeedKind
from permission_guard.needs.event_sources import event_source_of
from permission_guard.rules import rules_for
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.conformance.mapping_judgements import JUDGEMENTS, OF_NO_TYPE, RECOMMENDED
from tools.corpus import mappings

if TYPE_CHECKING:
    from permission_guard.rules import Rule
    from permission_guard.rules.report import Report

JUDGED: Final = mappings.judged()
TRUST: Final = TrustSet(frozenset())

assert JUDGED, "the material has no corpus of event source mappings"


def expected(*, is_missing: bool) -> set[tuple[str, str]]:
    """Return the records and actions of the table."""
    return {
        (record, action)
        for judgement in JUDGEMENTS
        if judgement.is_missing is is_missing
        for record in judgement.records
        for action in judgement.actions
    }


def report(record: dict[str, object], *rules: Rule) -> Report:
    """Return the report of rules on a function with a record's mapping and role."""
    mapping, function, role = mappings.built(record)
    _, partition, _, region, account, _, name = function.arn.split(":")
    target = FunctionTarget(partition, region, account, name)
    state = Snapshot(target, function, mappings=(mapping,), versions={function.arn: function}, roles={role.arn: role})
    return evaluate(state, rules)


def test_exactly_the_actions_of_the_table_are_missing() -> None:
    """And exactly those of the table are unknown."""
    assert len(JUDGED) == 88
    assert {(item.record, action) for item in JUDGED for action, _ in item.missing} == expected(is_missing=True)
    assert {(item.record, action) for item in JUDGED for action, _ in item.unknown} == expected(is_missing=False)


def test_every_recommended_action_has_a_reason() -> None:
    """Some roles lack it, and it is never reported."""
    assert {action for item in JUDGED for action in item.recommended} == RECOMMENDED.keys()
    for item in JUDGED:
        assert not item.recommended & {action for action, _ in (*item.missing, *item.unknown)}


def test_only_the_listed_records_have_no_type() -> None:
    """Their source has no ARN; the rest of the corpus has a known type."""
    assert {item.record for item in JUDGED if not item.source} == OF_NO_TYPE


def test_every_judgement_has_a_title_of_its_own_and_a_reason() -> None:
    """Two judgements of one action of one record would count it twice."""
    assert len({judgement.title for judgement in JUDGEMENTS}) == len(JUDGEMENTS)
    assert all(judgement.why.endswith(".") for judgement in JUDGEMENTS)
    assert all(why.endswith(".") for why in RECOMMENDED.values())
    for is_missing in (True, False):
        pairs = [
            (record, action)
            for judgement in JUDGEMENTS
            if judgement.is_missing is is_missing
            for record in judgement.records
            for action in judgement.actions
        ]
        assert len(pairs) == len(set(pairs))


def test_the_rule_s_verdict_on_each_mapping_agrees_with_its_reading_needs() -> None:
    """A violation if an action is missing, else unknown if one is unknown, else a pass."""
    for item, record in zip(JUDGED, mappings.records(), strict=True):
        verdicts = report(record, EventSourceReadMissing(TRUST)).verdicts
        if not item.source:
            assert not verdicts
            continue
        missing = {action for action, kind in item.missing if kind is NeedKind.READ}
        unknown = {action for action, kind in item.unknown if kind is NeedKind.READ}
        (verdict,) = verdicts
        outcome = Outcome.VIOLATION if missing else Outcome.UNKNOWN if unknown else Outcome.PASS
        assert verdict.outcome is outcome, item.record
        assert {need["action"] for need in verdict.evidence.get("missing", ())} == missing


def test_no_rule_on_roles_crashes_and_every_unknown_has_a_reason() -> None:
    """For every mapping, of a known type or not."""
    rules = rules_for(Direction.EXECUTION_ROLE, TRUST)
    assert rules
    for record in mappings.records():
        for verdict in report(record, *rules).unknowns:
            assert verdict.reason.strip()
            assert "crashed" not in verdict.reason, (record["id"], verdict.reason)


def test_a_role_with_all_missing_actions_added_lacks_nothing() -> None:
    """The findings name everything that is required to resolve them."""
    for item, record in zip(JUDGED, mappings.records(), strict=True):
        if not item.missing:
            continue
        mapping, _, _ = mappings.built(record)
        source = event_source_of(mapping)
        assert source is not None
        missing = {action for action, _ in item.missing}
        needs = {(need.action, need.resource) for need in source.needs(mapping) if need.action in missing}
        granted = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in needs]
        resolved = record["resolved"]
        fixed = {**record, "resolved": {**resolved, "statements": [*resolved["statements"], *granted]}}
        assert mappings.evaluate_record(fixed).missing == frozenset()
