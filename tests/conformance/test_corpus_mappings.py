"""What is said of the event source mappings that people and tools really write, where the corpus is at hand.

`mapping_judgements` has the answers and the reasons: nothing else is missing or uncertain, and nothing of it is not.
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


def expected(*, certain: bool) -> set[tuple[str, str]]:
    """Return what the table says: record and action."""
    return {
        (record, action)
        for judgement in JUDGEMENTS
        if judgement.certain is certain
        for record in judgement.records
        for action in judgement.actions
    }


def report(record: dict[str, object], *rules: Rule) -> Report:
    """Return what rules say of a function that has a record's mapping and role."""
    mapping, function, role = mappings.built(record)
    _, partition, _, region, account, _, name = function.arn.split(":")
    target = FunctionTarget(partition, region, account, name)
    state = Snapshot(target, function, mappings=(mapping,), versions={function.arn: function}, roles={role.arn: role})
    return evaluate(state, rules)


def test_every_action_that_is_missing_is_rightly_so() -> None:
    """And every one of which nobody can tell."""
    assert len(JUDGED) == 88
    assert {(item.record, action) for item in JUDGED for action, _ in item.missing} == expected(certain=True)
    assert {(item.record, action) for item in JUDGED for action, _ in item.uncertain} == expected(certain=False)


def test_what_is_only_recommended_is_told_with_a_reason() -> None:
    """It is missing of some roles, and never found."""
    assert {action for item in JUDGED for action in item.recommended} == RECOMMENDED.keys()
    for item in JUDGED:
        assert not item.recommended & {action for action, _ in (*item.missing, *item.uncertain)}


def test_what_is_of_no_type_has_no_arn_to_tell_it_by() -> None:
    """The rest of the corpus is of a type that is known."""
    assert {item.record for item in JUDGED if not item.source} == OF_NO_TYPE


def test_every_judgement_has_a_title_of_its_own_and_a_reason() -> None:
    """Two reasons for one action of one record would count it twice."""
    assert len({judgement.title for judgement in JUDGEMENTS}) == len(JUDGEMENTS)
    assert all(judgement.why.endswith(".") for judgement in JUDGEMENTS)
    assert all(why.endswith(".") for why in RECOMMENDED.values())
    for certain in (True, False):
        pairs = [
            (record, action)
            for judgement in JUDGEMENTS
            if judgement.certain is certain
            for record in judgement.records
            for action in judgement.actions
        ]
        assert len(pairs) == len(set(pairs))


def test_the_rule_says_of_each_mapping_what_its_reading_needs_say() -> None:
    """A violation names what is missing, what is not certain is unknown, and everything else passes."""
    for item, record in zip(JUDGED, mappings.records(), strict=True):
        verdicts = report(record, EventSourceReadMissing(TRUST)).verdicts
        if not item.source:
            assert not verdicts
            continue
        missing = {action for action, kind in item.missing if kind is NeedKind.READ}
        uncertain = {action for action, kind in item.uncertain if kind is NeedKind.READ}
        (verdict,) = verdicts
        outcome = Outcome.VIOLATION if missing else Outcome.UNKNOWN if uncertain else Outcome.PASS
        assert verdict.outcome is outcome, item.record
        assert {need["action"] for need in verdict.evidence.get("missing", ())} == missing


def test_no_rule_on_roles_crashes_and_whatever_is_unknown_has_a_reason() -> None:
    """Of every mapping, of a known type or not."""
    rules = rules_for(Direction.EXECUTION_ROLE, TRUST)
    assert rules
    for record in mappings.records():
        for verdict in report(record, *rules).unknowns:
            assert verdict.reason.strip()
            assert "crashed" not in verdict.reason, (record["id"], verdict.reason)


def test_a_role_that_is_given_all_that_is_missing_lacks_nothing() -> None:
    """What is found is all there is to do: the findings are gone once it is done."""
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
        cured = {**record, "resolved": {**resolved, "statements": [*resolved["statements"], *granted]}}
        assert mappings.judge(cured).missing == frozenset()
