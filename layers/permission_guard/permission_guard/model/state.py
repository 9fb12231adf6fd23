"""What is read from AWS. All of it is frozen and made of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.iam import Policy
    from permission_guard.model.targets import JSON, FunctionTarget


@record
class Unread:
    """A piece of state that could not be read; whatever rests on it is unknown, never a pass.

    `denied` tells a missing permission of the bot from a passing fault (throttling, a 5xx, a time-out).
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
    revision_id: str
    document: Policy


class DisabledBy(StrEnum):
    """Who switched an event source mapping off, as far as AWS tells."""

    PERSON = "person"
    AWS = "aws"
    UNKNOWN = "unknown"


# What AWS says of a change that its caller asked for: queues say the first, streams the second.
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
        """Who switched it off; None when it is on, or on its way there."""
        if self.state not in ("Disabled", "Disabling"):
            return None
        reason = self.state_transition_reason.strip().lower().replace("_", " ")
        if not reason:
            return DisabledBy.UNKNOWN
        return DisabledBy.PERSON if reason in _BY_A_PERSON else DisabledBy.AWS

    @property
    def is_disabled_on_purpose(self) -> bool:
        """Whether a person switched it off, or is deleting it."""
        return self.state == "Deleting" or self.disabled_by is DisabledBy.PERSON


@record
class Role:
    """An execution role with the documents of every policy that bears on it.

    `attached` maps a policy ARN to its default version's document, or to why that could not be read.
    `denied_by_organization` has the actions and resources of which IAM's simulator was asked, and that the policies of
    the organization deny.
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
    """What GetFunctionConfiguration says, as far as any rule reads it. A version has its own role."""

    arn: str
    name: str
    role_arn: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)


@record
class EventInvokeConfig:
    """Where the results of asynchronous invocations go, as ListFunctionEventInvokeConfigs returns it.

    `function_arn` ends in the alias or version that is invoked, and has no qualifier where that is the function itself.
    `on_success` and `on_failure` are ARNs, empty where there is no such destination.
    """

    function_arn: str
    on_success: str = ""
    on_failure: str = ""


@record(kw_only=True)
class DeniedCall:
    """A call that AWS refused for what the execution role may not do, with what was asked for.

    `api` is `CreateEventSourceMapping`, `CreateFunction`, `UpdateFunctionConfiguration`, `PutFunctionEventInvokeConfig`
    or `UpdateFunctionEventInvokeConfig`. `function_arn` is the one that the call named, with its qualifier; `role_arn`
    is empty where it named none. `configuration` has what it asked for, named as the Lambda API names it. `message` is
    AWS's, and `at` is when it was said, ISO-8601 in UTC. All of it comes from an event: it says where to look.
    """

    api: str
    function_arn: str
    role_arn: str
    message: str
    at: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def mapping(self) -> EventSourceMapping | None:
        """The event source mapping that was asked for, None where something else was."""
        if self.api != "CreateEventSourceMapping":
            return None
        source = self.configuration.get("EventSourceArn")
        return EventSourceMapping("", "", self.function_arn, source, "", "", "", self.configuration)

    @property
    def invoke_config(self) -> EventInvokeConfig | None:
        """The configuration of asynchronous invocations that was asked for, None where something else was."""
        if not self.api.endswith("FunctionEventInvokeConfig"):
            return None
        asked = self.configuration.get("DestinationConfig") or {}
        success, failure = ((asked.get(event) or {}).get("Destination", "") for event in ("OnSuccess", "OnFailure"))
        return EventInvokeConfig(self.function_arn, success, failure)


@record
class FunctionUrl:
    """A function URL: of the function, or of one of its aliases. `auth_type` is `NONE` or `AWS_IAM`."""

    qualifier: str | None
    url: str
    auth_type: str


@record
class Snapshot:
    """One function's state at one moment, as far as one scope reads it.

    `function` is None when the function does not exist. `function_urls` and `own_organization` are read where a policy
    speaks of them; None elsewhere, and where the account is in no organization. `inventories` are what can be set up to
    invoke functions; `foreign_buckets` says of each bucket that a policy names and the account does not have whether
    it exists. `versions` has the configuration behind each function ARN that a mapping names, `roles` each role that
    one of those runs with (None when the role does not exist). `sources` and `source_policies` have, by ARN, the state
    and the resource-based policies (None where there is none) of event sources, secrets, keys, destinations and log
    groups where they can turn the answer. `role_users` has the functions that run with each role, in the order of
    their names. `denied_calls` are the calls about the function that AWS denied lately; it may not exist.
    Parts that the direction does not read stay at their defaults; `tags` are read for a fix only, else None.
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
    role_users: Mapping[str, tuple[FunctionTarget, ...] | Unread] = field(default_factory=dict)
    denied_calls: tuple[DeniedCall, ...] = ()
    tags: Mapping[str, str] | Unread | None = None

    @property
    def role_arns(self) -> Mapping[str, str]:
        """The ARN of the role that each version which was read runs with, by the version's own."""
        return {arn: part.role_arn for arn, part in self.versions.items() if isinstance(part, Function)}

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Everything in here that could not be read and that another try may read.

        What a source says of itself, an inventory or the organization that was denied is not among them: somebody
        else has to allow it, so that trying again would never end. The verdict that rests on it is unknown.
        """
        beyond: list[object] = [
            self.own_organization,
            *self.sources.values(),
            *self.source_policies.values(),
            *self.foreign_buckets.values(),
            *(role.denied_by_organization for role in self.roles.values() if isinstance(role, Role)),
            *(inventory.sources for inventory in self.inventories),
            *(unread for inventory in self.inventories for unread in inventory.unread.values()),
        ]
        parts: list[object] = [
            self.function,
            self.function_urls,
            self.mappings,
            self.invoke_configs,
            self.tags,
            *self.resource_policies,
            *self.versions.values(),
            *self.role_users.values(),
            *(part for part in beyond if isinstance(part, Unread) and not part.denied),
        ]
        for role in self.roles.values():
            parts.append(role)
            if isinstance(role, Role):
                parts += [*role.attached.values(), *role.inline.values(), role.boundary]
        return tuple(part for part in parts if isinstance(part, Unread))


STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation puts it on what it makes, and nobody else may: the prefix is reserved."""


@record
class ManagedBy:
    """The infrastructure code that a function belongs to: its next run undoes what is changed by hand.

    `tool` is `cloudformation` or `terraform`; `stack` is CloudFormation's, empty where it is not known.
    """

    tool: str
    stack: str = ""


@record
class SourceState:
    """What was read of a source, secret or destination, as far as needs hang on it.

    `kms_key_arn` is the key that a customer manages; None where the key is AWS's own, or there is none. The others are
    None where they are not known: whether an Amazon MSK cluster is serverless and lets clients in by IAM, which
    parameter and subnet groups a DocumentDB cluster has, whether an Amazon MQ broker `is_public`, whether a log group
    `exists`, and of an access point, which
    `file_system` it leads to, as an ARN, and whether that asks its clients for IAM (`uses_iam` as well).
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
"""What was read of sources, secrets and destinations, by their ARNs; what is not in there was not read."""


@record
class Trigger:
    """One thing that is set up to invoke a function and that a statement has to let in.

    `principal` is the service, without a region. `source` is the ARN of what calls, `source_arns` what it may send as
    `aws:SourceArn`: several where AWS does not tell which, such as the stages of an API. `function_arn` is as it was
    configured, with its qualifier. `description` is for sentences: `the rule nightly`.
    """

    principal: str
    source: str
    source_arns: tuple[str, ...]
    source_account: str
    function_arn: str
    description: str


@record
class Inventory:
    """Everything of one kind, in one account and region, that can be set up to invoke functions.

    `name` is AWS's for the API that was asked: `s3`, `apigatewayv2`. `sources` are the ARNs of all there is, triggers
    or not, each as `source_named` returns it; Unread when they cannot be listed. `unread` has, by ARN, each whose
    triggers could not be read.
    """

    name: str
    principal: str
    sources: frozenset[str] | Unread
    triggers: tuple[Trigger, ...] = ()
    unread: Mapping[str, Unread] = field(default_factory=dict)


def subject(mapping: EventSourceMapping) -> str:
    """Return what a finding about a mapping is about."""
    return f"event-source-mapping/{mapping.uuid}"
