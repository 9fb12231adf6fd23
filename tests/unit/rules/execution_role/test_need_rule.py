"""The rules on the needs of mappings, for the table of all types: complete roles pass, each missing action is named."""

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
    """Return a key policy that allows a principal."""
    return a_policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::123456789012:{principal}"}), KEY)


def granting(pairs: list[Pair]) -> dict[str, Any]:
    """Return a policy with a statement for each action."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def needed(case: Case) -> dict[str, list[Pair]]:
    """Return what a case needs, by the rule that requires it."""
    kinds = (case.read, case.dependencies, case.destinations)
    return {rule.id: pairs for rule, pairs in zip(RULES, kinds, strict=True)}


def everything(case: Case) -> list[Pair]:
    """Return all that a case needs, each pair once."""
    return list(dict.fromkeys(pair for pairs in needed(case).values() for pair in pairs))


def check(case: Case, role: Role, **policies: Any) -> dict[str, Verdict]:
    """Return each rule's verdict on a mapping with a role; only the keys have policies, which allow the account."""
    source = event_source_of(case.mapping)
    assert source is not None
    resources = {need.resource for need in source.needs(case.mapping, case.sources)}
    own = {**dict.fromkeys(resources), KEY: key_policy("root"), **policies}
    state = polling(role, mappings=(case.mapping,), sources=case.sources, source_policies=own)
    verdicts = evaluate(state, RULES).verdicts
    assert [verdict.subject for verdict in verdicts] == [MAPPING_SUBJECT] * len(RULES)
    return {verdict.rule_id: verdict for verdict in verdicts}


def missing(verdict: Verdict) -> list[Pair]:
    """Return the missing actions of a verdict."""
    return list(dict.fromkeys((need["action"], need["resource"]) for need in verdict.evidence.get("missing", ())))


def kinds(verdict: Verdict) -> list[str]:
    """Return the kinds of remedies of a verdict."""
    return [remedy.kind for remedy in verdict.remedies]


def pasted(verdict: Verdict) -> Any:
    """Return the statement to paste."""
    return json.loads(next(remedy.text for remedy in verdict.remedies if remedy.kind == "policy-statement"))


@pytest.mark.parametrize("name", CASES)
def test_a_role_with_all_that_a_mapping_needs_passes_every_rule(name: str) -> None:
    """Every type, and every way to sign in."""
    case = CASES[name]
    verdicts = check(case, a_role(granting(everything(case))))
    assert {rule: verdict.outcome for rule, verdict in verdicts.items()} == dict.fromkeys(verdicts, Outcome.PASS)


@pytest.mark.parametrize(
    ("name", "pair"),
    [(name, pair) for name, case in CASES.items() for pair in everything(case)],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}-{value[1].rpartition('/')[2][-20:]}",
)
def test_each_removed_action_fails_the_rule_that_requires_it_and_no_other(name: str, pair: Pair) -> None:
    """The finding names only that action on that resource, and its remedy resolves it."""
    case = CASES[name]
    left = [one for one in everything(case) if one != pair]
    for rule, verdict in check(case, a_role(granting(left))).items():
        if pair not in needed(case)[rule]:
            assert verdict.outcome is Outcome.PASS, verdict.reason
            continue
        assert verdict.outcome is Outcome.VIOLATION
        assert missing(verdict) == [pair]
        assert kinds(verdict) == ["aws-cli", "cdk", "terraform", "policy-statement"]
        added = {"Version": "2012-10-17", "Statement": pasted(verdict)}
        assert check(case, a_role(granting(left), added))[rule].outcome is Outcome.PASS


@pytest.mark.parametrize("name", CASES)
def test_an_explicit_deny_is_named_with_its_statement_and_has_no_remedy(name: str) -> None:
    """No Allow overrides a Deny."""
    case = CASES[name]
    deny = {"Version": "2012-10-17", "Statement": [statement("*", effect="Deny", Sid="Nothing")]}
    for rule, verdict in check(case, a_role(allow("*"), deny)).items():
        assert set(missing(verdict)) == set(needed(case)[rule])
        if missing(verdict):
            assert verdict.evidence["denied_by"] == [{"statement": "Nothing", "policy": "", "kind": "identity"}]
            assert "Explicitly denied by statement 'Nothing'" in verdict.reason
            assert kinds(verdict) == []


@pytest.mark.parametrize("name", CASES)
def test_the_remedy_for_a_boundary_is_a_statement_for_the_boundary(name: str) -> None:
    """Added to the boundary, it resolves the finding; a policy of the role would not."""
    case = CASES[name]
    for rule, verdict in check(case, a_role(allow("*"), boundary=a_policy(allow("logs:*"), LIMITS))).items():
        if not needed(case)[rule]:
            assert verdict.outcome is Outcome.PASS
            continue
        assert verdict.evidence["permissions_boundary_arn"] == LIMITS
        assert f"The permissions boundary {LIMITS} must allow it too." in verdict.reason
        assert kinds(verdict) == ["policy-statement"]
        wider = a_policy({"Version": "2012-10-17", "Statement": pasted(verdict)}, LIMITS)
        assert check(case, a_role(allow("*"), boundary=wider))[rule].outcome is Outcome.PASS


def test_a_statement_for_role_and_boundary_has_what_either_lacks() -> None:
    """The role lacks one action, the boundary another: both need both."""
    case = CASES["sqs"]
    receive, delete, describe = case.read
    limits = a_policy(granting([receive, describe]), LIMITS)
    verdict = check(case, a_role(granting([delete, describe]), boundary=limits))["PG201"]
    assert missing(verdict) == [receive, delete]
    assert kinds(verdict) == ["policy-statement"]
    both = {"Version": "2012-10-17", "Statement": pasted(verdict)}
    wider = a_policy({"Version": "2012-10-17", "Statement": [both["Statement"], *granting([describe])["Statement"]]})
    assert check(case, a_role(granting([describe]), both, boundary=wider))["PG201"].outcome is Outcome.PASS


def test_a_key_that_does_not_allow_the_account_is_named_and_the_remedy_is_the_role_s_statement() -> None:
    """A statement of the role alone never allows the use of a key."""
    case = CASES["sqs-own-key"]
    closed = {KEY: key_policy("role/key-admin")}
    neither = check(case, a_role(granting(case.read)), **closed)["PG202"]
    assert pasted(neither) == {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [KEY]}
    assert kinds(neither) == ["policy-statement"]
    key_alone = check(case, a_role(granting(everything(case))), **closed)["PG202"]
    assert kinds(key_alone) == []
    for verdict in (neither, key_alone):
        assert f"The policy of {KEY} must allow the role or its account." in verdict.reason


def test_another_account_s_queue_must_allow_the_role_too() -> None:
    """The remedy is only the role's statement: a command would suggest that it suffices."""
    foreign = QUEUE.replace(":123456789012:", ":111122223333:")
    case = replace(CASES["sqs"], mapping=replace(CASES["sqs"].mapping, event_source_arn=foreign))
    verdict = check(case, a_role())["PG201"]
    assert f"The policy of {foreign} must allow the role or its account." in verdict.reason
    assert kinds(verdict) == ["policy-statement"]
    assert kinds(check(case, a_role(allow("sqs:*")))["PG201"]) == []


def test_the_policy_of_each_finding_has_its_own_name() -> None:
    """PutRolePolicy replaces a policy of the same name: two findings of one role must not undo each other."""
    for rule, verdict in check(CASES["self-managed-to-kafka"], a_role()).items():
        if rule != "PG201":  # the role lacks nothing of it
            name = f"{'failure-destination' if rule == 'PG203' else 'event-source-dependency'}-{verdict.finding_id[:8]}"
            assert f" --policy-name {name} " in verdict.remedies[0].text
            assert f'"aws_iam_role_policy" "orders_role_{name.replace("-", "_")}_' in verdict.remedies[2].text


def test_aws_s_reasons_for_the_function_s_state_are_evidence() -> None:
    """AWS can report that the role has insufficient permissions."""
    codes = {"StateReasonCode": "InsufficientRolePermissions", "LastUpdateStatusReasonCode": "KMSKeyAccessDenied"}
    case = CASES["mq-activemq"]
    function = Function(FUNCTION_ARN, "orders", ROLE_ARN, {**codes, "StateReason": ""})
    state = polling(
        a_role(), mappings=(case.mapping,), versions={FUNCTION_ARN: function}, source_policies={SECRET: None}
    )
    for verdict in evaluate(state, RULES[:2]).verdicts:
        assert verdict.evidence["function_state_reason_code"] == "InsufficientRolePermissions"
        assert verdict.evidence["function_update_reason_code"] == "KMSKeyAccessDenied"
        assert "function_state_reason" not in verdict.evidence


def test_none_of_them_reports_a_deleted_role() -> None:
    """PG207 reports it."""
    state = polling(None, mappings=(CASES["mq-activemq"].mapping,), sources=CASES["mq-activemq"].sources)
    read, depend, send = evaluate(state, RULES).verdicts
    assert (read.outcome, depend.outcome, send.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.PASS)
    assert "PG207" in read.reason
    assert "PG207" in depend.reason


def test_findings_right_after_a_change_have_a_grace_period() -> None:
    """A role often exists before its policies do."""
    assert all(rule.grace_period for rule in RULES)


@pytest.mark.parametrize("target", [DEAD_LETTERS, ALARM])
def test_a_dead_letter_queue_requires_each_of_its_actions(target: str) -> None:
    """Queue or topic, with a customer managed key."""
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


def test_a_function_that_could_not_be_read_is_unknown() -> None:
    """And so is each of its mappings."""
    state = polling(a_role(), versions={FUNCTION_ARN: DENIED})
    assert {verdict.outcome for verdict in evaluate(state, RULES).verdicts} == {Outcome.UNKNOWN}
    assert evaluate(Snapshot(TARGET, a_function()), RULES).verdicts == ()


@pytest.mark.parametrize("part", ["mappings", "invoke_configs"])
def test_a_version_s_finding_stays_open_if_the_versions_could_not_be_listed(part: str) -> None:
    """The list that names the version was not read, so the version can still exist."""
    version = f"{FUNCTION_ARN}:1"
    finding = a_finding(
        id=finding_id("PG203", version, f"dead-letter-queue/{QUEUE}"),
        rule_id="PG203",
        function_arn=version,
        subject=f"dead-letter-queue/{QUEUE}",
    )
    state = polling(a_role(SQS_POLICY), **{part: THROTTLED})
    assert reconcile([finding], evaluate(state, RULES), now=NOW) == ()
