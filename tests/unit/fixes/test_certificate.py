"""Certificates: what a change allows, decided for whole statements. What is not decided does not hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.fixes.certificate import Call, Certificate, add, attach, compact, narrow, remove
from permission_guard.fixes.plans import proposal
from permission_guard.iam import Context, Policy, PolicySet, Principal, Request, evaluate, parse_policy
from tests.fakes import ACCOUNT, FUNCTION_ARN, NOW, SQS_POLICY, a_policy, allow

JSON = Any

API = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abc/*/GET/orders"
BUCKET = "arn:aws:s3:::uploads"


def statement(sid: str, service: str = "s3.amazonaws.com", arn: JSON = "", account: JSON = "", **more: JSON) -> JSON:
    """Return a statement as AddPermission writes it."""
    condition: JSON = {}
    if arn:
        condition["ArnLike"] = {"AWS:SourceArn": arn}
    if account:
        condition["StringEquals"] = {"AWS:SourceAccount": account}
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION_ARN,
        **({"Condition": condition} if condition else {}),
        **more,
    }


def policy(*statements: JSON) -> Policy:
    """Return a policy."""
    return parse_policy({"Version": "2012-10-17", "Statement": list(statements)})


BROAD, OTHER = statement("broad"), statement("other", "sns.amazonaws.com", "arn:aws:sns:us-east-1:123456789012:t")
NEW = statement("new", arn=BUCKET, account=ACCOUNT)
CALL = Call(principal="s3.amazonaws.com", function_arn=FUNCTION_ARN, source_arn=BUCKET, source_account=ACCOUNT)
DENY = {"Sid": "deny", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
ONLY_OWN = {**DENY, "Condition": {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}}


def narrowed(
    *, old: JSON = (BROAD, OTHER), between: JSON = None, new: JSON = (OTHER, NEW), calls: JSON = (CALL,)
) -> Certificate:
    """Certify a narrowing: the new statement is added, then the broad one is removed."""
    steps = [policy(*old, NEW)] if between is None else [policy(*each) for each in between]
    return narrow(policy(*old), steps, policy(*new), calls)


# ── Narrow ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_narrowing_to_the_proven_sources_holds() -> None:
    """Its grounds name the sources."""
    found = narrowed()
    assert (found.kind, found.holds) == ("narrow", True)
    assert found.grounds == (
        "Everything that the new policy allows was allowed before, and so it is after each call.",
        f"{BUCKET} is allowed before, between and after the calls.",
    )
    assert found.document == {"kind": "narrow", "holds": True, "grounds": list(found.grounds)}


AGAINST: dict[str, tuple[JSON, str]] = {
    "no source": ({"calls": ()}, "No source is proven."),
    "more than before": (
        {"new": [OTHER, NEW, statement("more", "sqs.amazonaws.com")]},
        "The statement more allows more than before",
    ),
    "a dropped condition": (
        {"old": [statement("broad", account=ACCOUNT)], "new": [statement("new", arn=BUCKET)]},
        "The statement new allows more than before",
    ),
    "a forgotten source": (
        {"calls": [CALL, replace(CALL, source_arn="arn:aws:s3:::second")]},
        "arn:aws:s3:::second is not allowed by the new policy.",
    ),
    "a gap between the calls": ({"between": [[OTHER]]}, f"{BUCKET} is not allowed by the policy after call 1 of 2."),
    "more between the calls": (
        {"between": [[BROAD, NEW, OTHER, statement("more", "sqs.amazonaws.com")]]},
        "The statement more allows more than before",
    ),
    "never allowed": (
        {"old": [OTHER], "between": [], "new": [OTHER]},
        f"{BUCKET} is not allowed by the policy before.",
    ),
    "a Deny goes": (
        {"old": [BROAD, ONLY_OWN], "between": [], "new": [NEW]},
        "The Deny statement deny would change: what it denies could become allowed.",
    ),
    "a Deny comes": (
        {"old": [BROAD], "between": [], "new": [NEW, DENY]},
        f"{BUCKET} is denied by the statement deny by the new policy.",
    ),
    "a Deny stays": (
        {"old": [BROAD, DENY], "between": [], "new": [NEW, DENY]},
        f"{BUCKET} is denied by the statement deny by the policy before.",
    ),
    "swapped operators": (
        {
            "old": [statement("broad", Condition={"StringNotEquals": {"AWS:SourceArn": BUCKET}})],
            "between": [],
            "new": [NEW],
        },
        "The statement new allows more than before",
    ),
    "a variable": (
        {"old": [statement("broad", account="${aws:ResourceAccount}")], "between": [], "new": [NEW]},
        "Whether the statement new allows more than before is undecided",
    ),
    "malformed": ({"between": [], "new": [NEW, {**OTHER, "Extra": 1}]}, "is undecided: it is malformed"),
}


@pytest.mark.parametrize(("changed", "reason"), AGAINST.values(), ids=AGAINST)
def test_any_other_narrowing_does_not_hold(changed: JSON, reason: str) -> None:
    """It says why, first what allows more."""
    found = narrowed(**changed)
    assert not found.holds
    assert reason in " ".join(found.grounds), found.grounds


def test_a_deny_that_stays_and_denies_other_sources_does_not_matter() -> None:
    """It limits the policy before and after in the same way."""
    found = narrowed(old=(BROAD, ONLY_OWN), between=[[BROAD, NEW, ONLY_OWN]], new=(NEW, ONLY_OWN))
    assert found.holds, found.grounds
    assert "The Deny statements stay as they are." in found.grounds


def test_a_source_with_wildcards_is_all_its_calls() -> None:
    """API Gateway sends the stage: a statement for one stage does not keep them all."""
    call = Call(principal="apigateway.amazonaws.com", function_arn=FUNCTION_ARN, source_arn=API)
    broad, one_stage = statement("b", call.principal), statement("n", call.principal, API.replace("*", "prod"))
    assert not narrowed(old=[broad], between=[], new=[one_stage], calls=[call]).holds
    assert narrowed(old=[broad], between=[], new=[statement("n", call.principal, API)], calls=[call]).holds


def test_an_unreadable_policy_holds_nothing() -> None:
    """Whichever it is."""
    unread = parse_policy("{")
    for found in (
        narrow(unread, (), policy(NEW), [CALL]),
        narrow(policy(NEW), [unread], policy(NEW), [CALL]),
        compact(policy(NEW), (), unread),
        remove(unread, (), policy()),
        add(policy(), unread, [NEW]),
        attach([], [unread], {"arn": a_policy(SQS_POLICY)}),
        attach([], [], {"arn": unread}),
    ):
        assert not found.holds
        assert "read" in found.reason


def test_a_call_is_what_evaluate_allows() -> None:
    """The policies of a narrowing allow the request of the call."""
    request = Request(
        Principal.service(CALL.principal),
        CALL.action,
        FUNCTION_ARN,
        Context({"aws:SourceArn": BUCKET, "aws:SourceAccount": ACCOUNT}),
    )
    for each in (policy(BROAD), policy(BROAD, NEW), policy(NEW)):
        assert evaluate(request, PolicySet(resource=each)).allowed
    assert Call(principal="a.amazonaws.com", function_arn=FUNCTION_ARN).source == "a.amazonaws.com"
    assert Call(principal="a.amazonaws.com", function_arn=FUNCTION_ARN, source_account="1").source.endswith("account 1")


def test_many_reasons_are_counted() -> None:
    """A refusal is one text, and many sources are a number."""
    calls = [replace(CALL, source_arn=f"{BUCKET}{number}") for number in range(9)]
    assert narrowed(calls=calls).reason.endswith("And 6 more reasons.")
    kept = narrowed(new=[BROAD], between=[], calls=calls)
    assert kept.grounds[1] == "Each of the 9 proven sources is allowed before, between and after the calls."


# ── Compact, remove, add ────────────────────────────────────────────────────────────────────────────────────────────

PAIR = [statement(name, arn=f"arn:aws:s3:::{name}", account=ACCOUNT) for name in "ab"]
MERGED = statement("a", arn=["arn:aws:s3:::a", "arn:aws:s3:::b"], account=ACCOUNT)


def test_a_compaction_allows_the_same() -> None:
    """Neither more nor less, and each proven source in between."""
    call = replace(CALL, source_arn="arn:aws:s3:::a")
    assert compact(policy(*PAIR), (), policy(MERGED), [call]).grounds == (
        "The 1 statements of the new policy allow the same requests as the 2 statements of the old one.",
        "arn:aws:s3:::a is allowed before, between and after the calls.",
    )
    assert not compact(policy(*PAIR), (), policy(PAIR[0])).holds
    assert not compact(policy(*PAIR), (), policy({**MERGED, "Principal": "*"})).holds
    assert not compact(policy(*PAIR), [policy(PAIR[1])], policy(MERGED), [call]).holds
    assert not compact(policy(*PAIR), (), policy(MERGED, ONLY_OWN)).holds
    assert not compact(policy(*PAIR, ONLY_OWN), (), policy(MERGED)).holds


def test_statements_are_not_merged_across_principals() -> None:
    """Two sources of two services are not each service for each source."""
    old = policy(statement("a", arn="arn:aws:s3:::a"), statement("b", "sns.amazonaws.com", "arn:aws:s3:::b"))
    both = statement("a", arn=["arn:aws:s3:::a", "arn:aws:s3:::b"])
    new = policy({**both, "Principal": {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}})
    assert compact(old, (), new).reason.startswith("The statement a allows more than before")


def test_a_removal_allows_nothing_new() -> None:
    """A Deny may not be removed."""
    assert remove(policy(BROAD, NEW), (), policy(NEW)).holds
    assert not remove(policy(NEW), (), policy(BROAD)).holds
    assert not remove(policy(NEW, DENY), (), policy(NEW)).holds


def test_an_addition_is_exactly_what_is_added() -> None:
    """Nothing else, and nothing that was there before is missing."""
    found = add(policy(OTHER), policy(OTHER, NEW), [NEW])
    assert found.holds
    assert "what new allows" in found.grounds[0]
    assert not add(policy(OTHER), policy(OTHER, BROAD), [NEW]).holds
    assert not add(policy(OTHER), policy(OTHER), [NEW]).holds
    assert not add(policy(OTHER), policy(NEW), [NEW]).holds
    assert not add(policy(OTHER), policy(OTHER, NEW, DENY), [NEW]).holds
    assert not add(policy(OTHER, DENY), policy(OTHER, NEW), [NEW]).holds


# ── Attach ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ARN = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
MANAGED = a_policy(SQS_POLICY)
LOGS = a_policy(allow("logs:*"))


def test_an_attachment_is_the_union() -> None:
    """Of what the role was allowed and what the policy allows."""
    found = attach([LOGS], [LOGS, MANAGED], {ARN: MANAGED})
    assert found.holds
    assert found.grounds[0].startswith(f"The role is then allowed what it was allowed before, and what {ARN} allows.")
    assert not attach([LOGS], [MANAGED], {ARN: MANAGED}).holds
    assert not attach([LOGS], [LOGS], {ARN: MANAGED}).holds
    assert not attach([LOGS], [LOGS, MANAGED, a_policy(allow("s3:GetObject"))], {ARN: MANAGED}).holds


def test_a_policy_that_denies_is_not_attached() -> None:
    """It takes permissions away."""
    denies = a_policy({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]})
    assert "Deny statement" in attach([LOGS], [LOGS, denies], {ARN: denies}).reason
    assert "would change" in attach([LOGS, denies], [LOGS, MANAGED], {ARN: MANAGED}).reason
    assert attach([LOGS, denies], [LOGS, denies, MANAGED], {ARN: MANAGED}).holds


def test_a_plan_whose_certificate_does_not_hold_is_refused() -> None:
    """With the reason; and so is one without a certificate."""
    from tests.unit.fixes.test_plans import plan_of  # noqa: PLC0415 - its plan is enough

    plan, fix = plan_of(), AttachManagedPolicy()
    assert plan.certificate is not None
    recorded = proposal(fix, plan, at=NOW, attempts=0)
    assert recorded.certificate == plan.certificate.document
    assert recorded.plan["certificate"]["holds"] is True
    assert recorded.plan_hash != replace(recorded, certificate={}).plan_hash
    with pytest.raises(FixRefusedError, match="The plan has no certificate"):
        proposal(fix, replace(plan, certificate=None), at=NOW, attempts=0)
    with pytest.raises(FixRefusedError, match=r"plan changes only what it should: Because\."):
        proposal(
            fix,
            replace(plan, certificate=Certificate("attach", holds=False, grounds=("Because.",))),
            at=NOW,
            attempts=0,
        )
