"""Enabling a mapping, and disabling it again: what AWS refuses for good, because of the role, and for now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.writers.event_source_mappings import MappingWriter
from permission_guard.errors import RetryableError, RoleNotReadyError, WriteFailedError
from tests.fakes import MAPPING_UUID

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Answers

INVALID = "InvalidParameterValueException"
NO_PERMISSION = "The function execution role does not have permissions to call ReceiveMessage on SQS"


def test_the_mapping_is_enabled_and_nothing_else_is_changed(lambda_answers: Answers) -> None:
    """No other parameter is sent."""
    lambda_answers.say("update_event_source_mapping", {"State": "Enabling"}, UUID=MAPPING_UUID, Enabled=True)
    MappingWriter(lambda_answers.client).enable_mapping(MAPPING_UUID)


def test_the_mapping_is_disabled_and_nothing_else_is_changed(lambda_answers: Answers) -> None:
    """That undoes the enabling."""
    lambda_answers.say("update_event_source_mapping", {"State": "Disabling"}, UUID=MAPPING_UUID, Enabled=False)
    MappingWriter(lambda_answers.client).disable_mapping(MAPPING_UUID)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "User is not authorized to perform: lambda:UpdateEventSourceMapping"),
        ("ResourceNotFoundException", "The resource you requested does not exist."),
        (INVALID, "Maximum batch window is invalid."),
    ],
)
def test_a_permanent_failure_carries_the_message_of_aws(lambda_answers: Answers, code: str, message: str) -> None:
    """A denied call of the bot's own role is not taken for a role that is not ready."""
    lambda_answers.fail("update_event_source_mapping", code, message)
    with pytest.raises(WriteFailedError) as failed:
        MappingWriter(lambda_answers.client).enable_mapping(MAPPING_UUID)
    assert type(failed.value) is WriteFailedError
    assert str(failed.value) == f"lambda:UpdateEventSourceMapping failed with {code}: {message}"


def test_a_role_that_lambda_rejects_is_told_apart(lambda_answers: Answers) -> None:
    """Its new policy may not have propagated."""
    lambda_answers.fail("update_event_source_mapping", INVALID, NO_PERMISSION)
    with pytest.raises(RoleNotReadyError, match="ReceiveMessage"):
        MappingWriter(lambda_answers.client).enable_mapping(MAPPING_UUID)


@pytest.mark.parametrize("code", ["ResourceInUseException", "ResourceConflictException"])
def test_a_mapping_that_is_being_changed_is_tried_again(lambda_answers: Answers, code: str) -> None:
    """The message is delivered again."""
    lambda_answers.fail("update_event_source_mapping", code)
    with pytest.raises(RetryableError, match=code):
        MappingWriter(lambda_answers.client).enable_mapping(MAPPING_UUID)


def test_a_transient_failure_is_raised_unchanged(lambda_answers: Answers) -> None:
    """No fix is recorded as failed."""
    lambda_answers.fail("update_event_source_mapping", "TooManyRequestsException", status=429)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        MappingWriter(lambda_answers.client).enable_mapping(MAPPING_UUID)
