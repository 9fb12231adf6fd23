"""Replace functions of MiniStack by those of the sandbox."""

from __future__ import annotations

import importlib
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ministack.app import SERVICE_HANDLERS

from sandbox.server import (
    admission,
    app_config,
    authorization,
    bus_policy,
    deliveries,
    deployments,
    function_answers,
    iam_answers,
    inside,
    invocation_logs,
    invocations,
    listings,
    organization,
    pin,
    policies_by_aws,
    policy_keys,
    queue_policy,
    resource_names,
    resource_policy,
    security_hub,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.server.api import Call
    from sandbox.server.own_service import OwnService
    from sandbox.server.records import CallOutcome


def install(own: Sequence[OwnService], report: Callable[[Call, CallOutcome], None]) -> None:
    """Replace every hook. `report` gets the writes of CloudFormation."""
    handlers = {service.service: service.wrap_handle_request for service in own}
    wraps: Mapping[pin.Hook, Callable[[Any], Any]] = {
        pin.IAM_ACTION: lambda inner: bus_policy.wrap_iam_action(
            policy_keys.wrap_iam_action(app_config.wrap_iam_action(inner))
        ),
        pin.LAMBDA_ACTION: policy_keys.wrap_lambda_action,
        pin.RESOURCE_ARN: resource_names.wrap_resource_arn,
        pin.CONTEXT: policy_keys.wrap_context,
        pin.DENIAL: policy_keys.wrap_denial,
        pin.CONDITION_KEY: authorization.wrap_condition_key,
        pin.RESOURCE_POLICY: lambda _: authorization.resource_policy_of,
        pin.ENFORCE: authorization.wrap_enforce,
        pin.RESOLVE_NAME: policy_keys.wrap_names,
        pin.POLICIES_BY_AWS: policies_by_aws.wrap_seed,
        pin.LAMBDA_REQUEST: lambda inner: resource_policy.wrap_handle_request(
            function_answers.wrap_handle_request(inner)
        ),
        pin.CREATE_FUNCTION: admission.wrap_create_function,
        pin.UPDATE_CONFIG: admission.wrap_update_config,
        pin.UPDATE_CODE: function_answers.wrap_update_code,
        pin.CREATE_URL: function_answers.wrap_create_url,
        pin.PUT_INVOKE_CONFIG: lambda inner: admission.wrap_put_invoke_config(
            function_answers.wrap_put_invoke_config(inner)
        ),
        pin.LIST_URLS: function_answers.wrap_list_urls,
        pin.CREATE_MAPPING: admission.wrap_create_mapping,
        pin.UPDATE_MAPPING: admission.wrap_update_mapping,
        pin.ADD_PERMISSION: lambda _: resource_policy.add_permission,
        pin.REMOVE_PERMISSION: lambda _: resource_policy.remove_permission,
        pin.GET_POLICY: lambda _: resource_policy.get_policy,
        pin.DELETE_ALIAS: resource_policy.wrap_delete_alias,
        pin.READ_STDERR: invocation_logs.wrap_read_stderr,
        pin.DRAIN_STDERR: invocation_logs.wrap_drain_stderr,
        pin.DRAIN_STDERR_BOUNDED: invocation_logs.wrap_drain_stderr_bounded,
        pin.ASYNC_FAILURE: deliveries.wrap_async_failure,
        pin.STREAM_FAILURE: deliveries.wrap_stream_failure,
        pin.SQS_REQUEST: handlers["sqs"],
        pin.QUEUE_POLICY: lambda _: queue_policy.require_access,
        pin.SERVICE_SENDS: lambda _: queue_policy.service_may_send,
        pin.SSM_REQUEST: handlers["ssm"],
        pin.LOGS_REQUEST: handlers["logs"],
        pin.IOT_REQUEST: handlers["iot"],
        pin.APP_CONFIG_REQUEST: app_config.wrap_handle_request,
        pin.ORGANIZATIONS_REQUEST: organization.wrap_handle_request,
        pin.SECRETS: listings.wrap_list_secrets,
        pin.SUBSCRIPTION_FILTERS: listings.wrap_subscription_filters,
        pin.EVENT_BUS: listings.wrap_describe_bus,
        pin.EVENT_RULES: listings.wrap_list_rules,
        pin.EVENT_TARGETS: listings.wrap_list_targets,
        pin.PUT_EVENTS: bus_policy.wrap_put_events,
        pin.PUT_BUS_PERMISSION: lambda _: bus_policy.put_permission,
        pin.REMOVE_BUS_PERMISSION: lambda _: bus_policy.remove_permission,
        pin.DELETE_BUS: bus_policy.wrap_delete_bus,
        pin.INVOKE_TARGET: deliveries.wrap_invoke_target,
        pin.BUCKETS: listings.wrap_list_buckets,
        pin.VALIDATE_NOTIFICATIONS: invocations.wrap_validate_notifications,
        pin.DELIVER_FROM_BUCKET: invocations.wrap_deliver_from_bucket,
        pin.DELIVER_FROM_TOPIC: invocations.wrap_deliver_from_topic,
        pin.USER_POOL: listings.wrap_user_pool,
        pin.TARGET_GROUP: listings.wrap_target_group,
        pin.ALARMS: listings.wrap_describe_alarms,
        pin.PROVISION: lambda inner: deployments.wrap_provision(inner, report),
        pin.UPDATE: lambda inner: deployments.wrap_update(inner, report),
        pin.DELETE: lambda inner: deployments.wrap_delete(inner, report),
    }
    for hook in pin.HOOKS:
        hook.replace(wraps[hook](hook.function()))
    iam_answers.install(inside.IAM_HANDLERS)
    inside.CLOUDFORMATION_HANDLERS[bus_policy.EVENT_BUS_POLICY] = bus_policy.RESOURCE_HANDLERS
    owner = "DescribeStackResources"
    inside.STACK_HANDLERS[owner] = listings.wrap_stack_resources(inside.STACK_HANDLERS[owner])
    SERVICE_HANDLERS[security_hub.SERVICE] = handlers[security_hub.SERVICE](security_hub.no_other_operation)
    health = "DescribeTargetHealth"
    inside.LOAD_BALANCING_HANDLERS[health] = listings.wrap_target_health(inside.LOAD_BALANCING_HANDLERS[health])
    _tick_every_second()
    _shorten_deployments()
    _call_over_tls()
    _parse_templates_in_c()
    _confine_functions()


def _tick_every_second() -> None:
    """Check schedules every second; MiniStack checks them every ten seconds."""
    for module, name in (("scheduler", "_SCHEDULE_TICK_INTERVAL"), ("eventbridge", "_SCHEDULER_TICK_INTERVAL")):
        target = importlib.import_module(f"ministack.services.{module}")
        if not hasattr(target, name):
            raise pin.PinError(f"The hook ministack.services.{module}.{name} is missing.")
        setattr(target, name, 1)


def _shorten_deployments() -> None:
    """Let a minute of AppConfig's deployments last a second."""
    target = importlib.import_module("ministack.services.appconfig")
    if not hasattr(target, "_DEPLOYMENT_MINUTE_SECONDS"):
        raise pin.PinError("The hook ministack.services.appconfig._DEPLOYMENT_MINUTE_SECONDS is missing.")
    target._DEPLOYMENT_MINUTE_SECONDS = 1.0  # type: ignore[attr-defined]  # noqa: SLF001 - a hook


def _call_over_tls() -> None:
    """Treat every call as made over TLS, as on AWS: policies can deny other calls (`aws:SecureTransport`)."""
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    if not hasattr(evaluator, "_request_origin"):
        raise pin.PinError("The hook ministack.core.iam_evaluator._request_origin is missing.")
    # Actions of MiniStack outside of a request use the default.
    origin = ContextVar("request_origin", default=("127.0.0.1", True))
    evaluator._request_origin = origin  # type: ignore[attr-defined]  # noqa: SLF001 - a hook


def _parse_templates_in_c() -> None:
    """Parse templates with libyaml: MiniStack parses the stack's four times for each deployment, in seconds each."""
    engine = importlib.import_module("ministack.services.cloudformation.engine")
    if not hasattr(engine, "CfnLoader"):
        raise pin.PinError("The hook ministack.services.cloudformation.engine.CfnLoader is missing.")
    constructors = engine.CfnLoader.yaml_constructors
    engine.CfnLoader = type("CfnLoader", (yaml.CSafeLoader,), {"yaml_constructors": constructors})  # type: ignore[attr-defined]


def _confine_functions() -> None:
    """Let the process of each function begin with `function_network.py`, which confines it to this machine."""
    runtime = importlib.import_module("ministack.core.lambda_runtime")
    if not hasattr(runtime, "_PYTHON_WORKER_SCRIPT"):
        raise pin.PinError("The hook ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT is missing.")
    network = str(Path(__file__).with_name("function_network.py"))
    begin = f"import runpy\nrunpy.run_path({network!r}, run_name='__main__')\n"
    script = begin + runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001 - a hook
    runtime._PYTHON_WORKER_SCRIPT = script  # type: ignore[attr-defined]  # noqa: SLF001 - a hook
