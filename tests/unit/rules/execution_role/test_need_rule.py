"""The rules on what mappings need, by the table of all their types: complete roles pass, and each lack is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.findings.lifecycle import reconcile
from permission_guard.iam import TrustSet
from permission_guard.model.state import Function, Snapshot
from permission_guard.model.verdicts import Outcome, Verdict, finding_id
from permission_guard.needs.event_sources import event_source_of
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    MAPPING_SUBJECT,
    NOW,
    ROLE_ARN,
    SQS_POLICY,
    TARGET,
    THROTTLED,
    a_finding,
    a_function,
    a_policy,
    a_role,
    allow,
    polling,
    statement,
)
from tests.unit.needs.event_sources.needs_table import ALARM, CASES, DEAD_LETTERS, KEY, OWN_KEY, QUEUE, SECRET

if TYPE_CHECKING:
    from permission_guard.model.state import Role
    from tests.unit.needs.event_sources.needs_table import Case, Pair

RULES = [
    rule(TrustSet(frozenset()))
    for rule in (
        EventSourceReadMissing,
        EventSourceDependencyMissing,
        FailureDestinationMissing,
    )
]
LIMITS = "arn:aws:iam::123456789012:policy/limits"


def key_policy(principal: str) -> Any:
    """Return a key's policy that lets somebody in."""
    return a_policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::123456789012:{principal}"}), KEY)


def granting(pairs: list[Pair]) -> dict[str, Any]:
    """Return a policy with a statement for each action."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def needed(case: Case) -> dict[str, list[Pair]]:
    """Return what a case needs, by the rule that asks for it."""
    kinds = (case.read, case.dependencies, case.destinations)
    return {rule.id: pairs for rule, pairs in zip(RULES, kinds, strict=True)}


def everything(case: Case) -> list[Pair]:
    """Return all that a case needs, each pair once."""
    return list(dict.fromkeys(pair for pairs in needed(case).values() for pair in pairs))


def ask(case: Case, role: Role, **policies: Any) -> dict[str, Verdict]:
    """Return what each rule says of a mapping with a role; keys let the account in, and nothing else has a policy."""
    source = event_source_of(case.mapping)
    assert source is not None
    resources = {need.resource for need in source.needs(case.mapping, case.sources)}
    own = {**dict.fromkeys(resources), KEY: key_policy("root"), **policies}
    state = polling(role, mappings=(case.mapping,), sources=case.sources, source_policies=own)
    verdicts = evaluate(state, RULES).verdicts
    assert [verdict.subject for verdict in verdicts] == [MAPPING_SUBJECT] * len(RULES)
    return {verdict.rule_id: verdict for verdict in verdicts}


def missing(verdict: Verdict) -> list[Pair]:
    """Return what a verdict says is missing."""
    return list(dict.fromkeys((need["action"], need["resource"]) for need in verdict.evidence.get("missing", ())))


def kinds(verdict: Verdict) -> list[str]:
    """Return the kinds of cures of a verdict."""
    return [remedy.kind for remedy in verdict.remedies]


def pasted(verdict: Verdict) -> Any:
    """Return the statement to paste."""
    return json.loads(next(remedy.text for remedy in verdict.remedies if remedy.kind == "policy-statement"))


@pytest.mark.parametrize("name", CASES)
def test_a_role_with_all_that_a_mapping_needs_passes_every_rule(name: str) -> None:
    """Every type, and every way to sign in."""
    case = CASES[name]
    said = ask(case, a_role(granting(everything(case))))
    assert {rule: verdict.outcome for rule, verdict in said.items()} == dict.fromkeys(said, Outcome.PASS)


@pytest.mark.parametrize(
    ("name", "pair"),
    [(name, pair) for name, case in CASES.items() for pair in everything(case)],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}-{value[1].rpartition('/')[2][-20:]}",
)
def test_each_action_that_is_taken_away_fails_the_rule_that_asks_for_it_and_no_other(name: str, pair: Pair) -> None:
    """The finding names that action on that resource alone, and what it offers to paste makes it go away."""
    case = CASES[name]
    left = [one for one in everything(case) if one != pair]
    for rule, verdict in ask(case, a_role(granting(left))).items():
        if pair not in needed(case)[rule]:
            assert verdict.outcome is Outcome.PASS, verdict.reason
            continue
        assert verdict.outcome is Outcome.VIOLATION
        assert missing(verdict) == [pair]
        assert kinds(verdict) == ["aws-cli", "policy-statement", "terraform"]
        mended = {"Version": "2012-10-17", "Statement": pasted(verdict)}
        assert ask(case, a_role(granting(left), mended))[rule].outcome is Outcome.PASS


@pytest.mark.parametrize("name", CASES)
def test_what_is_denied_is_named_with_its_statement_and_nothing_is_offered(name: str) -> None:
    """Where a Deny is in the way, no Allow helps, wherever it is put."""
    case = CASES[name]
    deny = {"Version": "2012-10-17", "Statement": [statement("*", effect="Deny", Sid="Nothing")]}
    for rule, verdict in ask(case, a_role(allow("*"), deny)).items():
        assert set(missing(verdict)) == set(needed(case)[rule])
        if missing(verdict):
            assert verdict.evidence["denied_by"] == [{"statement": "Nothing", "policy": "", "kind": "identity"}]
            assert "Explicitly denied by statement 'Nothing'" in verdict.reason
            assert kinds(verdict) == []


@pytest.mark.parametrize("name", CASES)
def test_what_the_boundary_has_no_room_for_is_a_statement_for_the_boundary(name: str) -> None:
    """Added there, it makes the finding go away; a policy of the role's would not."""
    case = CASES[name]
    for rule, verdict in ask(case, a_role(allow("*"), boundary=a_policy(allow("logs:*"), LIMITS))).items():
        if not needed(case)[rule]:
            assert verdict.outcome is Outcome.PASS
            continue
        assert verdict.evidence["permissions_boundary_arn"] == LIMITS
        assert f"The permissions boundary {LIMITS} has to allow it as well." in verdict.reason
        assert kinds(verdict) == ["policy-statement"]
        wider = a_policy({"Version": "2012-10-17", "Statement": pasted(verdict)}, LIMITS)
        assert ask(case, a_role(allow("*"), boundary=wider))[rule].outcome is Outcome.PASS


def test_a_statement_for_role_and_boundary_has_what_either_lacks() -> None:
    """The role lacks one action, the boundary another; both are to have both."""
    case = CASES["sqs"]
    receive, delete, describe = case.read
    limits = a_policy(granting([receive, describe]), LIMITS)
    verdict = ask(case, a_role(granting([delete, describe]), boundary=limits))["PG201"]
    assert missing(verdict) == [receive, delete]
    assert kinds(verdict) == ["policy-statement"]
    both = {"Version": "2012-10-17", "Statement": pasted(verdict)}
    wider = a_policy({"Version": "2012-10-17", "Statement": [both["Statement"], *granting([describe])["Statement"]]})
    assert ask(case, a_role(granting([describe]), both, boundary=wider))["PG201"].outcome is Outcome.PASS


def test_a_key_that_lets_nobody_in_is_named_and_the_role_s_side_is_offered_where_it_lacks() -> None:
    """A statement of the role's alone never opens a key."""
    case = CASES["sqs-own-key"]
    closed = {KEY: key_policy("role/key-admin")}
    neither = ask(case, a_role(granting(case.read)), **closed)["PG202"]
    assert pasted(neither) == {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [KEY]}
    assert kinds(neither) == ["policy-statement"]
    key_alone = ask(case, a_role(granting(everything(case))), **closed)["PG202"]
    assert kinds(key_alone) == []
    for verdict in (neither, key_alone):
        assert f"The policy of {KEY} has to let in the role or its account." in verdict.reason


def test_another_account_s_queue_has_to_take_part() -> None:
    """Its own policy is half of it: the role's half is a statement, and no command that would seem to do."""
    foreign = QUEUE.replace(":123456789012:", ":111122223333:")
    case = replace(CASES["sqs"], mapping=replace(CASES["sqs"].mapping, event_source_arn=foreign))
    verdict = ask(case, a_role())["PG201"]
    assert f"The policy of {foreign} has to let in the role or its account." in verdict.reason
    assert kinds(verdict) == ["policy-statement"]
    assert kinds(ask(case, a_role(allow("sqs:*")))["PG201"]) == []


def test_a_policy_that_is_put_has_a_name_of_its_own_in_each_finding() -> None:
    """PutRolePolicy writes over one of the same name: two findings of one role must not undo each other."""
    for rule, verdict in ask(CASES["self-managed-to-kafka"], a_role()).items():
        if rule != "PG201":  # of which nothing is missing there
            name = f"{'failure-destination' if rule == 'PG203' else 'event-source-dependency'}-{verdict.finding_id[:8]}"
            assert f" --policy-name {name} " in verdict.remedies[0].text
            assert f'"aws_iam_role_policy" "{name.replace("-", "_")}"' in verdict.remedies[2].text


def test_what_aws_says_of_the_function_is_evidence() -> None:
    """It may say itself that the role has not enough."""
    said = {"StateReasonCode": "InsufficientRolePermissions", "LastUpdateStatusReasonCode": "KMSKeyAccessDenied"}
    case = CASES["mq-activemq"]
    function = Function(FUNCTION_ARN, "orders", ROLE_ARN, {**said, "StateReason": ""})
    state = polling(
        a_role(), mappings=(case.mapping,), versions={FUNCTION_ARN: function}, source_policies={SECRET: None}
    )
    for verdict in evaluate(state, RULES[:2]).verdicts:
        assert verdict.evidence["function_state_reason_code"] == "InsufficientRolePermissions"
        assert verdict.evidence["function_update_reason_code"] == "KMSKeyAccessDenied"
        assert "function_state_reason" not in verdict.evidence


def test_a_role_that_is_gone_is_told_by_none_of_them() -> None:
    """PG207 says it; that nothing of it works any more is not said again."""
    state = polling(None, mappings=(CASES["mq-activemq"].mapping,), sources=CASES["mq-activemq"].sources)
    read, depend, send = evaluate(state, RULES).verdicts
    assert (read.outcome, depend.outcome, send.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.PASS)
    assert "PG207" in read.reason
    assert "PG207" in depend.reason


def test_findings_right_after_a_change_are_looked_at_again_before_they_are_told() -> None:
    """A role is often there before its policies are."""
    assert all(rule.grace_period for rule in RULES)


@pytest.mark.parametrize("target", [DEAD_LETTERS, ALARM])
def test_a_dead_letter_queue_is_asked_for_each_action_that_it_takes(target: str) -> None:
    """Queue or topic, with a key of the customer's."""
    action = "sqs:SendMessage" if target == DEAD_LETTERS else "sns:Publish"
    pairs = [(action, target), ("kms:Decrypt", KEY), ("kms:GenerateDataKey", KEY)]
    function = Function(FUNCTION_ARN, "orders", ROLE_ARN, {"DeadLetterConfig": {"TargetArn": target}})

    def verdict(granted: list[Pair]) -> Verdict:
        state = Snapshot(
            TARGET,
            function,
            versions={FUNCTION_ARN: function},
            roles={ROLE_ARN: a_role(granting(granted))},
            sources={target: OWN_KEY},
            source_policies={KEY: key_policy("root"), target: None},
        )
        (found,) = evaluate(state, RULES).verdicts
        assert (found.rule_id, found.subject) == ("PG203", f"dead-letter-queue/{target}")
        return found

    assert verdict(pairs).outcome is Outcome.PASS
    for pair in pairs:
        assert missing(verdict([one for one in pairs if one != pair])) == [pair]


def test_a_function_that_could_not_be_read_has_no_answer() -> None:
    """Nor has any mapping of it."""
    state = polling(a_role(), versions={FUNCTION_ARN: DENIED})
    assert {verdict.outcome for verdict in evaluate(state, RULES).verdicts} == {Outcome.UNKNOWN}
    assert evaluate(Snapshot(TARGET, a_function()), RULES).verdicts == ()


@pytest.mark.parametrize("part", ["mappings", "invoke_configs"])
def test_a_version_s_dead_letter_queue_is_not_taken_for_gone_where_its_versions_could_not_be_listed(part: str) -> None:
    """What leads to the version was not read: what was found of it stands."""
    version = f"{FUNCTION_ARN}:1"
    finding = a_finding(
        id=finding_id("PG203", version, f"dead-letter-queue/{QUEUE}"),
        rule_id="PG203",
        function_arn=version,
        subject=f"dead-letter-queue/{QUEUE}",
    )
    state = polling(a_role(SQS_POLICY), **{part: THROTTLED})
    assert reconcile([finding], evaluate(state, RULES), now=NOW) == ()
