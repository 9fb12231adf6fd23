"""AWS's codes for the state of a function: each is about a permission or a key, or explicitly about something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet
from permission_guard.model.function_states import CHANGING, WORKING, is_being_changed
from permission_guard.model.state import Snapshot
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.needs.function_health import OTHER_CODES, PERMISSION_CODES, reported_needs
from permission_guard.rules.execution_role.function_unauthorized import FunctionUnauthorized
from tests.fakes import FUNCTION_ARN, ROLE_ARN, TARGET, a_function, a_role

VPC = {"VpcConfig": {"SubnetIds": ["subnet-1"]}}


def values_of(shape: str) -> set[str]:
    """Return the values of an enumeration in the service model of AWS Lambda."""
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    model: Any = client.meta.service_model
    return set(model.shape_for(shape).enum)


def verdict_on(**configuration: object) -> Verdict:
    """Return the one verdict on a function."""
    function = replace(a_function(), configuration=configuration)
    snapshot = Snapshot(TARGET, function, versions={FUNCTION_ARN: function}, roles={ROLE_ARN: a_role()})
    (verdict,) = evaluate(snapshot, [FunctionUnauthorized(TrustSet(frozenset()))]).verdicts
    return verdict


def test_every_code_of_the_service_model_is_in_one_table() -> None:
    """A code that AWS adds has to be read by a person: this test then fails."""
    assert PERMISSION_CODES.keys() | OTHER_CODES.keys() == values_of("StateReasonCode")
    assert values_of("LastUpdateStatusReasonCode") <= PERMISSION_CODES.keys() | OTHER_CODES.keys()
    assert not PERMISSION_CODES.keys() & OTHER_CODES.keys()


def test_every_state_of_the_service_model_is_known() -> None:
    """In any other state a function runs, or AWS is working on it."""
    not_running = {"Inactive", "Failed", "Deactivating", "Deactivated", "ActiveNonInvocable"}
    assert values_of("State") | values_of("LastUpdateStatus") == WORKING | CHANGING | not_running | {"Deleting"}


@pytest.mark.parametrize("code", sorted(PERMISSION_CODES))
@pytest.mark.parametrize("state", ["Failed", "Inactive", "Deactivated", "Deactivating", "ActiveNonInvocable"])
def test_a_function_that_does_not_run_for_want_of_a_permission_or_a_key_is_reported(code: str, state: str) -> None:
    """Whatever its role allows."""
    verdict = verdict_on(State=state, StateReasonCode=code, LastUpdateStatus="Successful")
    assert verdict.outcome is Outcome.VIOLATION
    assert code in verdict.reason
    assert len(verdict.title) <= 70


@pytest.mark.parametrize("code", sorted(PERMISSION_CODES))
def test_an_update_that_failed_for_want_of_a_permission_or_a_key_is_reported(code: str) -> None:
    """Although the function still runs."""
    verdict = verdict_on(State="Active", LastUpdateStatus="Failed", LastUpdateStatusReasonCode=code)
    assert verdict.outcome is Outcome.VIOLATION
    assert len(verdict.title) <= 70


@pytest.mark.parametrize("code", sorted(OTHER_CODES))
def test_any_other_reason_is_no_finding(code: str) -> None:
    """The verdict says what the code means."""
    for reported in (
        {"State": "Failed", "StateReasonCode": code},
        {"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReasonCode": code},
    ):
        verdict = verdict_on(**reported)
        assert verdict.outcome is Outcome.PASS
        assert OTHER_CODES[code] in verdict.reason


@pytest.mark.parametrize("status", ["Failed", "Inactive", "Sleeping"])
def test_a_function_that_does_not_run_for_no_known_reason_is_unknown(status: str) -> None:
    """Also in a state that AWS added later."""
    assert verdict_on(State=status).outcome is Outcome.UNKNOWN
    assert verdict_on(State=status, StateReasonCode="New").outcome is Outcome.UNKNOWN


def test_only_the_needs_behind_the_reported_code_are_returned() -> None:
    """They are what the policy simulator is asked for."""
    failed = replace(a_function(), configuration={**VPC, "State": "Failed"})
    by_role = replace(failed, configuration={**failed.configuration, "StateReasonCode": "InsufficientRolePermissions"})
    by_key = replace(failed, configuration={**failed.configuration, "StateReasonCode": "DisabledKMSKey"})
    assert {need.action for need in reported_needs(by_role, {})} == {
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DeleteNetworkInterface",
    }
    assert reported_needs(by_key, {}) == reported_needs(failed, {}) == reported_needs(a_function(), {}) == ()


def test_a_function_that_is_being_created_or_updated_is_being_changed() -> None:
    """AWS reports the result later."""
    states = {"Pending": "Successful", "Active": "InProgress", "Failed": "Successful"}
    changing = [
        is_being_changed(replace(a_function(), configuration={"State": state, "LastUpdateStatus": update}))
        for state, update in states.items()
    ]
    assert changing == [True, True, False]
