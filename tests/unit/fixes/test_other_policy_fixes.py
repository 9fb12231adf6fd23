"""Adding, removing and compacting statements: what is planned, that it is minimal, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import GuardConfig, RuleConfig
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.errors import FixRefusedError
from permission_guard.fixes import fix_for
from permission_guard.fixes.invoke_policies import OWN_SIDS, digest_of, size_of
from permission_guard.fixes.plans import proposal
from permission_guard.model.findings import FixResult
from permission_guard.model.state import FunctionUrl, Unread
from permission_guard.model.verdicts import Outcome
from tests.fakes import ACCOUNT, DENIED, FUNCTION_ARN, REGION, InMemoryFindings
from tests.unit.fixes.policy_states import (
    BUCKET,
    DELETED_BUCKET,
    RULE,
    TOPIC,
    a_state,
    a_statement,
    a_trigger,
    an_inventory,
    by_source,
    check_of,
    finding_of,
    visible,
)
from tests.unit.fixes.test_fixer import Setup

if TYPE_CHECKING:
    from permission_guard.fixes.base import Fix, Plan
    from permission_guard.model.findings import Finding
    from tests.fakes import InMemoryState

S3, SNS, EVENTS = "s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"
OTHER = by_source("other", SNS, TOPIC)
UPLOADS = an_inventory("s3", a_trigger("s3", BUCKET))
TOPICS = an_inventory("sns", a_trigger("sns", TOPIC))
PUBLIC = a_statement("public", "*")
MANAGING = {**a_statement("admin", {"AWS": "arn:aws:iam::999999999999:root"}), "Action": "lambda:*"}
DELETED = by_source("old", S3, DELETED_BUCKET, ACCOUNT)
ENDED = by_source("ended", "pinpoint.us-east-1.amazonaws.com", "", ACCOUNT)
URL = a_statement("url", "*", StringEquals={"lambda:FunctionUrlAuthType": "NONE"}) | {
    "Action": "lambda:InvokeFunctionUrl"
}
URL_INVOKE = a_statement("url-invoke", "*", Bool={"lambda:InvokedViaFunctionUrl": "true"})


def fix_of(rule_id: str) -> Fix:
    """Return the fix of a rule."""
    fix = fix_for(rule_id)
    assert fix is not None
    return fix


def finding_in(state: InMemoryState, rule_id: str) -> Finding:
    """Return the finding of the first violation of a rule."""
    verdict = next(one for one in check_of(rule_id)(state.state) if one.outcome is Outcome.VIOLATION)
    return finding_of(rule_id, str(verdict.subject), verdict.function_arn)


def plan(state: InMemoryState, rule_id: str) -> Plan:
    """Plan the fix of the first violation of a rule; its certificate holds."""
    planned = fix_of(rule_id).plan(finding_in(state, rule_id), state.state, state, check_of(rule_id))
    assert proposal(fix_of(rule_id), planned, at="", attempts=0).certificate["holds"]
    return planned


def refused(state: InMemoryState, rule_id: str) -> str:
    """Return the reason why a plan is refused."""
    with pytest.raises(FixRefusedError) as error:
        plan(state, rule_id)
    return str(error.value)


def applied(state: InMemoryState, rule_id: str) -> list[Any]:
    """Apply the fix; return the statements that are left. The calls are those of the plan."""
    planned, fix = plan(state, rule_id), fix_of(rule_id)
    fix.apply(planned.change, state, state, visible)
    assert fix.is_applied(planned.change, state)
    assert tuple(state.made) == planned.calls
    assert fix.state(planned.change, state) == planned.expected
    return state.statements(FUNCTION_ARN)


# ── Add ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("statements", [[], [OTHER]])
def test_a_trigger_gets_the_statement_that_it_lacks_and_nothing_else(statements: list[dict[str, Any]]) -> None:
    """Also as the first statement of a policy."""
    state = a_state(statements, UPLOADS, TOPICS if statements else an_inventory("sns"))
    *kept, added = applied(state, "PG112")
    assert kept == statements
    assert added == {**by_source("", S3, BUCKET, ACCOUNT), "Sid": added["Sid"]}
    assert added["Sid"].startswith(OWN_SIDS)


def test_the_trigger_of_an_alias_gets_it_in_the_policy_of_the_alias() -> None:
    """Each qualifier has its own policy."""
    live = f"{FUNCTION_ARN}:live"
    state = a_state([], an_inventory("events", a_trigger("events", RULE, function=live)))
    planned = plan(state, "PG112")
    fix_of("PG112").apply(planned.change, state, state, visible)
    (added,) = state.statements(live)
    assert added == {**by_source("", EVENTS, RULE, arn=live), "Sid": added["Sid"]}


def test_an_added_statement_is_removed_by_the_undo() -> None:
    """And nothing else."""
    state, fix = a_state([OTHER], UPLOADS, TOPICS), fix_of("PG112")
    planned = plan(state, "PG112")
    fix.apply(planned.change, state, state, visible)
    (call,) = fix.undo_calls(planned.change, planned.before, state)
    fix.undo(call, planned.change, state, state)
    assert state.statements(FUNCTION_ARN) == [OTHER]


def test_a_url_is_never_opened() -> None:
    """Neither for everyone nor for anybody."""
    state = a_state([])
    url = FunctionUrl(None, "https://abc.lambda-url.us-east-1.on.aws/", "NONE")
    state.state = replace(state.state, function_urls=(url,))
    assert "never allows calls through a function URL" in refused(state, "PG112")


def test_a_trigger_that_a_deny_denies_gets_no_statement() -> None:
    """No Allow statement overrides it."""
    deny = {**a_statement("deny", "*"), "Effect": "Deny"}
    assert "would not help" in refused(a_state([deny], UPLOADS), "PG112")


# ── Remove ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule_id", "statement"),
    [("PG101", PUBLIC), ("PG109", MANAGING), ("PG110", DELETED), ("PG111", ENDED)],
)
@pytest.mark.parametrize("atomic", [False, True])
def test_the_statement_is_removed_and_nothing_else(rule_id: str, statement: dict[str, Any], atomic: bool) -> None:
    """A trigger of another statement keeps it."""
    assert applied(a_state([OTHER, statement], TOPICS, atomic=atomic), rule_id) == [OTHER]


def test_the_last_statement_is_removed_by_its_sid() -> None:
    """PutResourcePolicy accepts no policy without statements."""
    state = a_state([PUBLIC], atomic=True)
    assert applied(state, "PG101") == []
    assert [call.operation for call in state.made] == ["lambda:RemovePermission"]


def test_both_halves_of_a_deleted_url_are_removed() -> None:
    """PG112 would report the one that is left."""
    assert applied(a_state([URL, OTHER, URL_INVOKE], TOPICS), "PG107") == [OTHER]


@pytest.mark.parametrize("statements", [(URL, OTHER, URL_INVOKE), (URL_INVOKE, OTHER, URL)])
def test_the_other_half_is_removed_after_a_crash(statements: tuple[dict[str, Any], ...]) -> None:
    """The plan is the same again, and the finding still exists: the half that it is about is removed last."""
    state = a_state(statements, TOPICS)
    planned, fix = plan(state, "PG107"), fix_of("PG107")
    first, last = planned.calls
    assert finding_in(state, "PG107").subject == f"statement/{last.parameters['StatementId']}"
    policy = state.invoke_policy(FUNCTION_ARN)
    assert not isinstance(policy, Unread)
    state.remove_permission(first.parameters, policy.revision)
    rest = fix.rest(planned.change, planned.before, state.state, state)
    assert rest is not None
    assert rest.done == (first,)
    again = fix.plan(finding_in(a_state(statements), "PG107"), rest.snapshot, state, check_of("PG107"))
    hashes = {proposal(fix, one, at="", attempts=0).plan_hash for one in (planned, again)}
    assert (again.calls, len(hashes)) == (planned.calls, 1)


def test_a_url_without_authentication_is_left_to_a_person() -> None:
    """It would return 403."""
    state = a_state([URL, URL_INVOKE])
    public = FunctionUrl(None, "https://abc.lambda-url.us-east-1.on.aws/", "NONE")
    state.state = replace(state.state, function_urls=(public,))
    assert "A person has to decide: delete the URL" in refused(state, "PG107")
    state.state = replace(state.state, function_urls=DENIED)
    assert "Unknown whether the function has a URL" in refused(state, "PG107")


def test_what_the_bot_cannot_undo_says_so() -> None:
    """It may not allow everyone again. A statement for a service it may."""
    state, fix = a_state([OTHER, PUBLIC], TOPICS), fix_of("PG101")
    planned = plan(state, "PG101")
    assert any("The bot cannot undo it" in text for text in planned.unknowns)
    fix.apply(planned.change, state, state, visible)
    with pytest.raises(FixRefusedError, match="AddPermission cannot write the statement 'public' for the bot again"):
        fix.undo_calls(planned.change, planned.before, state)
    assert not any("cannot undo" in text for text in plan(a_state([DELETED]), "PG110").unknowns)


def test_a_removed_statement_of_a_service_is_added_again_by_the_undo() -> None:
    """As it was."""
    state, fix = a_state([DELETED, OTHER], TOPICS), fix_of("PG110")
    planned = plan(state, "PG110")
    fix.apply(planned.change, state, state, visible)
    for call in fix.undo_calls(planned.change, planned.before, state):
        fix.undo(call, planned.change, state, state)
    assert sorted(map(digest_of, state.statements(FUNCTION_ARN))) == sorted(map(digest_of, [DELETED, OTHER]))


def test_a_statement_that_a_trigger_of_the_account_uses_is_not_removed() -> None:
    """The bucket invokes through the statement for everyone."""
    assert "would deny the source arn:aws:s3:::uploads" in refused(a_state([PUBLIC], UPLOADS), "PG101")


def test_without_the_triggers_nothing_is_removed() -> None:
    """One of them may use the statement."""
    unread = Unread("sns:ListTopics", "AccessDenied", "no", denied=True)
    state = a_state([PUBLIC], an_inventory("sns", sources=unread))
    assert "Unknown what invokes through sns.amazonaws.com" in refused(state, "PG101")


def test_a_statement_that_is_also_for_others_is_not_removed() -> None:
    """The remedy keeps what they need."""
    two = by_source("old", S3, "", ACCOUNT)
    two["Condition"]["ArnLike"] = {"AWS:SourceArn": [DELETED_BUCKET, BUCKET]}
    assert "also names sources that exist" in refused(a_state([two], UPLOADS), "PG110")
    both = a_statement("public", {"AWS": ["*", f"arn:aws:iam::{ACCOUNT}:root"]})
    assert f"also allows arn:aws:iam::{ACCOUNT}:root" in refused(a_state([both]), "PG101")
    mixed = a_statement("ended", ["pinpoint.us-east-1.amazonaws.com", S3], StringEquals={"aws:SourceAccount": ACCOUNT})
    assert "also allows s3.amazonaws.com" in refused(a_state([mixed]), "PG111")
    own = {**a_statement("admin", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), "Action": "lambda:*"}
    assert "also allows trusted principals to invoke" in refused(a_state([own]), "PG109")


# ── Compact ─────────────────────────────────────────────────────────────────────────────────────────────────────────

FULL = [
    by_source(f"api-{n}", "apigateway.amazonaws.com", f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3d4/*/GET/{n:03}")
    for n in range(58)
]


def test_a_full_policy_is_written_with_fewer_statements_that_allow_the_same() -> None:
    """By one call, because AddPermission writes one source a statement."""
    state = a_state([*FULL, OTHER], atomic=True)
    before = size_of(state.current(FUNCTION_ARN).with_statements(state.statements(FUNCTION_ARN)))
    merged = applied(state, "PG113")
    assert len(merged) == 2
    assert digest_of(merged[0]) == digest_of(OTHER)
    assert merged[1]["Sid"].startswith(OWN_SIDS)
    assert len(merged[1]["Condition"]["ArnLike"]["AWS:SourceArn"]) == len(FULL)
    assert before > 16_384 > size_of(state.current(FUNCTION_ARN).with_statements(merged))


def test_the_undo_of_a_compaction_writes_the_old_statements() -> None:
    """Nobody may have changed the policy since."""
    state, fix = a_state([*FULL, OTHER], atomic=True), fix_of("PG113")
    planned = plan(state, "PG113")
    fix.apply(planned.change, state, state, visible)
    (call,) = fix.undo_calls(planned.change, planned.before, state)
    fix.undo(call, planned.change, state, state)
    assert sorted(map(digest_of, state.statements(FUNCTION_ARN))) == sorted(map(digest_of, [*FULL, OTHER]))


def test_without_the_parameter_nothing_is_compacted() -> None:
    """IAM cannot limit what PutResourcePolicy writes."""
    assert "set AtomicNarrowing" in refused(a_state(FULL), "PG113")


def test_what_cannot_be_merged_is_left_to_a_person() -> None:
    """Each statement is for another service and has other conditions."""
    different = [
        a_statement(
            f"s{n}", SNS, ArnLike={"AWS:SourceArn": f"{TOPIC}{n}"}, StringEquals={f"aws:RequestTag/{n:0200}": "x"}
        )
        for n in range(40)
    ]
    assert "No statements can be merged" in refused(a_state(different, atomic=True), "PG113")


def test_a_policy_of_a_stack_is_not_compacted() -> None:
    """Each statement that would be gone is asked for."""
    assert "belongs to the CloudFormation stack shop" in refused(a_state(FULL, atomic=True, stack="shop"), "PG113")


# ── Modes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def handled(state: InMemoryState, rule_id: str, config: GuardConfig, auto_fix: AutoFix) -> tuple[Any, str]:
    """Let the fixer handle the finding in the mode `auto`; return the result and the summary."""
    finding, store = finding_in(state, rule_id), InMemoryFindings()
    store.put(finding)
    setup = Setup(state=state, store=store, config=config, auto_fix=auto_fix)
    outcome = setup.handle(finding_id=finding.id)
    return outcome.result, outcome.summary


BY_NAME = {"PG101": [OTHER, PUBLIC], "PG112": [OTHER], "PG113": FULL}


@pytest.mark.parametrize("rule_id", BY_NAME)
def test_a_fix_that_is_not_safe_is_only_proposed_in_auto(rule_id: str) -> None:
    """`FixMode` and `fixes.mode` are ceilings; the rule itself has to be set."""
    inventories = (UPLOADS, TOPICS) if rule_id == "PG112" else (TOPICS,)
    state = a_state(BY_NAME[rule_id], *inventories, atomic=True)
    result, summary = handled(state, rule_id, GuardConfig(), AutoFix.GRANT)
    assert (result, state.made) == (FixResult.PROPOSED, [])
    assert f"rules.{rule_id}.fix is not auto" in summary


@pytest.mark.parametrize("rule_id", BY_NAME)
def test_it_is_applied_if_the_rule_itself_is_set_to_auto(rule_id: str) -> None:
    """By its id in guard.yaml."""
    inventories = (UPLOADS, TOPICS) if rule_id == "PG112" else (TOPICS,)
    config = GuardConfig(rules={rule_id: RuleConfig(fix=FixMode.AUTO)})
    state = a_state(BY_NAME[rule_id], *inventories, atomic=True)
    assert handled(state, rule_id, config, AutoFix.GRANT)[0] is FixResult.APPLIED


def test_what_grants_something_new_is_only_proposed_with_restore() -> None:
    """Whoever can configure a trigger would otherwise have the bot allow it."""
    config = GuardConfig(rules={"PG112": RuleConfig(fix=FixMode.AUTO)})
    state = a_state([OTHER], UPLOADS, TOPICS)
    result, summary = handled(state, "PG112", config, AutoFix.RESTORE)
    assert (result, state.made) == (FixResult.PROPOSED, [])
    assert "It would grant more than it restores" in summary
