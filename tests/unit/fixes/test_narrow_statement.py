"""Narrowing a statement to its proven sources: what is planned, in which order it is changed, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.delivery.plans import plan_parts, undo_preview
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes.invoke_policies import digest_of
from permission_guard.fixes.narrow_statement import NarrowStatement
from permission_guard.fixes.plans import proposal
from permission_guard.model.state import Unread
from tests.fakes import ACCOUNT, DENIED, FUNCTION_ARN, REGION, THROTTLED
from tests.unit.fixes.policy_states import (
    API,
    BUCKET,
    BUS_RULE,
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

if TYPE_CHECKING:
    from permission_guard.fixes.base import Plan
    from tests.fakes import InMemoryState

FIX = NarrowStatement()
S3, SNS, EVENTS = "s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"
BROAD = a_statement("uploads", S3)
UPLOADS = an_inventory("s3", a_trigger("s3", BUCKET))
OTHER = by_source("other", SNS, TOPIC)
LIVE = f"{FUNCTION_ARN}:live"


def plan(state: InMemoryState, rule_id: str = "PG102", sid: str = "uploads", arn: str = FUNCTION_ARN) -> Plan:
    """Plan the fix of a finding about a statement; its certificate holds."""
    planned = FIX.plan(finding_of(rule_id, f"statement/{sid}", arn), state.state, state, check_of(rule_id))
    assert proposal(FIX, planned, at="", attempts=0).certificate["holds"]
    return planned


def refused(state: InMemoryState, rule_id: str = "PG102", sid: str = "uploads") -> str:
    """Return the reason why a plan is refused."""
    with pytest.raises(FixRefusedError) as error:
        plan(state, rule_id, sid)
    return str(error.value)


def apply(state: InMemoryState, planned: Plan) -> None:
    """Apply a plan."""
    FIX.apply(planned.change, state, state, visible)
    assert FIX.is_applied(planned.change, state)


def without_sids(state: InMemoryState, arn: str = FUNCTION_ARN) -> list[dict[str, Any]]:
    """Return the statements without the Sids of the bot."""
    return [
        {key: value for key, value in one.items() if key != "Sid" or not str(value).startswith("permission-guard-")}
        for one in state.statements(arn)
    ]


def scoped(service: str, source: str, account: str = "", arn: str = FUNCTION_ARN) -> dict[str, Any]:
    """Return a statement for a source, without a Sid."""
    statement = by_source("", service, source, account, arn)
    del statement["Sid"]
    return statement


# ── What is planned ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_broad_statement_becomes_one_for_the_bucket_and_its_account() -> None:
    """And everything else of the policy stays as it is."""
    state = a_state([OTHER, BROAD], UPLOADS)
    planned = plan(state)
    assert [call.operation for call in planned.calls] == ["lambda:AddPermission", "lambda:RemovePermission"]
    assert planned.calls[0].parameters["SourceArn"] == BUCKET
    assert planned.calls[0].parameters["SourceAccount"] == ACCOUNT
    assert planned.calls[1].parameters == {"FunctionName": FUNCTION_ARN, "StatementId": "uploads"}
    assert planned.summary == f"replace the statement uploads of {FUNCTION_ARN} by 1 statement for {BUCKET}"
    apply(state, planned)
    assert without_sids(state) == [OTHER, scoped(S3, BUCKET, ACCOUNT)]
    assert tuple(state.made) == planned.calls
    assert FIX.state(planned.change, state) == planned.expected


@pytest.mark.parametrize(
    ("service", "inventory", "statements"),
    [
        (SNS, an_inventory("sns", a_trigger("sns", TOPIC)), [scoped(SNS, TOPIC)]),
        (
            EVENTS,
            an_inventory("events", a_trigger("events", RULE), a_trigger("events", BUS_RULE)),
            [scoped(EVENTS, RULE), scoped(EVENTS, BUS_RULE)],
        ),
        (
            "apigateway.amazonaws.com",
            an_inventory("apigateway", a_trigger("apigateway", f"{API}/*/GET/a", f"{API}/prod/GET/a")),
            [scoped("apigateway.amazonaws.com", f"{API}/prod/GET/a")],
        ),
        (
            "apigateway.amazonaws.com",
            an_inventory(
                "apigatewayv2", a_trigger("apigatewayv2", f"{API}/*/GET/a", f"{API}/dev/GET/a", f"{API}/prod/GET/a")
            ),
            [scoped("apigateway.amazonaws.com", f"{API}/*/GET/a")],
        ),
        (
            "secretsmanager.amazonaws.com",
            an_inventory(
                "secretsmanager",
                a_trigger("secretsmanager", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-1a2B3c"),
            ),
            [scoped("secretsmanager.amazonaws.com", "", ACCOUNT)],
        ),
    ],
)
def test_each_service_gets_what_it_sends(service: str, inventory: Any, statements: list[dict[str, Any]]) -> None:
    """EventBridge, SNS and the two API Gateways are named by their ARNs, which have the account."""
    state = a_state([a_statement("uploads", service)], inventory)
    apply(state, plan(state))
    assert without_sids(state) == statements


def test_many_methods_of_one_api_become_one_statement() -> None:
    """A policy has room for 20,480 bytes."""
    methods = (a_trigger("apigateway", f"{API}/*/GET/{n}", f"{API}/dev/GET/{n}") for n in range(11))
    state = a_state([a_statement("uploads", "apigateway.amazonaws.com")], an_inventory("apigateway", *methods))
    apply(state, plan(state))
    assert without_sids(state) == [scoped("apigateway.amazonaws.com", f"{API}/*")]


@pytest.mark.parametrize("count", [1, 11])
def test_only_the_stages_of_an_api_that_a_statement_allows_are_named(count: int) -> None:
    """The statement for all stages would allow more than before."""
    methods = (
        a_trigger("apigateway", f"{API}/*/GET/{n}", f"{API}/dev/GET/{n}", f"{API}/prod/GET/{n}") for n in range(count)
    )
    pattern = f"arn:aws:execute-api:{REGION}:*:*/prod/*"
    broad = a_statement("uploads", "apigateway.amazonaws.com", ArnLike={"AWS:SourceArn": pattern})
    state = a_state([broad], an_inventory("apigateway", *methods), atomic=True)
    apply(state, plan(state, "PG104"))
    assert without_sids(state) == [scoped("apigateway.amazonaws.com", f"{API}/prod/GET/{n}") for n in range(count)]


def test_a_source_that_another_statement_allows_gets_no_statement() -> None:
    """The change is minimal: only the broad statement is removed."""
    own = by_source("own", S3, BUCKET, ACCOUNT)
    state = a_state([own, BROAD], UPLOADS)
    planned = plan(state)
    assert [call.operation for call in planned.calls] == ["lambda:RemovePermission"]
    assert planned.summary.startswith("remove the statement uploads")
    apply(state, planned)
    assert state.statements(FUNCTION_ARN) == [own]


def test_the_policy_of_an_alias_is_changed_for_the_triggers_of_the_alias() -> None:
    """Each qualifier has its own policy, and the trigger of the function is none of the alias."""
    bucket = an_inventory("s3", a_trigger("s3", BUCKET, function=LIVE), a_trigger("s3", "arn:aws:s3:::others"))
    state = a_state([a_statement("uploads", S3, LIVE)], bucket, arn=LIVE)
    planned = plan(state, arn=LIVE)
    assert planned.calls[1].parameters == {"FunctionName": FUNCTION_ARN, "Qualifier": "live", "StatementId": "uploads"}
    apply(state, planned)
    assert without_sids(state, LIVE) == [scoped(S3, BUCKET, ACCOUNT, LIVE)]


def test_an_empty_condition_changes_nothing() -> None:
    """AddPermission writes the same statement without it."""
    state = a_state([{**BROAD, "Condition": {}}], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    assert without_sids(state) == [scoped(S3, BUCKET, ACCOUNT)]
    undo(state, planned)
    assert state.statements(FUNCTION_ARN) == [BROAD]


def test_a_key_in_two_spellings_is_two_conditions() -> None:
    """A statement that lost one of them is another statement."""
    two = a_statement("two", S3, ArnLike={"AWS:SourceArn": BUCKET, "aws:SourceArn": "arn:aws:s3:::*"})
    assert digest_of(two) != digest_of(a_statement("two", S3, ArnLike={"aws:SourceArn": "arn:aws:s3:::*"}))


def test_a_bucket_without_its_account_gets_it() -> None:
    """PG103."""
    state = a_state([by_source("uploads", S3, BUCKET)], UPLOADS)
    apply(state, plan(state, "PG103"))
    assert without_sids(state) == [scoped(S3, BUCKET, ACCOUNT)]


def test_conditions_that_admit_any_account_are_narrowed() -> None:
    """PG104. AddPermission cannot write such a statement again, so that it is replaced at once."""
    pattern = a_statement("uploads", SNS, ArnLike={"aws:SourceArn": f"arn:aws:sns:{REGION}:*:orders"})
    state = a_state([pattern], an_inventory("sns", a_trigger("sns", TOPIC)), atomic=True)
    apply(state, plan(state, "PG104"))
    assert without_sids(state) == [scoped(SNS, TOPIC)]
    assert "nothing could undo its removal" in refused(replace(a_state([pattern], an_inventory("sns"))), "PG104")


def test_a_condition_that_each_call_of_a_service_satisfies_is_kept() -> None:
    """Lambda's endpoints accept only TLS, so that a source needs no other proof."""
    tls = {"Bool": {"aws:SecureTransport": "true"}}
    state = a_state(
        [a_statement("uploads", SNS, Bool=tls["Bool"])], an_inventory("sns", a_trigger("sns", TOPIC)), atomic=True
    )
    apply(state, plan(state))
    scoped_to_topic = scoped(SNS, TOPIC)
    assert without_sids(state) == [{**scoped_to_topic, "Condition": {**scoped_to_topic["Condition"], **tls}}]


def test_a_source_that_may_be_allowed_is_refused() -> None:
    """The statement depends on the time of the request."""
    until = a_statement("uploads", S3, DateLessThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"})
    assert refused(a_state([until], UPLOADS, atomic=True)) == (
        f"Unknown whether the source {BUCKET} may invoke: it depends on statement 'uploads' of the resource policy "
        "'resource-based policy' and on the unknown condition key aws:CurrentTime."
    )


def test_with_atomic_narrowing_one_call_replaces_the_policy() -> None:
    """PutResourcePolicy, with the statements of others as they are."""
    state = a_state([OTHER, BROAD], UPLOADS, atomic=True)
    planned = plan(state)
    assert [call.operation for call in planned.calls] == ["lambda:PutResourcePolicy"]
    apply(state, planned)
    assert without_sids(state) == [OTHER, scoped(S3, BUCKET, ACCOUNT)]


def test_the_same_state_makes_the_same_plan() -> None:
    """Whatever the order of the statements, so that an approval stays valid."""
    one, other = a_state([OTHER, BROAD], UPLOADS), a_state([BROAD, OTHER], UPLOADS)
    hashes = {proposal(FIX, plan(state), at="", attempts=0).plan_hash for state in (one, other)}
    assert len(hashes) == 1


def test_sources_of_other_accounts_need_an_approval() -> None:
    """They cannot be seen, and the plan says so."""
    planned = plan(a_state([BROAD], UPLOADS))
    assert "Sources of other accounts cannot be seen" in planned.approval
    assert planned.approval in planned.unknowns
    assert planned.narrows


def test_a_function_without_external_sources_needs_no_approval() -> None:
    """`fixes.no_external_sources` says so."""
    assert plan(a_state([BROAD], UPLOADS, every_source_is_seen=True)).approval == ""


def test_a_statement_for_this_accounts_own_bucket_has_no_external_sources() -> None:
    """No other account can have a bucket of this name now."""
    assert plan(a_state([by_source("uploads", S3, BUCKET)], UPLOADS), "PG103").approval == ""


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_proven_source_a_person_decides() -> None:
    """Perhaps a bucket of another account uses the statement."""
    assert "Nothing in this account invokes orders through s3.amazonaws.com" in refused(a_state([BROAD]))


@pytest.mark.parametrize("service", ["ses.amazonaws.com", "unlisted.amazonaws.com", "codecommit.amazonaws.com"])
def test_a_service_that_cannot_be_listed_is_refused(service: str) -> None:
    """There is no inventory of it."""
    assert f"cannot list what invokes through {service}" in refused(a_state([a_statement("uploads", service)], UPLOADS))


def test_a_statement_for_alexa_besides_is_refused() -> None:
    """Alexa sends no source."""
    both = a_statement("uploads", [S3, "alexa-appkit.amazon.com"])
    assert "has no source can be narrowed" in refused(a_state([both], UPLOADS)).replace("have", "has")


@pytest.mark.parametrize(
    "unread",
    [
        {"sources": Unread("s3:ListAllMyBuckets", "AccessDenied", "no", denied=True)},
        {"unread": {"arn:aws:s3:::secret": DENIED}},
    ],
)
def test_an_unreadable_inventory_is_refused(unread: dict[str, Any]) -> None:
    """A source may be in it."""
    state = a_state([BROAD], an_inventory("s3", a_trigger("s3", BUCKET), **unread))
    assert "Unknown what invokes through s3.amazonaws.com" in refused(state)


def test_an_inventory_that_was_throttled_is_read_again() -> None:
    """The message is delivered again."""
    with pytest.raises(RetryableError, match="Rate exceeded"):
        plan(a_state([BROAD], an_inventory("s3", a_trigger("s3", BUCKET), sources=THROTTLED)))


@pytest.mark.parametrize("value", ["never", "Never", " NEVER "])
def test_a_function_that_is_tagged_never_is_refused(value: str) -> None:
    """In any case of the value."""
    assert "permission-guard:fix=never" in refused(a_state([BROAD], UPLOADS, tags={"permission-guard:fix": value}))


def test_a_function_of_a_stack_is_refused() -> None:
    """Its template is to be changed."""
    assert "CloudFormation stack shop" in refused(
        a_state([BROAD], UPLOADS, tags={"aws:cloudformation:stack-name": "shop"})
    )


def test_a_statement_of_a_stack_is_refused() -> None:
    """The Sid is the physical id of a permission in a template, also where the function is in none."""
    state = a_state([BROAD], UPLOADS, stack="shop")
    assert refused(state) == "The statement 'uploads' belongs to the CloudFormation stack shop: change its template."
    assert "Unknown whether a CloudFormation stack owns" in refused(a_state([BROAD], UPLOADS, stack=DENIED))
    with pytest.raises(RetryableError, match="Unknown whether"):
        plan(a_state([BROAD], UPLOADS, stack=THROTTLED))


def test_a_statement_that_grants_more_than_invoking_is_refused() -> None:
    """A person decides what of it is needed."""
    assert "grants more than invoking" in refused(a_state([{**BROAD, "Action": "lambda:*"}], UPLOADS))


def test_a_statement_for_a_person_besides_is_refused() -> None:
    """Removing it would take their permission away."""
    principal = {"Service": S3, "AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert "who else needs it" in refused(a_state([a_statement("uploads", principal)], UPLOADS))


def test_a_statement_without_a_sid_is_refused() -> None:
    """RemovePermission cannot name it."""
    statement = {key: value for key, value in BROAD.items() if key != "Sid"}
    state = a_state([statement], UPLOADS)
    (verdict,) = check_of("PG102")(state.state)
    with pytest.raises(FixRefusedError, match="has no Sid"):
        FIX.plan(finding_of("PG102", str(verdict.subject)), state.state, state, check_of("PG102"))


def test_a_policy_that_would_be_too_large_is_refused() -> None:
    """Lambda accepts 20,480 bytes: between the calls it has both statements."""
    full = [by_source(f"other-{n}", SNS, f"{TOPIC}-{n:04}") for n in range(86)]
    assert "Lambda accepts 20,480" in refused(a_state([*full, BROAD], UPLOADS))


def test_a_problem_that_no_longer_exists_is_refused() -> None:
    """Somebody narrowed the statement."""
    state = a_state([by_source("uploads", S3, BUCKET, ACCOUNT)], UPLOADS)
    assert refused(state) == "The problem no longer exists."


# ── Between the calls ───────────────────────────────────────────────────────────────────────────────────────────────


def test_each_call_waits_for_the_one_before() -> None:
    """Nothing is removed before AWS shows the new statement."""
    state = a_state([BROAD], UPLOADS, stale_after_writes=2)
    planned = plan(state)
    FIX.apply(planned.change, state, state, lambda shown: any(shown() for _ in range(4)))
    assert tuple(state.made) == planned.calls


def test_a_statement_that_somebody_adds_in_between_stops_the_rest() -> None:
    """Another picture than the one of the plan: it is planned again, and the broad statement is still there."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)

    def somebody_adds() -> None:
        if state.made:
            state.set_statements(FUNCTION_ARN, [*map(dict, state.statements(FUNCTION_ARN)), OTHER])

    state.before_call = somebody_adds
    with pytest.raises(RetryableError, match="PreconditionFailed"):
        FIX.apply(planned.change, state, state, visible)
    state.before_call = lambda: None
    with pytest.raises(RetryableError, match="has changed since the fix was planned"):
        FIX.apply(planned.change, state, state, visible)
    assert BROAD in state.statements(FUNCTION_ARN)


@pytest.mark.parametrize("atomic", [False, True])
def test_what_is_left_is_finished_after_a_crash(atomic: bool) -> None:
    """The rest of the same plan: `rest` shows the state as it was before, so that it is planned as before."""
    state = a_state([OTHER, BROAD], UPLOADS, atomic=atomic)
    planned = plan(state)
    assert FIX.rest(planned.change, planned.before, state.state, state) is None
    for number in range(len(planned.calls)):
        crashing = a_state([OTHER, BROAD], UPLOADS, atomic=atomic)
        crashing.before_call = _crash_at(crashing, number)
        with pytest.raises(_Crash):
            FIX.apply(planned.change, crashing, crashing, visible)
        crashing.before_call = lambda: None
        rest = FIX.rest(planned.change, planned.before, crashing.state, crashing)
        assert (rest is None) == (number == 0)
        if rest is not None:
            assert rest.done == planned.calls[:number]
            again = FIX.plan(finding_of("PG102", "statement/uploads"), rest.snapshot, crashing, check_of("PG102"))
            assert (
                proposal(FIX, again, at="", attempts=0).plan_hash == proposal(FIX, planned, at="", attempts=0).plan_hash
            )
        FIX.apply(planned.change, crashing, crashing, visible)
        assert without_sids(crashing) == [OTHER, scoped(S3, BUCKET, ACCOUNT)]


class _Crash(BaseException):
    """The process ends."""


def _crash_at(state: InMemoryState, number: int) -> Any:
    def crash() -> None:
        if len(state.made) == number:
            raise _Crash

    return crash


def test_a_policy_that_cannot_be_read_is_not_changed() -> None:
    """Its revision is needed."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)
    state.policy_unread = THROTTLED
    with pytest.raises(RetryableError, match="could not be read"):
        FIX.apply(planned.change, state, state, visible)
    state.policy_unread = DENIED
    with pytest.raises(RetryableError, match="could not be read"):
        FIX.undo_calls(planned.change, planned.before, state)
    assert state.made == []


# ── Undo ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def undo(state: InMemoryState, planned: Plan) -> list[str]:
    """Undo a plan; return the operations."""
    calls = FIX.undo_calls(planned.change, planned.before, state)
    for call in calls:
        FIX.undo(call, planned.change, state, state)
    assert FIX.undo_calls(planned.change, planned.before, state) == ()
    return [call.operation for call in calls]


def test_the_undo_restores_the_statement_and_then_removes_the_new_one() -> None:
    """The policy is as it was."""
    state = a_state([OTHER, BROAD], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    assert undo(state, planned) == ["lambda:AddPermission", "lambda:RemovePermission"]
    assert sorted(map(digest_of, state.statements(FUNCTION_ARN))) == sorted(map(digest_of, [OTHER, BROAD]))


def test_the_undo_of_an_atomic_fix_writes_the_policy_as_it_was() -> None:
    """By one call."""
    state = a_state([OTHER, BROAD], UPLOADS, atomic=True)
    planned = plan(state)
    apply(state, planned)
    assert undo(state, planned) == ["lambda:PutResourcePolicy"]
    assert sorted(map(digest_of, state.statements(FUNCTION_ARN))) == sorted(map(digest_of, [OTHER, BROAD]))


def test_the_undo_leaves_what_others_changed_since() -> None:
    """A statement of somebody else stays, and one that is gone is not removed."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    state.set_statements(FUNCTION_ARN, [OTHER])
    assert undo(state, planned) == ["lambda:AddPermission"]
    assert state.statements(FUNCTION_ARN) == [OTHER, BROAD]


def test_the_undo_does_not_overwrite_what_others_wrote_under_the_same_sid() -> None:
    """A person has to decide."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    state.set_statements(FUNCTION_ARN, [*map(dict, state.statements(FUNCTION_ARN)), by_source("uploads", SNS, TOPIC)])
    with pytest.raises(FixRefusedError, match="Somebody has added another statement 'uploads'"):
        FIX.undo_calls(planned.change, planned.before, state)


def test_the_undo_of_an_atomic_fix_is_refused_if_others_changed_the_policy_since() -> None:
    """It would write their statements too."""
    state = a_state([BROAD], UPLOADS, atomic=True)
    planned = plan(state)
    apply(state, planned)
    state.set_statements(FUNCTION_ARN, [*map(dict, state.statements(FUNCTION_ARN)), OTHER])
    with pytest.raises(FixRefusedError, match="has changed since the fix was planned"):
        FIX.undo_calls(planned.change, planned.before, state)


def test_the_undo_needs_the_record_of_what_was_before() -> None:
    """A damaged record restores nothing."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    with pytest.raises(FixRefusedError, match="does not say which statements"):
        FIX.undo_calls(planned.change, {}, state)


def test_a_statement_that_replaced_the_bots_own_is_not_removed() -> None:
    """It has the same Sid and another content."""
    state = a_state([BROAD], UPLOADS)
    planned = plan(state)
    apply(state, planned)
    calls = FIX.undo_calls(planned.change, planned.before, state)
    sid = str(calls[1].parameters["StatementId"])
    state.set_statements(FUNCTION_ARN, [by_source(sid, SNS, TOPIC)])
    with pytest.raises(RetryableError, match="is not the one that the fix added"):
        FIX.undo(calls[1], planned.change, state, state)


# ── What people see ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_approves_it_sees_the_statements_before_and_after() -> None:
    """In full, those that change; the others are counted in a digest."""
    planned = plan(a_state([OTHER, BROAD], UPLOADS))
    parts = dict(plan_parts(proposal(FIX, planned, at="", attempts=0)))
    shown = parts["Before and after"]
    assert f"  - {json.dumps(BROAD)}" in shown
    assert f'"AWS:SourceArn": "{BUCKET}"' in shown
    assert "0 unchanged" in shown
    assert TOPIC not in shown
    assert "Sources of other accounts cannot be seen" in parts["What is unknown"]


def test_who_undoes_it_sees_what_is_restored() -> None:
    """The old statement comes back, and the new one goes."""
    planned = plan(a_state([OTHER, BROAD], UPLOADS))
    preview = undo_preview(proposal(FIX, planned, at="", attempts=0))
    assert f"  + {json.dumps(BROAD)}" in preview
    assert TOPIC not in preview
