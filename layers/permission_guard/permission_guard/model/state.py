"""The state that is read from AWS, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.iam.invoking import FUNCTION_URL_KEYS
from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.iam import Policy
    from permission_guard.model.targets import JSON, FunctionTarget


@record
class Unread:
    """A part of the state that could not be read. A verdict that depends on it is unknown, never a pass.

    `denied` is true if the bot lacks a permission, and false for a temporary error: throttling, a 5xx, a timeout.
    """

    action: str
    code: str
    message: str
    denied: bool

    def __str__(self) -> str:
        return f"{self.action} failed with {self.code}: {self.message}"


@record
class ResourcePolicy:
    """The resource-based policy of a function, one of its versions or one of its aliases."""

    resource_arn: str
    qualifier: str | None
    document: Policy


class DisabledBy(StrEnum):
    """Who disabled an event source mapping, according to AWS."""

    PERSON = "person"
    AWS = "aws"
    UNKNOWN = "unknown"


# The StateTransitionReason of a change that the caller requested: the first of queues, the second of streams.
_BY_A_PERSON = frozenset({"user initiated", "user action"})


@record
class EventSourceMapping:
    """An event source mapping, as ListEventSourceMappings returns it."""

    uuid: str
    arn: str
    function_arn: str
    event_source_arn: str | None
    state: str
    state_transition_reason: str
    last_processing_result: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def disabled_by(self) -> DisabledBy | None:
        """Who disabled the mapping; None if it is enabled or being enabled."""
        if self.state not in ("Disabled", "Disabling"):
            return None
        reason = self.state_transition_reason.strip().lower().replace("_", " ")
        if not reason:
            return DisabledBy.UNKNOWN
        return DisabledBy.PERSON if reason in _BY_A_PERSON else DisabledBy.AWS

    @property
    def is_disabled_on_purpose(self) -> bool:
        """Whether a person disabled the mapping or is deleting it."""
        return self.state == "Deleting" or self.disabled_by is DisabledBy.PERSON


@record
class Role:
    """An execution role with all policies that apply to it.

    `attached` maps the ARN of a managed policy to its default version, or to the reason why that could not be read.
    `denied_by_organization` are the pairs of action and resource that the organization's policies deny, of those for
    which IAM's policy simulator was called.
    """

    arn: str
    name: str
    path: str
    tags: Mapping[str, str]
    trust_policy: Policy
    attached: Mapping[str, Policy | Unread]
    inline: Mapping[str, Policy | Unread]
    boundary_arn: str | None
    boundary: Policy | Unread | None
    denied_by_organization: frozenset[tuple[str, str]] | Unread = frozenset()


@record
class Function:
    """The reply of GetFunctionConfiguration, reduced to what rules read. A version has its own role.

    `dropped` are the members that enable features and that the SDK drops from the reply, because it is older.
    """

    arn: str
    name: str
    role_arn: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


@record
class EventInvokeConfig:
    """The destinations of asynchronous invocations, as ListFunctionEventInvokeConfigs returns them.

    `function_arn` ends in the alias or version that is invoked, and has no qualifier if that is the function itself.
    `on_success` and `on_failure` are ARNs, empty if there is no such destination.
    """

    function_arn: str
    on_success: str = ""
    on_failure: str = ""


@record(kw_only=True)
class DeniedCall:
    """A call that AWS denied because the execution role lacks a permission, with its parameters.

    `api` is `CreateEventSourceMapping`, `CreateFunction`, `UpdateFunctionConfiguration`, `PutFunctionEventInvokeConfig`
    or `UpdateFunctionEventInvokeConfig`. `function_arn` is the ARN in the call, with its qualifier. `role_arn` is
    empty if the call named no role. `configuration` contains the parameters, named as in the Lambda API. `message` is
    AWS's error message, and `at` its time, ISO-8601 in UTC. The data comes from an event: a check must confirm it.
    """

    api: str
    function_arn: str
    role_arn: str
    message: str
    at: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def mapping(self) -> EventSourceMapping | None:
        """The requested event source mapping; None if the call requested something else."""
        if self.api != "CreateEventSourceMapping":
            return None
        source = self.configuration.get("EventSourceArn")
        return EventSourceMapping("", "", self.function_arn, source, "", "", "", self.configuration)

    @property
    def invoke_config(self) -> EventInvokeConfig | None:
        """The requested configuration of asynchronous invocations; None if the call requested something else."""
        if not self.api.endswith("FunctionEventInvokeConfig"):
            return None
        requested = self.configuration.get("DestinationConfig") or {}
        success, failure = ((requested.get(event) or {}).get("Destination", "") for event in ("OnSuccess", "OnFailure"))
        return EventInvokeConfig(self.function_arn, success, failure)


@record
class FunctionUrl:
    """A URL of the function or of one of its aliases. `auth_type` is `NONE` or `AWS_IAM`.

    `created_at` is its CreationTime, ISO-8601 in UTC, and empty if it is unknown.
    """

    qualifier: str | None
    url: str
    auth_type: str
    created_at: str = ""

    @property
    def is_from_before_the_pair(self) -> bool:
        """Whether the URL was created before October 2025, when `lambda:InvokeFunctionUrl` alone was enough.

        AWS announced that this exception ends on 1 November 2026.
        """
        return "" < self.created_at < "2025-10"


@record
class Snapshot:
    """The state of one function at one time, reduced to what one direction reads.

    `function` is None if the function does not exist. `function_urls` are None if they were not
    read. `own_organization` is read if a policy refers to it, and None otherwise, and if the account belongs to no
    organization. `inventories` are the
    sources that can invoke functions. `foreign_buckets` maps each bucket that a policy names and that the account does
    not own to whether it exists. `versions` are the configurations of the function ARNs that mappings name. `roles` are
    the roles of these versions, None if a role does not exist. `sources` and `source_policies` map the ARNs of event
    sources, secrets, keys, destinations and log groups to their state and to their resource-based policies (None if
    there is none), if the outcome can depend on them. `role_users` are the functions that use each role, sorted by
    name. `resource_tags` maps the ARNs of resources to their tags, if a policy of a role depends on them and AWS lists
    them. `denied_calls` are the recent calls about the function that AWS denied; the function may not exist. What the
    direction does not read keeps its default value. `tags` are read only for a fix, and are None otherwise.
    """

    target: FunctionTarget
    function: Function | Unread | None
    resource_policies: tuple[ResourcePolicy | Unread, ...] = ()
    function_urls: tuple[FunctionUrl, ...] | Unread | None = None
    own_organization: str | Unread | None = None
    inventories: tuple[Inventory, ...] = ()
    foreign_buckets: Mapping[str, bool | Unread] = field(default_factory=dict)
    mappings: tuple[EventSourceMapping, ...] | Unread = ()
    versions: Mapping[str, Function | Unread | None] = field(default_factory=dict)
    roles: Mapping[str, Role | Unread | None] = field(default_factory=dict)
    invoke_configs: tuple[EventInvokeConfig, ...] | Unread = ()
    sources: Mapping[str, SourceState | Unread] = field(default_factory=dict)
    source_policies: Mapping[str, Policy | Unread | None] = field(default_factory=dict)
    resource_tags: Mapping[str, Mapping[str, str] | Unread] = field(default_factory=dict)
    role_users: Mapping[str, tuple[FunctionTarget, ...] | Unread] = field(default_factory=dict)
    denied_calls: tuple[DeniedCall, ...] = ()
    tags: Mapping[str, str] | Unread | None = None

    @property
    def role_arns(self) -> Mapping[str, str]:
        """The role ARN of each version that was read, by the version's ARN."""
        return {arn: part.role_arn for arn, part in self.versions.items() if isinstance(part, Function)}

    @property
    def unread(self) -> tuple[Unread, ...]:
        """All parts that could not be read and that a retry may read.

        Sources, inventories and the organization are not included if AWS denied the read: another account or team must
        allow it, so a retry does not help. Neither are URLs to which no policy refers: at most, nobody can call them.
        The verdicts that depend on them are unknown.
        """
        optional: list[object] = [
            self.own_organization,
            *self.sources.values(),
            *self.source_policies.values(),
            *self.resource_tags.values(),
            *self.foreign_buckets.values(),
            *(role.denied_by_organization for role in self.roles.values() if isinstance(role, Role)),
            *(inventory.sources for inventory in self.inventories),
            *(unread for inventory in self.inventories for unread in inventory.unread.values()),
        ]
        parts: list[object] = [
            self.function,
            self.function_urls if self._refers_to_urls else None,
            self.mappings,
            self.invoke_configs,
            self.tags,
            *self.resource_policies,
            *self.versions.values(),
            *self.role_users.values(),
            *(part for part in optional if isinstance(part, Unread) and not part.denied),
        ]
        for role in self.roles.values():
            parts.append(role)
            if isinstance(role, Role):
                parts += [*role.attached.values(), *role.inline.values(), role.boundary]
        return tuple(part for part in parts if isinstance(part, Unread))

    @property
    def _refers_to_urls(self) -> bool:
        """Whether a statement is about calls through a function URL."""
        return any(
            "lambda:invokefunctionurl" in map(str.lower, statement.action_texts)
            or any(condition.key in FUNCTION_URL_KEYS for condition in statement.conditions)
            for policy in self.resource_policies
            if isinstance(policy, ResourcePolicy)
            for statement in policy.document.statements
        )


STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation sets it on the resources of a stack. Only AWS can set tags with this reserved prefix."""


TOOL_NAMES = {
    "cloudformation": "CloudFormation",
    "sam": "SAM",
    "cdk": "the AWS CDK",
    "terraform": "Terraform",
    "opentofu": "OpenTofu",
    "pulumi": "Pulumi",
}
"""The names of tools that manage functions and roles."""


@record
class ManagedBy:
    """The infrastructure-as-code tool that manages a function or its role: its next deployment reverts manual changes.

    `tool` is `cloudformation`, `sam`, `terraform` or another one of `ManagingTool`. `stack` is the CloudFormation
    stack, empty if it is unknown. `role` is the name of the role that it manages, empty if that is the function.
    `is_configured` is true if only the configuration says so.
    """

    tool: str
    stack: str = ""
    role: str = ""
    is_configured: bool = False


@record
class SourceState:
    """The state of a source, secret or destination, reduced to what needs depend on.

    `kms_key_arn` is a customer managed key, None if there is none or AWS manages the key. The other attributes are None
    if they are unknown. Of an Amazon MSK cluster: `is_serverless`, and whether clients authenticate with IAM
    (`uses_iam`). Of a DocumentDB cluster: `parameter_group` and `subnet_group`. Of an Amazon MQ broker: `is_public`. Of
    a log group: `exists`. Of an access point: the ARN of its `file_system`, and whether the file system requires IAM
    (`uses_iam`).
    """

    kms_key_arn: str | None = None
    is_serverless: bool | None = None
    uses_iam: bool | None = None
    parameter_group: str | None = None
    subnet_group: str | None = None
    is_public: bool | None = None
    exists: bool | None = None
    file_system: str | None = None


Sources = Mapping[str, SourceState | Unread]
"""The state of sources, secrets and destinations by ARN. An ARN that is not in it was not read."""


@record
class Trigger:
    """A resource that is configured to invoke a function and requires a statement that allows it.

    `principal` is the service principal without a region. `source` is the ARN of the resource. `source_arns` are the
    values that it can send as `aws:SourceArn`: several if AWS does not document which, for example one for each stage
    of an API. `function_arn` is the configured ARN with its qualifier. `description` is for sentences: `the rule
    nightly`. `disputed_source_arns` are values on which AWS's documentation and reports disagree.
    """

    principal: str
    source: str
    source_arns: tuple[str, ...]
    source_account: str
    function_arn: str
    description: str
    disputed_source_arns: tuple[str, ...] = ()


@record
class Inventory:
    """All resources of one kind, in one account and region, that can be configured to invoke functions.

    `name` is AWS's name of the API that lists them: `s3`, `apigatewayv2`. `sources` are the ARNs of all resources, with
    or without triggers, as `source_named` returns them; Unread if they could not be listed. `unread` maps the ARN of
    each resource whose triggers could not be read to the reason.
    """

    name: str
    principal: str
    sources: frozenset[str] | Unread
    triggers: tuple[Trigger, ...] = ()
    unread: Mapping[str, Unread] = field(default_factory=dict)


def subject(mapping: EventSourceMapping) -> str:
    """Return the subject of a finding about an event source mapping."""
    return f"event-source-mapping/{mapping.uuid}"
