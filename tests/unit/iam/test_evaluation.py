"""What a decision says of itself. Whether it is right, the case tables say."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.iam import (
    Context,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    evaluate,
    parse_policy,
    unread_policy,
)

JSON = Any

ROLE = Principal.role("arn:aws:iam::123456789012:role/r")
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
REQUEST = Request(ROLE, "sqs:ReceiveMessage", QUEUE)


def policy(effect: str = "Allow", name: str = "", **more: JSON) -> Any:
    """Return a policy of one statement on everything."""
    statement = {"Effect": effect, "Action": "*", "Resource": "*", **more}
    return parse_policy({"Version": "2012-10-17", "Statement": statement}, name=name)


def test_an_allowed_request_names_its_statement() -> None:
    """By policy, Sid and kind."""
    decision = evaluate(REQUEST, PolicySet(identity=(policy(name="read", Sid="All"),)))
    assert decision.allowed
    assert not decision.denied
    assert str(decision.statement) == "statement 'All' of the identity policy 'read'"
    assert decision.explain() == "Allowed by statement 'All' of the identity policy 'read'."


def test_a_statement_without_sid_is_counted() -> None:
    """From one, as a person does."""
    decision = evaluate(REQUEST, PolicySet(identity=(policy("Deny"),)))
    assert decision.denied
    assert decision.explain() == "Explicitly denied by statement 1 of the identity policy."


@pytest.mark.parametrize(
    ("policies", "layer", "words"),
    [
        (PolicySet(), "identity", "no identity-based policy allows it"),
        (PolicySet(identity=(policy(),), boundary=policy(Action="s3:*")), "boundary", "permissions boundary"),
        (PolicySet(identity=(policy(),), session=policy(Action="s3:*")), "session", "session policy"),
        (PolicySet(identity=(policy(),), scps=[[policy(Action="s3:*")]]), "scp", "service control policy"),
        (PolicySet(identity=(policy(),), scps=[[policy()], []]), "scp", "service control policy"),
        (PolicySet(identity=(policy(),), rcps=[[policy(Action="s3:*", Principal="*")]]), "rcp", "resource control"),
        (PolicySet(identity=(policy(),), resource_account="999999999999"), "resource", "resource's own policy"),
    ],
)
def test_an_implicit_denial_names_the_layer(policies: PolicySet, layer: str, words: str) -> None:
    """The one that did not allow."""
    decision = evaluate(REQUEST, policies)
    assert (decision.decision, decision.blocked_by) == (EvalDecision.IMPLICIT_DENY, layer)
    assert words in decision.explain()


def test_a_doubt_names_the_keys_as_the_policy_spells_them() -> None:
    """And the statement it hinges on."""
    condition = {"StringEquals": {"AWS:SourceVpc": "vpc-1", "aws:ResourceTag/Env": "prod"}}
    decision = evaluate(REQUEST, PolicySet(identity=(policy(name="net", Sid="Vpc", Condition=condition),)))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert decision.unknown_keys == ("AWS:SourceVpc", "aws:ResourceTag/Env")
    assert decision.explain() == (
        "Not certain: it hinges on statement 'Vpc' of the identity policy 'net' "
        "and on the unknown AWS:SourceVpc, aws:ResourceTag/Env."
    )


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        (PolicySet(identity=(policy(),), unread=("p: AccessDenied",)), "p: AccessDenied"),
        (PolicySet(identity=(policy(), unread_policy("q", "throttled"))), "'q' could not be read: throttled"),
        (PolicySet(identity=(policy(),), boundary_unread="AccessDenied"), "boundary could not be read"),
        (PolicySet(identity=(policy(),), boundary=unread_policy("b", "gone")), "'b' could not be read: gone"),
        (PolicySet(identity=(policy(),), resource_unread="AccessDenied"), "resource's policy could not be read"),
        (PolicySet(identity=(policy(),), resource=unread_policy("r", "gone")), "'r' could not be read: gone"),
        (PolicySet(identity=(policy(),), scps=[[unread_policy("s", "gone")]]), "'s' could not be read: gone"),
        (PolicySet(identity=(policy(Resource=None),)), "Resource is not a text"),
        (PolicySet(identity=(policy(), policy("Deny", Condition={"Is": {"a": "b"}}))), "no condition operator"),
    ],
)
def test_a_doubt_gives_its_reason(policies: PolicySet, reason: str) -> None:
    """Whatever could not be read, in whichever layer."""
    decision = evaluate(REQUEST, policies)
    assert decision.decision is EvalDecision.CONDITIONAL
    assert reason in "; ".join(decision.reasons)
    assert reason in decision.explain()


def test_a_key_policy_that_is_not_given_is_a_doubt_with_a_reason() -> None:
    """Identity policies alone never suffice for a key."""
    request = Request(ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")
    decision = evaluate(request, PolicySet(identity=(policy(),)))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert "delegates to the account" in decision.reasons[0]


def test_a_doubt_names_every_statement_s_keys_that_matter() -> None:
    """Of all statements that may allow; and of the Denies alone where an Allow is certain."""
    vpc: JSON = {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    tag: JSON = {"Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}
    either = evaluate(REQUEST, PolicySet(identity=(policy(**vpc), policy(**tag))))
    assert either.unknown_keys == ("aws:SourceVpc", "aws:ResourceTag/a")
    denied = evaluate(REQUEST, PolicySet(identity=(policy(**vpc), policy("Deny", **tag), policy())))
    assert denied.unknown_keys == ("aws:ResourceTag/a",)
    assert denied.statement is not None
    assert denied.statement.effect == "Deny"


def test_the_resource_policy_is_named_where_the_boundary_limits_the_identity() -> None:
    """A grant to the session passes the boundary; the identity's own does not."""
    session = Principal.session("arn:aws:sts::123456789012:assumed-role/r/s")
    policies = PolicySet(
        identity=(policy(),), boundary=policy(Action="s3:*"), resource=policy(Principal={"AWS": session.arn})
    )
    decision = evaluate(Request(session, "sqs:ReceiveMessage", QUEUE), policies)
    assert decision.statement is not None
    assert (decision.allowed, decision.statement.kind) == (True, "resource")


def test_what_aws_owns_is_nobody_else_s() -> None:
    """An AWS managed policy has `aws` for its account."""
    request = Request(ROLE, "iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert evaluate(request, PolicySet(identity=(policy(),))).allowed


def test_the_owner_of_a_bucket_may_come_from_the_context() -> None:
    """Its ARN names none."""
    request = Request(ROLE, "s3:GetObject", "arn:aws:s3:::b/k", Context({"aws:ResourceAccount": "999999999999"}))
    decision = evaluate(request, PolicySet(identity=(policy(),)))
    assert (decision.decision, decision.blocked_by) == (EvalDecision.IMPLICIT_DENY, "resource")


@pytest.mark.parametrize("account", ["123456789012", "999999999999"])
def test_a_root_user_needs_no_policy_at_home(account: str) -> None:
    """And both sides abroad; an SCP binds it."""
    request = Request(Principal.root(account), "sqs:ReceiveMessage", QUEUE)
    assert evaluate(request, PolicySet()).allowed is (account == "123456789012")
    assert evaluate(request, PolicySet(scps=[[policy("Deny")]])).decision is EvalDecision.EXPLICIT_DENY


def test_an_anonymous_caller_needs_the_resource_policy() -> None:
    """Whose principal is everybody."""
    request = Request(Principal.anonymous(), "sqs:ReceiveMessage", QUEUE)
    assert evaluate(request, PolicySet(resource=policy(Principal="*"))).allowed
    assert evaluate(request, PolicySet(resource=policy(Principal={"AWS": "123456789012"}))).blocked_by == "resource"
    assert evaluate(request, PolicySet()).blocked_by == "resource"
