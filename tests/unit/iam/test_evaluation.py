"""How a decision is explained. The case tables check that it is correct."""

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
    """With policy, Sid and kind."""
    decision = evaluate(REQUEST, PolicySet(identity=(policy(name="read", Sid="All"),)))
    assert decision.allowed
    assert not decision.denied
    assert str(decision.statement) == "statement 'All' of the identity policy 'read'"
    assert decision.explain() == "Allowed by statement 'All' of the identity policy 'read'."


def test_a_statement_without_sid_is_named_by_its_position() -> None:
    """Counted from one."""
    decision = evaluate(REQUEST, PolicySet(identity=(policy("Deny"),)))
    assert decision.denied
    assert decision.explain() == "Explicitly denied by statement 1 of the identity policy."


@pytest.mark.parametrize(
    ("policies", "kind", "words"),
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
def test_an_implicit_deny_names_the_kind_of_policy(policies: PolicySet, kind: str, words: str) -> None:
    """The kind that does not allow."""
    decision = evaluate(REQUEST, policies)
    assert (decision.decision, decision.blocked_by) == (EvalDecision.IMPLICIT_DENY, kind)
    assert words in decision.explain()


def test_a_conditional_result_names_the_keys_as_the_policy_spells_them() -> None:
    """And the statement on which it depends."""
    condition = {"StringEquals": {"AWS:SourceVpc": "vpc-1", "aws:ResourceTag/Env": "prod"}}
    decision = evaluate(REQUEST, PolicySet(identity=(policy(name="net", Sid="Vpc", Condition=condition),)))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert decision.unknown_keys == ("AWS:SourceVpc", "aws:ResourceTag/Env")
    assert decision.explain() == (
        "Unknown: it depends on statement 'Vpc' of the identity policy 'net' "
        "and on the unknown condition keys AWS:SourceVpc, aws:ResourceTag/Env."
    )


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        (PolicySet(identity=(policy(),), unread=("p: AccessDenied",)), "p: AccessDenied"),
        (PolicySet(identity=(policy(), unread_policy("q", "throttled"))), "'q' could not be read: throttled"),
        (PolicySet(identity=(policy(),), boundary_unread="AccessDenied"), "boundary could not be read"),
        (PolicySet(identity=(policy(),), boundary=unread_policy("b", "denied")), "'b' could not be read: denied"),
        (PolicySet(identity=(policy(),), resource_unread="AccessDenied"), "resource's policy could not be read"),
        (PolicySet(identity=(policy(),), resource=unread_policy("r", "denied")), "'r' could not be read: denied"),
        (PolicySet(identity=(policy(),), scps=[[unread_policy("s", "denied")]]), "'s' could not be read: denied"),
        (PolicySet(identity=(policy(Resource=None),)), "Resource is neither a string nor a list of strings"),
        (PolicySet(identity=(policy(), policy("Deny", Condition={"Is": {"a": "b"}}))), "not a condition operator"),
    ],
)
def test_a_conditional_result_has_a_reason(policies: PolicySet, reason: str) -> None:
    """For every kind of policy that could not be read."""
    decision = evaluate(REQUEST, policies)
    assert decision.decision is EvalDecision.CONDITIONAL
    assert reason in "; ".join(decision.reasons)
    assert reason in decision.explain()


def test_without_its_key_policy_a_key_is_conditional_with_a_reason() -> None:
    """Identity policies alone are never enough for a key."""
    request = Request(ROLE, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")
    decision = evaluate(request, PolicySet(identity=(policy(),)))
    assert decision.decision is EvalDecision.CONDITIONAL
    assert "delegates to the account" in decision.reasons[0]


def test_a_conditional_result_names_the_keys_of_every_relevant_statement() -> None:
    """Of all statements that can allow, or only of the Deny statements if an Allow is certain."""
    vpc: JSON = {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    tag: JSON = {"Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}}}
    either = evaluate(REQUEST, PolicySet(identity=(policy(**vpc), policy(**tag))))
    assert either.unknown_keys == ("aws:SourceVpc", "aws:ResourceTag/a")
    denied = evaluate(REQUEST, PolicySet(identity=(policy(**vpc), policy("Deny", **tag), policy())))
    assert denied.unknown_keys == ("aws:ResourceTag/a",)
    assert denied.statement is not None
    assert denied.statement.effect == "Deny"


def test_the_resource_policy_is_named_where_the_boundary_limits_the_identity() -> None:
    """An Allow for the session overrides the boundary; the identity policy does not."""
    session = Principal.session("arn:aws:sts::123456789012:assumed-role/r/s")
    policies = PolicySet(
        identity=(policy(),), boundary=policy(Action="s3:*"), resource=policy(Principal={"AWS": session.arn})
    )
    decision = evaluate(Request(session, "sqs:ReceiveMessage", QUEUE), policies)
    assert decision.statement is not None
    assert (decision.allowed, decision.statement.kind) == (True, "resource")


def test_what_aws_owns_belongs_to_no_other_account() -> None:
    """An AWS managed policy has the account `aws`."""
    request = Request(ROLE, "iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert evaluate(request, PolicySet(identity=(policy(),))).allowed


def test_the_owner_of_a_bucket_can_come_from_the_context() -> None:
    """A bucket ARN contains no account."""
    request = Request(ROLE, "s3:GetObject", "arn:aws:s3:::b/k", Context({"aws:ResourceAccount": "999999999999"}))
    decision = evaluate(request, PolicySet(identity=(policy(),)))
    assert (decision.decision, decision.blocked_by) == (EvalDecision.IMPLICIT_DENY, "resource")


@pytest.mark.parametrize("account", ["123456789012", "999999999999"])
def test_a_root_user_needs_no_policy_in_its_own_account(account: str) -> None:
    """It needs both sides in another account. A service control policy applies to it."""
    request = Request(Principal.root(account), "sqs:ReceiveMessage", QUEUE)
    assert evaluate(request, PolicySet()).allowed is (account == "123456789012")
    assert evaluate(request, PolicySet(scps=[[policy("Deny")]])).decision is EvalDecision.EXPLICIT_DENY


def test_an_anonymous_caller_needs_the_resource_policy() -> None:
    """With the principal `*`."""
    request = Request(Principal.anonymous(), "sqs:ReceiveMessage", QUEUE)
    assert evaluate(request, PolicySet(resource=policy(Principal="*"))).allowed
    assert evaluate(request, PolicySet(resource=policy(Principal={"AWS": "123456789012"}))).blocked_by == "resource"
    assert evaluate(request, PolicySet()).blocked_by == "resource"


def test_a_short_pattern_has_no_resource_type() -> None:
    """A `*` at its end also matches the colons and the type of an IAM resource."""
    request = Request(ROLE, "iam:GetUser", "arn:aws:iam::123456789012:user/ann")
    for pattern in ("arn:aws:iam*", "arn:aws:iam::1234*", "arn:aws:iam::*"):
        assert evaluate(request, PolicySet(identity=(policy(Resource=pattern),))).allowed, pattern
        denied = PolicySet(identity=(policy(), policy("Deny", Resource=pattern)))
        assert evaluate(request, denied).decision is EvalDecision.EXPLICIT_DENY, pattern


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "arn:aws:sqs:*", "arn:aws:sqs", "arn:*:orders", "arn:aws:sqs:us-east-1:123456789012:order?"),
        *("arn:aws:sqs:us-east-1:123456789012:${aws:username}", "*${a:b}?", "${*}", "x", "arn:aws:sqs:*:*:*r*"),
    ],
)
@pytest.mark.parametrize("element", ["Resource", "NotResource"])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_one_of_many_resources_decides_as_it_does_alone(effect: str, element: str, pattern: str) -> None:
    """Many are compared at once."""
    others = [f"arn:aws:sns:us-east-1:123456789012:other-{number}" for number in range(40)]
    found = []
    for values in ([pattern], [*others, pattern]):
        raw = {"Effect": effect, "Action": "*", element: values}
        document = parse_policy({"Version": "2012-10-17", "Statement": raw})
        decisions = [
            evaluate(Request(ROLE, "sqs:ReceiveMessage", resource, context), PolicySet(identity=(policy(), document)))
            for resource in (QUEUE, "*", "arn:aws:sqs:us-east-1:123456789012:*", f"{QUEUE}-é")
            for context in (Context({"a:b": "orde"}), Context({"a:b": None}), Context())
        ]
        found.append([decision.decision for decision in decisions])
    assert found[0] == found[1]


def test_a_condition_with_many_values_is_evaluated_for_each_request() -> None:
    """Its last result is kept only for the same values of its key and its variables."""
    values = [f"x{number}" for number in range(20)]
    document = policy(Condition={"StringLike": {"a:key": [*values, "${a:name}"]}})
    pairs: list[tuple[JSON, JSON]] = [("x1", "ann"), ("ann", "ann"), ("ann", "bob"), ("x1", "bob"), ("x", None)]
    for key, name in [*pairs, (["x1"], "bob")]:
        context = Context({"a:key": key, "a:name": name})
        expected = isinstance(key, str) and key in [*values, name]
        assert evaluate(Request(ROLE, "a:b", "*", context), PolicySet(identity=(document,))).allowed is expected


def test_a_policy_with_more_statements_than_aws_accepts_is_unreadable() -> None:
    """No service has room for a thousand."""
    document = parse_policy({"Version": "2012-10-17", "Statement": [{}] * 1001})
    assert (document.unreadable, document.problems) == (True, ("more than 1,000 statements",))
