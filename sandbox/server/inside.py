"""All private names of MiniStack that the sandbox uses, under public names. Check them first for a new version."""

from __future__ import annotations

from ministack.core.iam_actions import (
    _resource_policy_denial as resource_policy_denial,
)
from ministack.core.iam_evaluator import (
    _conditions_met as conditions_met,
)
from ministack.core.iam_evaluator import (
    _gather_role_policies as role_policies,
)
from ministack.core.iam_evaluator import (
    _permissions_boundary as permissions_boundary,
)
from ministack.core.iam_evaluator import (
    _resource_policy as resource_policy_of,
)
from ministack.core.iam_evaluator import (
    _role_name_from_assumed_arn as role_name_from_session,
)
from ministack.core.lambda_runtime import (
    ProvidedWorker,
)
from ministack.core.lambda_runtime import (
    _lock as environments_lock,
)
from ministack.core.lambda_runtime import (
    _workers as environments,
)
from ministack.core.lambda_runtime import (
    kill_workers as end_processes,
)
from ministack.services.alb import (
    _ACTION_MAP as LOAD_BALANCING_HANDLERS,
)
from ministack.services.appconfig import (
    _config_profiles as configuration_profiles,
)
from ministack.services.appconfig import (
    _hosted_versions as configuration_versions,
)
from ministack.services.appconfig import (
    _sessions as configuration_sessions,
)
from ministack.services.cloudformation import (
    _stacks as stacks,
)
from ministack.services.cloudformation.handlers import (
    _ACTION_HANDLERS as STACK_HANDLERS,
)
from ministack.services.cloudformation.provisioners import (
    _RESOURCE_HANDLERS as CLOUDFORMATION_HANDLERS,
)
from ministack.services.cloudwatch import (
    _alarms as metric_alarms,
)
from ministack.services.cloudwatch import (
    _composite_alarms as composite_alarms,
)
from ministack.services.dynamodb import (
    _tables as tables,
)
from ministack.services.eventbridge import (
    _event_bus_name_from_ref as bus_of_reference,
)
from ministack.services.eventbridge import (
    _event_bus_policies as event_bus_policies,
)
from ministack.services.eventbridge import (
    _event_buses as event_buses,
)
from ministack.services.eventbridge import (
    _pattern_event_view as event_view,
)
from ministack.services.eventbridge import (
    _put_events as put_events,
)
from ministack.services.eventbridge import (
    _put_rule as put_rule,
)
from ministack.services.eventbridge import (
    _put_targets as put_targets,
)
from ministack.services.eventbridge import (
    _rules as event_rules,
)
from ministack.services.iam import (
    _IAM_HANDLERS as IAM_HANDLERS,
)
from ministack.services.iam import (
    _access_keys as access_keys,
)
from ministack.services.iam import (
    _aws_managed_policies as policies_by_aws,
)
from ministack.services.iam import (
    _make_aws_managed_record as policy_by_aws,
)
from ministack.services.iam import (
    _policies as managed_policies,
)
from ministack.services.iam import (
    _roles as roles,
)
from ministack.services.iam import (
    _users as users,
)
from ministack.services.kms import (
    _aliases as key_aliases,
)
from ministack.services.lambda_svc import (
    _esms as event_source_mappings,
)
from ministack.services.lambda_svc import (
    _function_urls as function_urls,
)
from ministack.services.lambda_svc import (
    _functions as functions,
)
from ministack.services.lambda_svc import (
    _get_func_record_for_ref as function_by_arn,
)
from ministack.services.lambda_svc import (
    _invoke as invoke,
)
from ministack.services.lambda_svc import (
    _resolve_request_scoped_name_and_qualifier as resolve_function,
)
from ministack.services.lambda_svc import (
    _validate_function_qualifier_exists as qualifier_error,
)
from ministack.services.organizations import (
    _ensure_org as make_organization,
)
from ministack.services.organizations import (
    _orgs as organizations,
)
from ministack.services.s3 import (
    _bucket_owner_account as bucket_owner,
)
from ministack.services.s3 import (
    _invalid_notification_config as notification_error,
)
from ministack.services.secretsmanager import (
    _secrets as secrets,
)
from ministack.services.sqs import (
    _ensure_msg_fields as complete_message,
)
from ministack.services.sqs import (
    _Err as SqsError,
)
from ministack.services.sqs import (
    _md5_msg_attrs as md5_of_attributes,
)
from ministack.services.sqs import (
    _queue_by_arn as queue_by_arn,
)
from ministack.services.sqs import (
    _queues as queues,
)
from ministack.services.sts import (
    _sessions as sessions,
)

__all__ = [
    "CLOUDFORMATION_HANDLERS",
    "IAM_HANDLERS",
    "LOAD_BALANCING_HANDLERS",
    "STACK_HANDLERS",
    "ProvidedWorker",
    "SqsError",
    "access_keys",
    "bucket_owner",
    "bus_of_reference",
    "complete_message",
    "composite_alarms",
    "conditions_met",
    "configuration_profiles",
    "configuration_sessions",
    "configuration_versions",
    "end_processes",
    "environments",
    "environments_lock",
    "event_bus_policies",
    "event_buses",
    "event_rules",
    "event_source_mappings",
    "event_view",
    "function_by_arn",
    "function_urls",
    "functions",
    "invoke",
    "key_aliases",
    "make_organization",
    "managed_policies",
    "md5_of_attributes",
    "metric_alarms",
    "notification_error",
    "organizations",
    "permissions_boundary",
    "policies_by_aws",
    "policy_by_aws",
    "put_events",
    "put_rule",
    "put_targets",
    "qualifier_error",
    "queue_by_arn",
    "queues",
    "resolve_function",
    "resource_policy_denial",
    "resource_policy_of",
    "role_name_from_session",
    "role_policies",
    "roles",
    "secrets",
    "sessions",
    "stacks",
    "tables",
    "users",
]
