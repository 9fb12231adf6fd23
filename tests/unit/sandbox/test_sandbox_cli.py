"""What the sandbox prints for a person."""

from __future__ import annotations

import pytest

from sandbox.client import cli, process

SESSION = {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/deployer/me"}


def test_a_record_is_one_line() -> None:
    """A record is one line."""
    record = {"eventTime": "2026-11-20T21:05:41Z", "eventName": "CreateRole", "userIdentity": SESSION}

    assert cli.line(record).split() == ["21:05:41", "CreateRole", "assumed-role/deployer/me", "ok"]


def test_a_failed_call_through_cloudformation_says_so() -> None:
    """A failed call through CloudFormation says so."""
    identity = {**SESSION, "invokedBy": "cloudformation.amazonaws.com"}
    failure = {"errorCode": "AccessDenied", "errorMessage": "no"}
    record = {"eventTime": "2026-11-20T21:05:41Z", "eventName": "CreateRole", "userIdentity": identity, **failure}

    assert cli.line(record).endswith("assumed-role/deployer/me via cloudformation.amazonaws.com  AccessDenied: no")


def test_the_exports_point_at_nothing_else() -> None:
    """The exports point at nothing else."""
    exports = process.exports(4566)

    assert exports["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert (exports["AWS_CONFIG_FILE"], exports["AWS_SHARED_CREDENTIALS_FILE"]) == ("/dev/null", "/dev/null")


@pytest.mark.parametrize(
    ("value", "argument"),
    [("plan", "Key=plan"), ("two words", 'Key="two words"'), ('a "b"', 'Key="a \\"b\\""'), ("", 'Key=""')],
)
def test_stack_parameters_are_quoted_for_sam(value: str, argument: str) -> None:
    """Stack parameters are quoted for SAM where they need it."""
    assert process._override("Key", value) == argument


def test_a_failed_start_is_reported_in_the_servers_own_sentence() -> None:
    """A failed start is reported in the server's own sentence, or else by the end of its log."""
    log = "INFO starting\nsandbox: The hook x is missing.\nTraceback ...\n"

    assert process._why_it_ended(log) == "The sandbox did not start: The hook x is missing."
    assert process._why_it_ended("INFO starting\nboom\n").endswith("INFO starting\nboom\n")


def test_polling_ends_with_a_sentence_at_its_deadline() -> None:
    """Polling ends with a sentence at its deadline."""
    with pytest.raises(TimeoutError, match="no answer after 0 s"):
        process.poll(lambda: "", deadline=0, what="answer")
