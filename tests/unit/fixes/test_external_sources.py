"""Sources of other accounts: what CloudTrail's data events say of those that nothing in this account lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.config.document import GuardConfig
from permission_guard.fixes.approval import why_to_approve
from permission_guard.fixes.narrow_statement import NarrowStatement
from permission_guard.fixes.plans import proposal
from permission_guard.model.invoke_events import InvokeCaller, NotRecorded
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION, TARGET
from tests.unit.fixes.policy_states import BUCKET, TOPIC, a_state, a_statement, a_trigger, an_inventory, by_source
from tests.unit.fixes.policy_states import check_of as check
from tests.unit.fixes.policy_states import finding_of as finding

if TYPE_CHECKING:
    from permission_guard.fixes.base import Plan
    from tests.fakes import InMemoryState

FIX = NarrowStatement()
SNS = "sns.amazonaws.com"
OTHER = "999999999999"
LIVE = f"{FUNCTION_ARN}:live"
FOREIGN = f"arn:aws:sns:{REGION}:{OTHER}:orders"
OWN_TOPIC = InvokeCaller("AWSService", SNS, TOPIC, ACCOUNT, FUNCTION_ARN, FUNCTION_ARN)
FOREIGN_TOPIC = replace(OWN_TOPIC, source_arn=FOREIGN, source_account=OTHER)


def plan(state: InMemoryState, arn: str = FUNCTION_ARN) -> Plan:
    """Plan the fix of the statement `news`."""
    return FIX.plan(finding("PG102", "statement/news", arn), state.state, state, check("PG102"))


def planned(*callers: InvokeCaller, arn: str = FUNCTION_ARN) -> Plan:
    """Plan the fix if data events show these callers."""
    topic = an_inventory("sns", a_trigger("sns", TOPIC, function=arn))
    return plan(a_state([a_statement("news", SNS, arn)], topic, arn=arn, callers=callers), arn)


def hash_of(made: Plan) -> str:
    """Return the hash that an approval names."""
    return proposal(FIX, made, at="", attempts=0).plan_hash


def denied(made: Plan) -> bool:
    """Return whether a plan says that it denies a source, and has an approval for that."""
    says = "would be denied" in made.approval and made.approval in made.unknowns
    assert says is bool(made.approval)
    return says


def test_events_without_a_source_of_another_account_need_no_approval() -> None:
    """The plan says what they show, and what they cannot show."""
    made = planned(OWN_TOPIC)
    assert made.approval == why_to_approve(GuardConfig(), FIX, finding("PG102", "statement/news"), made) == ""
    assert made.unknowns[0] == (
        "Whether sources of other accounts invoke orders less than once in 30 days. CloudTrail recorded every Invoke "
        "of the last 30 days: none is by such a source through the statement news."
    )


def test_a_function_that_nobody_invoked_needs_no_approval() -> None:
    """If every event was recorded."""
    assert not denied(planned())


def test_a_source_of_another_account_needs_an_approval_and_is_named() -> None:
    """It would be denied."""
    made = planned(OWN_TOPIC, FOREIGN_TOPIC)
    assert made.approval == (
        f"Sources of other accounts invoked orders within 30 days, and would be denied: '{FOREIGN}' of the account "
        f"'{OTHER}' through 'sns.amazonaws.com'."
    )
    assert denied(made)


@pytest.mark.parametrize(
    "callers",
    [None, NotRecorded("the trail main does not record us-east-1")],
    ids=["no-log-group", "not-recorded"],
)
def test_without_a_proof_an_approval_is_needed(callers: NotRecorded | None) -> None:
    """The plan says exactly what could not be established."""
    topic = an_inventory("sns", a_trigger("sns", TOPIC))
    made = plan(a_state([a_statement("news", SNS)], topic, callers=callers))
    unseen = (
        "Sources of other accounts cannot be seen: one that invokes orders through the statement news would be denied."
    )
    why = " CloudTrail's Invoke events do not prove that there is none: the trail main does not record us-east-1."
    assert made.approval == f"{unseen}{why if callers else ''}"
    assert denied(made)


def test_a_plan_without_such_a_source_has_one_hash() -> None:
    """An approval stays valid when a query takes too long."""
    unread = plan(a_state([a_statement("news", SNS)], TOPICS, callers=NotRecorded("a query took too long")))
    assert hash_of(planned(OWN_TOPIC)) == hash_of(unread)


def test_an_approval_is_of_the_sources_that_are_denied() -> None:
    """One that invokes the function later makes another plan."""
    one, other = planned(FOREIGN_TOPIC), planned(FOREIGN_TOPIC, replace(FOREIGN_TOPIC, source_arn=f"{FOREIGN}-2"))
    assert len({hash_of(planned()), hash_of(one), hash_of(other)}) == 3
    assert FOREIGN in str(one.rests_on["denied_sources"])


TOPICS = an_inventory("sns", a_trigger("sns", TOPIC))


@pytest.mark.parametrize(
    "state",
    [
        a_state([a_statement("news", SNS)], TOPICS, every_source_is_seen=True),
        a_state(
            [by_source("news", "s3.amazonaws.com", BUCKET)], an_inventory("s3", a_trigger("s3", BUCKET)), callers=()
        ),
        a_state(
            [a_statement("news", "s3.amazonaws.com", ArnLike={"AWS:SourceArn": [BUCKET, TOPIC]})],
            an_inventory("s3", a_trigger("s3", BUCKET)),
            atomic=True,
        ),
    ],
    ids=["no_external_sources", "own-bucket", "own-bucket-and-topic"],
)
def test_cloudtrail_is_not_asked_if_there_can_be_no_such_source(state: InMemoryState) -> None:
    """A query costs money and time."""
    rule = "PG102" if state.every_source_is_seen else "PG103"
    made = FIX.plan(finding(rule, "statement/news"), state.state, state, check(rule))
    assert (made.approval, state.asked_for_callers) == ("", [])
    assert len(made.unknowns) == 1


def test_cloudtrail_is_asked_once_for_the_function() -> None:
    """Not for its version or alias: the function's events have those of all of them."""
    state = a_state(
        [a_statement("news", SNS, LIVE)], an_inventory("sns", a_trigger("sns", TOPIC, function=LIVE)), arn=LIVE
    )
    plan(state, LIVE)
    assert state.asked_for_callers == [TARGET]


# ── Whose source it is ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source_arn", "source_account", "is_own"),
    [
        (TOPIC, ACCOUNT, True),
        (TOPIC, "", True),
        ("", ACCOUNT, True),
        (BUCKET, ACCOUNT, True),
        (BUCKET, "", False),
        ("", "", False),
        (FOREIGN, "", False),
        ("", OTHER, False),
        (FOREIGN, ACCOUNT, False),
        (TOPIC, OTHER, False),
        ("****", "****", False),
        ("orders", "", False),
    ],
)
def test_a_source_is_of_this_account_only_if_an_event_names_no_other_one(
    source_arn: str, source_account: str, *, is_own: bool
) -> None:
    """One without an account is not."""
    assert denied(planned(replace(OWN_TOPIC, source_arn=source_arn, source_account=source_account))) is not is_own


# ── Which events are about the statement ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"service": "s3.amazonaws.com"}, False),
        ({"service": "events.amazonaws.com"}, False),
        ({"service": f"sns.{REGION}.amazonaws.com"}, True),
        ({"service": "unlisted.amazonaws.com"}, True),
        ({"service": "AWS Internal"}, True),
        ({"service": ""}, True),
        ({"identity_type": "AssumedRole"}, False),
        ({"identity_type": "IAMUser", "service": "", "source_arn": "", "source_account": ""}, False),
        ({"identity_type": "AWSAccount"}, True),
        ({"identity_type": "Unknown"}, True),
        ({"identity_type": ""}, True),
        ({"function_arn": f"{FUNCTION_ARN}-2"}, False),
        ({"function_arn": f"{FUNCTION_ARN}-2:live"}, False),
        ({"function_arn": f"{FUNCTION_ARN}:5"}, True),
        ({"function_arn": FUNCTION_ARN.replace(ACCOUNT, OTHER)}, False),
        ({"function_arn": "arn:aws:s3:::orders"}, True),
        ({"function_arn": ""}, True),
        ({"invoked": LIVE}, False),
        ({"invoked": f"{FUNCTION_ARN}:$LATEST"}, True),
        ({"invoked": "orders:live"}, True),
        ({"invoked": "orders"}, True),
        ({"invoked": ""}, True),
    ],
)
def test_only_events_that_the_statement_may_have_allowed_count(change: dict[str, str], *, counts: bool) -> None:
    """In doubt they count: an event of another service, another version or alias, or with credentials does not."""
    assert denied(planned(replace(FOREIGN_TOPIC, **change))) is counts


@pytest.mark.parametrize(
    ("invoked", "counts"), [(LIVE, True), (FUNCTION_ARN, False), (f"{FUNCTION_ARN}:7", False), ("orders", True)]
)
def test_the_policy_of_an_alias_is_for_requests_of_the_alias(invoked: str, *, counts: bool) -> None:
    """Others are allowed by other policies."""
    assert denied(planned(replace(FOREIGN_TOPIC, invoked=invoked), arn=LIVE)) is counts


def test_events_prove_nothing_about_function_urls() -> None:
    """A request of a URL is not an `Invoke`."""
    statement = {**a_statement("news", SNS), "Action": ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]}
    made = plan(a_state([statement], TOPICS, callers=(OWN_TOPIC,), atomic=True))
    assert made.approval.endswith("do not prove that there is none: the statement allows function URLs.")
    assert denied(made)


# ── Hostile texts ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_events_say_is_escaped_and_bounded() -> None:
    """Whoever has a source chooses its name, and may invoke from many of them."""
    hostile = f"{FOREIGN}\x1b[2J\n{'x' * 5_000}"
    many = [replace(FOREIGN_TOPIC, source_arn=f"{hostile}{number}"[-5_000:]) for number in range(50)]
    first = replace(FOREIGN_TOPIC, source_arn=hostile, source_account="\x1b" * 900, service="\n" * 900)
    made = planned(first, *many, *(replace(FOREIGN_TOPIC, source_arn=f"{FOREIGN}-{number}") for number in range(9)))
    assert made.approval.isprintable()
    assert len(made.approval) < 1_000
    assert made.approval.endswith("more.")
