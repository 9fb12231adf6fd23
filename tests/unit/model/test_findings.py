"""The data model: findings survive storage, ids are stable, and state knows its unread parts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from permission_guard.errors import UNREADABLE
from permission_guard.findings.lifecycle import suppressed
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import DisabledBy, Snapshot
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.targets import RoleTarget
from permission_guard.model.verdicts import Remedy, finding_id
from tests.fakes import (
    DENIED,
    FUNCTION_ARN,
    MAPPING_SUBJECT,
    NOW,
    QUEUE_ARN,
    ROLE_ARN,
    TARGET,
    THROTTLED,
    a_finding,
    a_function,
    a_mapping,
    a_role,
)

FIXED = a_finding(
    status=Status.RESOLVED,
    transition=Transition.FIX_APPLIED,
    remedies=(Remedy("aws-cli", "aws iam attach-role-policy"),),
    event_ids=("704f34be-8e02-4fd4-ba8e-d4ddfed2d00b",),
    resolution="The role may read the queue.",
    fix=FixRecord(
        name="attach-managed-policy",
        result=FixResult.APPLIED,
        summary="attach it",
        at=NOW,
        attempts=1,
        before={"attached_policies": []},
        after={"attached_policies": ["arn:aws:iam::aws:policy/x"]},
        undo="aws iam detach-role-policy",
    ),
)
SUPPRESSED = suppressed(
    a_finding(function_arn="", role_arn=ROLE_ARN, functions=(FUNCTION_ARN,), function_count=1),
    Suppression(by=SuppressedBy.PERSON, reason="Known.", owner="jo", until="2026-12-01T00:00:00+00:00"),
    NOW,
).finding


@pytest.mark.parametrize("finding", [a_finding(), FIXED, SUPPRESSED], ids=["bare", "fixed", "suppressed"])
def test_a_finding_survives_being_stored_as_json(finding: Finding) -> None:
    """The finding that is read is equal, including its enumerations and tuples."""
    read = Finding.from_document(json.loads(json.dumps(finding.to_document())))
    assert read == finding
    assert isinstance(read.transition, Transition)
    assert read.fix is None or isinstance(read.fix.result, FixResult)


@pytest.mark.parametrize("until", ["soon", "2026-11-20T09:35:00", 7])
def test_a_fix_whose_lease_has_no_time_cannot_be_read(until: object) -> None:
    """Otherwise the fixer would fail on it each time, and nothing would report the finding as hidden."""
    document = FIXED.to_document()
    document["fix"]["lease_until"] = until
    with pytest.raises(UNREADABLE):
        Finding.from_document(document)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("planned_at", "2026-11-20\ud800"),
        ("planned_at", "2026-11-20T09:35:00"),
        ("at", "soon"),
        ("at", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_a_fix_with_an_invalid_time_cannot_be_read(name: str, time: str) -> None:
    """Messages show when the state was read, and until when an approval is valid."""
    document = FIXED.to_document()
    document["fix"][name] = time
    with pytest.raises(UNREADABLE):
        Finding.from_document(document)


@pytest.mark.parametrize("call", [{"operation": "a:B", "parameters": {}, "region": "x"}, {"operation": "a:B"}, "a:B"])
def test_a_planned_call_has_exactly_what_people_see_of_it(call: object) -> None:
    """The hash that they approve covers the whole call."""
    document = FIXED.to_document()
    document["fix"]["calls"] = [call]
    with pytest.raises(UNREADABLE):
        Finding.from_document(document)


def test_the_document_contains_json_values_and_its_version() -> None:
    """A reader needs no types of this package."""
    document = FIXED.to_document()
    assert document["version"] == 1
    assert document["status"] == "resolved"
    assert document["fix"]["result"] == "applied"
    assert document["remedies"] == [
        {
            "kind": "aws-cli",
            "text": "aws iam attach-role-policy",
            "needs_decision": False,
            "changes": "",
            "step": "",
        }
    ]
    assert document["event_ids"] == ["704f34be-8e02-4fd4-ba8e-d4ddfed2d00b"]
    assert type(document["severity"]) is str


def test_a_document_of_an_older_version_can_lack_fields_with_a_default() -> None:
    """Fields that were added later get their default."""
    document = a_finding().to_document()
    for name in ("fix", "event_ids", "resolution", "version"):
        del document[name]
    assert Finding.from_document(document) == a_finding()


def test_a_document_of_the_first_schema_is_read() -> None:
    """It was first and last seen when it was opened, is about its function, and has no history and no suppression."""
    added = {"role_arn", "functions", "function_count", "first_seen", "last_seen", "suppression", "history", "baseline"}
    added |= {"changed_from", "changed_with"}
    document = {name: value for name, value in FIXED.to_document().items() if name not in added}
    read = Finding.from_document(document)
    assert read == FIXED
    assert (read.first_seen, read.last_seen, read.target_arn) == (NOW, NOW, FUNCTION_ARN)


def test_a_document_of_a_newer_version_is_read_without_its_new_fields() -> None:
    """After a rollback, the findings of the newer version can still be read."""
    document = FIXED.to_document()
    document["reviewer"] = "maria"
    document["fix"]["approve"] = "aws events put-events"
    document["fix"]["ticket"] = "oi-1"
    document["remedies"][0]["language"] = "bash"
    read = Finding.from_document(document)
    assert read.fix is not None
    assert read.fix.approve == "aws events put-events"
    assert replace(read, fix=FIXED.fix) == FIXED


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"status": "closed"}, ValueError),
        ({"transition": "Finding Forgotten"}, ValueError),
        ({"remedies": [{"kind": "aws-cli"}]}, TypeError),
        ({"fix": {"result": "applied"}}, TypeError),
        ({"title": None}, TypeError),
        ({"function_arn": ["orders"]}, TypeError),
        ({"revision": "2"}, TypeError),
        ({"revision": True}, TypeError),
        ({"evidence": [1]}, TypeError),
        ({"evidence": {"deep": json.loads("[" * 40 + "]" * 40)}}, TypeError),
        ({"event_ids": "text"}, TypeError),
        ({"event_ids": [1]}, TypeError),
        ({"remedies": {"kind": "sam"}}, TypeError),
        ({"remedies": [["sam"]]}, TypeError),
        ({"managed_by": {"tool": 1}}, TypeError),
        ({"managed_by": "terraform"}, TypeError),
        ({"changed_at": "\ud800"}, ValueError),
        ({"opened_at": "yesterday"}, ValueError),
        ({"last_seen": "yesterday"}, ValueError),
        ({"functions": "arn"}, TypeError),
        ({"baseline": 1}, TypeError),
        ({"history": [{"revision": 1}]}, KeyError),
        ({"history": [[]]}, TypeError),
        ({"history": [{"revision": "1", "transition": "Finding Opened", "at": NOW}]}, TypeError),
        ({"suppression": {"by": "person"}}, TypeError),
        ({"suppression": {"by": "nobody", "reason": "", "owner": "", "until": NOW}}, ValueError),
        ({"suppression": {"by": "person", "reason": "", "owner": "", "until": "2026-11-20"}}, ValueError),
        ({"suppression": []}, TypeError),
    ],
)
def test_a_document_that_is_not_a_finding_is_an_error(change: dict[str, object], error: type[Exception]) -> None:
    """Invalid values are not replaced."""
    with pytest.raises(error):
        Finding.from_document({**a_finding().to_document(), **change})


def test_a_document_without_a_status_is_an_error() -> None:
    """A required field has no default."""
    document = a_finding().to_document()
    del document["status"]
    with pytest.raises(KeyError):
        Finding.from_document(document)


def test_the_id_of_a_finding_never_changes() -> None:
    """Existing tables and tickets contain this id."""
    assert finding_id("PG201", FUNCTION_ARN, MAPPING_SUBJECT) == "cee529e84633a62d46d03b2a1ea636a0"


def test_rule_function_and_subject_each_change_the_id() -> None:
    """The qualifier is part of the function's ARN."""
    ids = {
        finding_id("PG201", FUNCTION_ARN, "a"),
        finding_id("PG202", FUNCTION_ARN, "a"),
        finding_id("PG201", f"{FUNCTION_ARN}:live", "a"),
        finding_id("PG201", FUNCTION_ARN, "b"),
    }
    assert len(ids) == 4


def test_a_snapshot_lists_its_unread_parts() -> None:
    """In every attribute, including those of its roles."""
    role = replace(a_role(), attached={"arn:aws:iam::aws:policy/x": THROTTLED}, inline={"y": DENIED}, boundary=DENIED)
    snapshot = Snapshot(
        TARGET,
        a_function(),
        resource_policies=(DENIED,),
        mappings=THROTTLED,
        versions={FUNCTION_ARN: a_function(), f"{FUNCTION_ARN}:live": DENIED, f"{FUNCTION_ARN}:1": None},
        roles={ROLE_ARN: role, f"{ROLE_ARN}-1": None, f"{ROLE_ARN}-2": THROTTLED},
        tags=DENIED,
    )
    assert sorted(unread.code for unread in snapshot.unread) == ["AccessDenied"] * 5 + ["Throttling"] * 3
    assert Snapshot(TARGET, a_function(), roles={ROLE_ARN: a_role()}).unread == ()


def test_an_unread_part_names_the_action_and_the_error() -> None:
    """Log lines and verdicts contain this text."""
    assert str(DENIED) == "iam:GetRole failed with AccessDenied: not authorized to perform: iam:GetRole"


def test_targets_can_be_keys_and_functions_have_their_arn() -> None:
    """Equal targets are merged."""
    assert TARGET.arn == "arn:aws:lambda:us-east-1:123456789012:function:orders"
    assert QUEUE_ARN not in TARGET.arn
    assert len({RoleTarget("123456789012", "a"), RoleTarget("123456789012", "a")}) == 1


@pytest.mark.parametrize(
    ("state", "reason", "by", "on_purpose"),
    [
        ("Enabled", "USER_INITIATED", None, False),
        ("Creating", "USER_INITIATED", None, False),
        ("Enabling", "Lambda does not have required permissions", None, False),
        ("Updating", "", None, False),
        ("Deleting", "USER_INITIATED", None, True),
        ("Disabled", "USER_INITIATED", DisabledBy.PERSON, True),
        ("Disabled", "User initiated", DisabledBy.PERSON, True),
        ("Disabling", "User action", DisabledBy.PERSON, True),
        ("Disabled", "Lambda does not have required permissions", DisabledBy.AWS, False),
        ("Disabling", "LAMBDA_INITIATED", DisabledBy.AWS, False),
        ("Disabled", "  ", DisabledBy.UNKNOWN, False),
    ],
)
def test_who_disabled_a_mapping_is_read_from_its_state_transition_reason(
    state: str, reason: str, by: DisabledBy | None, on_purpose: bool
) -> None:
    """A mapping that is being created or enabled is not disabled."""
    mapping = a_mapping(state=state, state_transition_reason=reason)
    assert mapping.disabled_by is by
    assert mapping.is_disabled_on_purpose is on_purpose
