"""PG109's tables of actions, compared with the SDK's model of Lambda."""

from __future__ import annotations

from typing import Any, Final

from botocore.session import get_session

from permission_guard.rules.invoke_policy.management_granted import CHANGES, READS, SECRETS, TAKEOVER

MODEL: Final = get_session().get_service_model("lambda")

ONLY_IN_IAM: Final = {"DisableReplication", "EnableReplication"}
"""The actions of Lambda@Edge on a version, which have no operation in the API."""

OF_A_FUNCTION: Final = ("FunctionName", "ResourceArn", "Resource", "DurableExecutionArn")
"""The parameters by which an operation names a function, a version, an alias or an execution."""

NO_CHANGE: Final = {
    "Invoke": "invokes",
    "InvokeAsync": "invokes",
    "InvokeWithResponseStream": "invokes, by the action lambda:InvokeFunction",
    "CheckpointDurableExecution": "the running execution calls it",
    "CreateFunction": "the function has no policy before",
    "CreateEventSourceMapping": "creates a mapping: IAM grants it on the mapping, never through a function's policy",
    "UpdateEventSourceMapping": "changes a mapping: IAM grants it on the mapping, never through a function's policy",
}
"""The operations on a function that are neither reads nor changes, with the reason."""

SHOWS_LITTLE: Final = {
    "GetAlias": "which version",
    "GetFunctionCodeSigningConfig": "which signatures are required",
    "GetFunctionConcurrency": "a number",
    "GetFunctionEventInvokeConfig": "the destinations of events",
    "GetFunctionRecursionConfig": "a switch",
    "GetFunctionScalingConfig": "numbers",
    "GetFunctionUrlConfig": "the URL, which is no secret",
    "GetProvisionedConcurrencyConfig": "numbers",
    "GetRuntimeManagementConfig": "which runtime",
    "ListAliases": "which versions",
    "ListDurableExecutionsByFunction": "names and states",
    "ListEventSourceMappings": "what is polled; IAM grants it only on all resources",
    "ListFunctionEventInvokeConfigs": "the destinations of events",
    "ListFunctionUrlConfigs": "the URLs",
    "ListProvisionedConcurrencyConfigs": "numbers",
    "ListTags": "tags",
}
"""The reads of a function that an outsider may have, with what they return."""


def _of_functions() -> dict[str, str]:
    """Return the operations on a function, with their HTTP methods."""
    models = (MODEL.operation_model(name) for name in MODEL.operation_names)
    return {
        model.name: model.http["method"]
        for model in models
        if model.input_shape and not model.input_shape.members.keys().isdisjoint(OF_A_FUNCTION)
    }


def test_each_operation_that_changes_a_function_is_listed_or_has_a_reason() -> None:
    """An operation that AWS adds fails this test until it is listed."""
    changing = {name for name, method in _of_functions().items() if method != "GET"}
    assert changing == (set(CHANGES) - ONLY_IN_IAM) | NO_CHANGE.keys()


def test_each_operation_that_reads_a_function_is_listed_or_has_a_reason() -> None:
    """A read that AWS adds fails this test until it is listed."""
    showing = {name for name, method in _of_functions().items() if method == "GET"}
    assert showing == set(READS) | SHOWS_LITTLE.keys()


def test_no_action_is_listed_twice_or_in_both_tables() -> None:
    """The most important actions are first, because a finding names the first three."""
    assert len(set(CHANGES)) == len(CHANGES)
    assert len(set(READS)) == len(READS)
    assert set(CHANGES).isdisjoint(READS)
    assert CHANGES[: len(TAKEOVER)] == TAKEOVER
    assert READS[: len(SECRETS)] == SECRETS


def test_the_actions_on_secrets_return_the_environment_variables() -> None:
    """The reply contains the environment variables."""
    for name in SECRETS:
        reply: Any = MODEL.operation_model(name).output_shape
        parts = [reply, reply.members.get("Configuration"), getattr(reply.members.get("Versions"), "member", None)]
        assert any("Environment" in part.members for part in parts if part is not None)
