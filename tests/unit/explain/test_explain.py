"""The whole explanation of a function: statements, ways, triggers, needs, and what was not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from permission_guard.explain.callers import ways
from permission_guard.explain.explain import explain
from permission_guard.explain.explanation import Answer, Explanation
from permission_guard.explain.ways import Callers, entries
from permission_guard.iam import TrustSet
from permission_guard.model.state import FunctionUrl, Unread
from permission_guard.rules import RULES
from tests.fakes import ACCOUNT, DENIED, FUNCTION_ARN, ROLE_ARN, a_mapping, polling, statement
from tests.unit.explain.accounts import (
    INVOKE,
    INVOKE_URL,
    LIST_DENIED,
    POLICY_DENIED,
    ROLE,
    URL,
    USER,
    a_caller,
    a_state,
    granting,
    policy_on,
)
from tests.unit.explain.shop import shop
from tests.unit.explain.test_question import ANYONE_BY_URL, CASES, PUBLIC_URL

TRUST = TrustSet(frozenset({ACCOUNT}))
RULES_OF_A_FUNCTION = [rule(TRUST) for rule in RULES if not rule.full_check_only]
SERVICE_LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sns.amazonaws.com/AWSServiceRoleForSNS"


def explained(state: Any) -> Explanation:
    """Return the explanation of a state."""
    return explain(state, RULES_OF_A_FUNCTION, TRUST)


def test_each_statement_has_the_verdicts_of_the_rules() -> None:
    """Of a Deny statement there are none."""
    state = a_state(
        policy_on(
            granting({"Service": "s3.amazonaws.com"}, Sid="photos"),
            granting({"AWS": ROLE}, Sid="own"),
            granting({"AWS": USER}, effect="Deny", Sid="not-ann"),
        ),
        policy_on(granting({"AWS": ROLE}, arn=f"{FUNCTION_ARN}:live", Sid="alias"), qualifier="live"),
    )
    photos, own, denying, alias = explained(state).statements
    assert (photos.outcome, [one.rule_id for one in photos.verdicts]) == ("violation", ["PG102"])
    assert (own.outcome, own.verdicts, own.passed > 5) == ("pass", (), True)
    assert (denying.effect, denying.outcome, denying.principals[0].value) == ("Deny", "", USER)
    assert (alias.resource_arn, alias.name) == (f"{FUNCTION_ARN}:live", "alias")


def test_a_qualifier_limits_the_explanation() -> None:
    """To the policy of that alias, and to the Invoke API on it."""
    state = a_state(
        policy_on(granting({"AWS": ROLE})),
        policy_on(granting({"AWS": ROLE}, arn=f"{FUNCTION_ARN}:live", Sid="alias"), qualifier="live"),
        qualifier="live",
        runs=polling(None, mappings=(a_mapping(), a_mapping(function_arn=f"{FUNCTION_ARN}:live"))),
    )
    found = explained(state)
    assert [one.name for one in found.statements] == ["alias"]
    assert [way.resource_arn for way in found.ways] == [f"{FUNCTION_ARN}:live"]
    assert [one.resource_arn for one in found.requirements] == [f"{FUNCTION_ARN}:live"]


def test_callers_are_allowed_unknown_or_stopped_and_the_others_are_counted() -> None:
    """The allowed ones first."""
    (way,) = explained(shop()).ways
    assert [(caller.arn.rpartition("/")[2], str(caller.answer)) for caller in way.callers[7:]] == [
        ("admin-08", "allowed"),
        ("ann", "unknown"),
        ("deploy", "denied"),
        ("paused", "denied"),
    ]
    assert way.not_allowed == 1


def test_a_deny_without_an_allow_is_not_named() -> None:
    """Nothing that the Deny statement stops is allowed to the role."""
    state = a_state(callers=(a_caller(statement("lambda:*", effect="Deny")),))
    (way,) = explained(state).ways
    assert (way.callers, way.not_allowed) == ((), 1)


def test_a_service_linked_role_is_named_as_one() -> None:
    """Nobody can change its policies."""
    (way,) = explained(a_state(callers=(a_caller(statement(INVOKE), arn=SERVICE_LINKED),))).ways
    assert way.callers[0].kind == "service-linked role"


def test_roles_that_were_not_read_are_unknown() -> None:
    """Not nobody."""
    found = explained(a_state(unread=LIST_DENIED))
    assert (found.ways[0].unread, found.ways[0].not_allowed) == (str(LIST_DENIED), 0)
    assert any("roles and users of the account were not read" in sentence for sentence in found.unread)
    assert found.has_unknowns


def test_a_url_with_iam_needs_both_actions() -> None:
    """A role with one of them may not call it."""
    both = a_caller(statement(INVOKE, INVOKE_URL), arn=f"{ROLE}-both")
    state = a_state(
        callers=(a_caller(statement(INVOKE_URL)), both),
        invokes={"function_urls": (FunctionUrl(None, URL, "AWS_IAM"),)},
    )
    by_url = explained(state).ways[1]
    assert (by_url.url, [caller.arn for caller in by_url.callers]) == (URL, [both.arn])


def test_a_url_without_authentication_has_no_callers_but_anyone() -> None:
    """With both statements anyone may call it, with one nobody."""
    found = explained(a_state(policy_on(*ANYONE_BY_URL), callers=(a_caller(statement("*")),), invokes=PUBLIC_URL))
    assert (found.ways[1].anyone, found.ways[1].callers) == (Answer.ALLOWED, ())
    one_half = explained(a_state(policy_on(ANYONE_BY_URL[0]), invokes=PUBLIC_URL))
    assert one_half.ways[1].anyone is Answer.DENIED


def test_a_trigger_has_the_verdict_of_the_rule() -> None:
    """PG112 decides whether a statement allows it."""
    state = shop()
    assert [(one.source.rpartition(":")[2], str(one.answer)) for one in explained(state).triggers] == [
        ("news", "allowed")
    ]
    without = replace(state, invokes=replace(state.invokes, resource_policies=()))
    assert [str(one.answer) for one in explained(without).triggers] == ["denied"]
    assert explained(without).has_problems


def test_needs_have_the_statement_that_decides() -> None:
    """Of the mapping and of the logs."""
    mapping, logging = explained(shop()).requirements
    assert mapping.what.startswith("Amazon SQS queue arn:aws:sqs:")
    assert {need.action: str(need.answer) for need in mapping.needs} == {
        "sqs:ReceiveMessage": "allowed",
        "sqs:DeleteMessage": "denied",
        "sqs:GetQueueAttributes": "allowed",
    }
    assert all(need.statement for need in mapping.needs if need.answer is Answer.ALLOWED)
    assert {str(need.answer) for need in logging.needs} == {"allowed"}


def test_a_disabled_mapping_needs_nothing_and_a_missing_role_is_said() -> None:
    """A role that was not read makes it unknown."""
    disabled = a_mapping(state="Disabled", state_transition_reason="User action")
    off, _ = explained(a_state(runs=polling(None, mappings=(disabled,)))).requirements
    assert (off.state, off.needs, off.note) == ("Disabled", (), "It needs nothing while it is disabled.")
    missing, _ = explained(a_state(runs=polling(None))).requirements
    assert missing.note == "The role does not exist: Lambda can do nothing with it."
    found = explained(a_state(runs=polling(DENIED)))
    assert found.requirements[0].note == str(DENIED)
    assert any(f"The role {ROLE_ARN} was not read." in sentence for sentence in found.unread)


def test_everything_that_was_not_read_is_named() -> None:
    """Once each."""
    urls = Unread("lambda:ListFunctionUrlConfigs", "AccessDenied", "no", denied=True)
    aliases = Unread("lambda:ListAliases", "AccessDenied", "no", denied=True)
    state = a_state(POLICY_DENIED, unread=LIST_DENIED, aliases=aliases, invokes={"function_urls": urls})
    text = " ".join(explained(state).unread)
    for unread in (POLICY_DENIED, urls, aliases, LIST_DENIED, "What the execution role needs was not read."):
        assert text.count(str(unread)) == 1, text


def test_who_is_skipped_without_a_decision_would_be_denied() -> None:
    """Of every case: skipping is only faster."""
    compared = 0
    others = tuple(a_caller(statement(action), arn=f"{ROLE}-{action[:2]}") for action in ("s3:*", "sqs:*"))
    for state in (shop(), a_state(callers=others), *(case.state for case in CASES.values())):
        for entry in entries(state):
            deciding = Callers.of(entry, state)
            for identity in state.identities.identities:
                if not deciding.may_allow(identity):
                    compared += 1
                    assert deciding.identity(identity).denied
    assert compared > 3


def test_another_version_is_a_way_of_its_own() -> None:
    """For who may not invoke the function itself."""
    by_number = a_caller(statement(INVOKE, resource=f"{FUNCTION_ARN}:7"))
    everywhere = a_caller(statement(INVOKE), arn=f"{ROLE}-2")
    known, others = ways(a_state(callers=(by_number, everywhere), versions=("7",)))
    assert [caller.arn for caller in known.callers] == [everywhere.arn]
    assert (others.resource_arn, [caller.arn for caller in others.callers]) == (f"{FUNCTION_ARN}:*", [by_number.arn])
