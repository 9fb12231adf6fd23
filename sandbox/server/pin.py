"""The required version of MiniStack, and all of its functions that the sandbox replaces.

The version and the names are checked before MiniStack is imported, so that another version fails with a message, not
with a traceback.
"""

from __future__ import annotations

import importlib
import inspect
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "1.5.33"


class PinError(Exception):
    """MiniStack is not the required version; the message names the hook and what to do."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A function or method (`Class.method`) of MiniStack that the sandbox replaces, and its required parameters."""

    module: str
    name: str
    parameters: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def function(self) -> Callable[..., Any]:
        """Return the function as it is now. ImportError or AttributeError if it is missing."""
        function: Callable[..., Any] = attrgetter(self.name)(importlib.import_module(self.module))
        return function

    def replace(self, function: Callable[..., Any]) -> None:
        """Put another function in its place."""
        module = importlib.import_module(self.module)
        owner, _, name = self.name.rpartition(".")
        setattr(getattr(module, owner) if owner else module, name, function)


_ACTIONS = "ministack.core.iam_actions"
_EVALUATOR = "ministack.core.iam_evaluator"
_EVENTS = "ministack.services.eventbridge"
_S3 = "ministack.services.s3"
_SQS = "ministack.services.sqs"
_RUNTIME = "ministack.core.lambda_runtime"
_LAMBDA = "ministack.services.lambda_svc"
PROVISIONERS = "ministack.services.cloudformation.provisioners"
_STACKS = "ministack.services.cloudformation.stacks"
_REQUEST = "method path headers body query_params"

IAM_ACTION = Hook(_ACTIONS, "extract_iam_action", "service method path headers body query_params")
LAMBDA_ACTION = Hook(_ACTIONS, "_lambda_action", "method path")
RESOURCE_ARN = Hook(_ACTIONS, "extract_resource_arn", "service method path headers body query_params region account_id")
CONTEXT = Hook(_ACTIONS, "request_tag_context", "service iam_action body params")
DENIAL = Hook(
    _ACTIONS,
    "access_denied_response",
    "service action principal_arn request_id error_code message headers resource_arn explicit_deny resource_policy_arn",
)
CONDITION_KEY = Hook(_EVALUATOR, "_resolve_condition_key", "key ctx")
RESOURCE_POLICY = Hook(_EVALUATOR, "_resource_policy", "service resource_arn")
ENFORCE = Hook(_EVALUATOR, "enforce", "access_key_id iam_action service region resource_arn service_context")
RESOLVE_NAME = Hook(_LAMBDA, "_resolve_name_and_qualifier", "name_or_arn")
LAMBDA_REQUEST = Hook(_LAMBDA, "handle_request", _REQUEST)
CREATE_FUNCTION = Hook(_LAMBDA, "_create_function", "data")
UPDATE_CONFIG = Hook(_LAMBDA, "_update_config", "name data")
UPDATE_CODE = Hook(_LAMBDA, "_update_code", "name data")
CREATE_URL = Hook(_LAMBDA, "_create_function_url_config", "func_name data qualifier")
PUT_INVOKE_CONFIG = Hook(_LAMBDA, "_put_event_invoke_config", "func_name qualifier data")
LIST_URLS = Hook(_LAMBDA, "_list_function_url_configs", "func_name query_params")
CREATE_MAPPING = Hook(_LAMBDA, "_create_esm", "data")
UPDATE_MAPPING = Hook(_LAMBDA, "_update_esm", "esm_id data")
ADD_PERMISSION = Hook(_LAMBDA, "_add_permission", "func_name data query_params path_qualifier")
REMOVE_PERMISSION = Hook(_LAMBDA, "_remove_permission", "func_name sid query_params path_qualifier")
GET_POLICY = Hook(_LAMBDA, "_get_policy", "func_name query_params path_qualifier")
DELETE_ALIAS = Hook(_LAMBDA, "_delete_alias", "func_name alias_name")
READ_STDERR = Hook(_RUNTIME, "Worker._read_stderr", "self")
DRAIN_STDERR = Hook(_RUNTIME, "Worker._drain_stderr", "self")
DRAIN_STDERR_BOUNDED = Hook(_RUNTIME, "Worker._drain_stderr_bounded", "self first_line_wait idle_confirm hard_cap")
ASYNC_FAILURE = Hook(_LAMBDA, "_route_async_failure", "target_arn func_name event result")
STREAM_FAILURE = Hook(_LAMBDA, "_send_ddb_stream_failure_record", "esm func_rec batch stream_arn result condition")
SQS_REQUEST = Hook(_SQS, "handle_request", _REQUEST)
QUEUE_POLICY = Hook(_SQS, "_enforce_queue_policy", "q iam_action")
SERVICE_SENDS = Hook(_SQS, "queue_policy_allows", "queue_arn service source_arn source_account")
POLICIES_BY_AWS = Hook("ministack.services.iam", "_seed_aws_managed_policies", "")
SSM_REQUEST = Hook("ministack.services.ssm", "handle_request", _REQUEST)
LOGS_REQUEST = Hook("ministack.services.cloudwatch_logs", "handle_request", _REQUEST)
IOT_REQUEST = Hook("ministack.services.iot", "handle_request", _REQUEST)
APP_CONFIG_REQUEST = Hook(
    "ministack.services.appconfig", "handle_request", "method path headers body_bytes query_params"
)
ORGANIZATIONS_REQUEST = Hook("ministack.services.organizations", "handle_request", _REQUEST)
SECRETS = Hook("ministack.services.secretsmanager", "_list_secrets", "data")
SUBSCRIPTION_FILTERS = Hook("ministack.services.cloudwatch_logs", "_describe_subscription_filters", "data")
EVENT_BUS = Hook(_EVENTS, "_describe_event_bus", "data")
EVENT_RULES = Hook(_EVENTS, "_list_rules", "data")
EVENT_TARGETS = Hook(_EVENTS, "_list_targets_by_rule", "data")
PUT_EVENTS = Hook(_EVENTS, "_put_events", "data allow_aws_source")
PUT_BUS_PERMISSION = Hook(_EVENTS, "_put_permission", "data")
REMOVE_BUS_PERMISSION = Hook(_EVENTS, "_remove_permission", "data")
DELETE_BUS = Hook(_EVENTS, "_delete_event_bus", "data")
INVOKE_TARGET = Hook(_EVENTS, "_invoke_target", "target event rule view")
BUCKETS = Hook(_S3, "_list_buckets", "query_params signed_region")
VALIDATE_NOTIFICATIONS = Hook(
    _S3, "_validate_notification_configs", "configs bucket_region bucket_name skip_destination_validation"
)
DELIVER_FROM_BUCKET = Hook(_S3, "_deliver_event_to_lambda", "arn event_payload bucket_region")
DELIVER_FROM_TOPIC = Hook(
    "ministack.services.sns",
    "_deliver_to_lambda",
    "endpoint envelope topic_arn sub_arn msg_id raw_message message_attributes",
)
USER_POOL = Hook("ministack.services.cognito", "_describe_user_pool", "data")
TARGET_GROUP = Hook("ministack.services.alb", "_tg_xml", "tg")
ALARMS = Hook("ministack.services.cloudwatch", "_describe_alarms", "params cbor_data is_cbor is_json")
PROVISION = Hook(_STACKS, "_provision_resource", "resource_type logical_id props stack_name")
UPDATE = Hook(
    _STACKS, "_update_resource", "resource_type physical_id old_props new_props stack_name logical_id old_attrs"
)
DELETE = Hook(_STACKS, "_delete_resource", "resource_type physical_id props stack_name logical_id")

HOOKS: tuple[Hook, ...] = (
    IAM_ACTION,
    LAMBDA_ACTION,
    RESOURCE_ARN,
    CONTEXT,
    DENIAL,
    CONDITION_KEY,
    RESOURCE_POLICY,
    ENFORCE,
    RESOLVE_NAME,
    LAMBDA_REQUEST,
    CREATE_FUNCTION,
    UPDATE_CONFIG,
    UPDATE_CODE,
    CREATE_URL,
    PUT_INVOKE_CONFIG,
    LIST_URLS,
    CREATE_MAPPING,
    UPDATE_MAPPING,
    ADD_PERMISSION,
    REMOVE_PERMISSION,
    GET_POLICY,
    DELETE_ALIAS,
    READ_STDERR,
    DRAIN_STDERR,
    DRAIN_STDERR_BOUNDED,
    ASYNC_FAILURE,
    STREAM_FAILURE,
    SQS_REQUEST,
    QUEUE_POLICY,
    SERVICE_SENDS,
    POLICIES_BY_AWS,
    SSM_REQUEST,
    LOGS_REQUEST,
    IOT_REQUEST,
    APP_CONFIG_REQUEST,
    ORGANIZATIONS_REQUEST,
    SECRETS,
    SUBSCRIPTION_FILTERS,
    EVENT_BUS,
    EVENT_RULES,
    EVENT_TARGETS,
    PUT_EVENTS,
    PUT_BUS_PERMISSION,
    REMOVE_BUS_PERMISSION,
    DELETE_BUS,
    INVOKE_TARGET,
    BUCKETS,
    VALIDATE_NOTIFICATIONS,
    DELIVER_FROM_BUCKET,
    DELIVER_FROM_TOPIC,
    USER_POOL,
    TARGET_GROUP,
    ALARMS,
    PROVISION,
    UPDATE,
    DELETE,
)


def check(expected: str = "", hooks: tuple[Hook, ...] = HOOKS) -> None:
    """Raise PinError unless MiniStack has the required version and every hook its required parameters.

    `SANDBOX_MINISTACK_VERSION` overrides the version, to test another one.
    """
    expected = expected or os.environ.get("SANDBOX_MINISTACK_VERSION", VERSION)
    try:
        present = version("ministack")
    except PackageNotFoundError:
        raise PinError("MiniStack is not installed in this environment. Run `make setup`.") from None
    if present != expected:
        raise PinError(f"MiniStack is {present}, the sandbox needs {expected}. Run `make setup`.")
    for hook in hooks:
        _check_hook(hook)


def _check_hook(hook: Hook) -> None:
    try:
        function = hook.function()
    except (ImportError, AttributeError):
        raise PinError(f"The hook {hook} is missing: MiniStack {VERSION} has it.") from None
    found = " ".join(inspect.signature(function).parameters)
    if found != hook.parameters:
        raise PinError(f"The hook {hook} takes ({found}), not ({hook.parameters}).")
