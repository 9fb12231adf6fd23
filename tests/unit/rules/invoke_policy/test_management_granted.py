"""PG109's tables of actions, against the SDK's model of Lambda."""

from __future__ import annotations

from typing import Any, Final

from botocore.session import get_session

from permission_guard.rules.invoke_policy.management_granted import CHANGES, READS, SECRETS, TAKEOVER

MODEL: Final = get_session().get_service_model("lambda")

ONLY_IN_IAM: Final = {"DisableReplication", "EnableReplication"}
"""What Lambda@Edge does to a version: there is an action for it and no operation that people call."""

OF_A_FUNCTION: Final = ("FunctionName", "ResourceArn", "Resource", "DurableExecutionArn")
"""The parameters by which an operation takes a function, a version, an alias, or what a function is at."""

NO_CHANGE: Final = {
    "Invoke": "invokes",
    "InvokeAsync": "invokes",
    "InvokeWithResponseStream": "invokes, by the action lambda:InvokeFunction",
    "CheckpointDurableExecution": "what an execution does of itself, while it runs",
    "CreateFunction": "there is no policy yet that could grant it",
    "CreateEventSourceMapping": "makes a mapping: IAM grants it on that, never by a function's policy",
    "UpdateEventSourceMapping": "changes a mapping: IAM grants it on that, never by a function's policy",
}
"""The operations that take a function, are no reads, and change nothing of it, with why not."""

SHOWS_LITTLE: Final = {
    "GetAlias": "which version",
    "GetFunctionCodeSigningConfig": "which signatures are wanted",
    "GetFunctionConcurrency": "a number",
    "GetFunctionEventInvokeConfig": "where events go that fail",
    "GetFunctionRecursionConfig": "a switch",
    "GetFunctionScalingConfig": "numbers",
    "GetFunctionUrlConfig": "the URL, which is no secret",
    "GetProvisionedConcurrencyConfig": "numbers",
    "GetRuntimeManagementConfig": "which runtime",
    "ListAliases": "which versions",
    "ListDurableExecutionsByFunction": "names and states",
    "ListEventSourceMappings": "what is polled; IAM grants it on everything only",
    "ListFunctionEventInvokeConfigs": "where events go that fail",
    "ListFunctionUrlConfigs": "the URLs",
    "ListProvisionedConcurrencyConfigs": "numbers",
    "ListTags": "tags",
}
"""The reads of a function that are not held against an outsider, with what they show."""


def _of_functions() -> dict[str, str]:
    """Return the operations that take a function, and their methods."""
    models = (MODEL.operation_model(name) for name in MODEL.operation_names)
    return {
        model.name: model.http["method"]
        for model in models
        if model.input_shape and not model.input_shape.members.keys().isdisjoint(OF_A_FUNCTION)
    }


def test_each_operation_that_changes_a_function_is_listed_or_has_a_reason_not_to_be() -> None:
    """Including those that AWS adds: this fails with a new SDK until somebody has judged them."""
    changing = {name for name, method in _of_functions().items() if method != "GET"}
    assert changing == (set(CHANGES) - ONLY_IN_IAM) | NO_CHANGE.keys()


def test_each_operation_that_shows_a_function_is_listed_or_has_a_reason_not_to_be() -> None:
    """The same of reads."""
    showing = {name for name, method in _of_functions().items() if method == "GET"}
    assert showing == set(READS) | SHOWS_LITTLE.keys()


def test_no_action_is_listed_twice_or_in_both_tables() -> None:
    """What matters most comes first, because a finding names the first few."""
    assert len(set(CHANGES)) == len(CHANGES)
    assert len(set(READS)) == len(READS)
    assert set(CHANGES).isdisjoint(READS)
    assert CHANGES[: len(TAKEOVER)] == TAKEOVER
    assert READS[: len(SECRETS)] == SECRETS


def test_what_shows_secrets_does_return_the_environment() -> None:
    """The reply has the environment variables, or where the code is."""
    for name in SECRETS:
        reply: Any = MODEL.operation_model(name).output_shape
        parts = [reply, reply.members.get("Configuration"), getattr(reply.members.get("Versions"), "member", None)]
        assert any("Environment" in part.members for part in parts if part is not None)
