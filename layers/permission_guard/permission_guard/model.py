"""The nouns: what is read from AWS, what a rule says of it, and what is recorded.

All of it is frozen and made of plain values, so that it can be compared, printed and stored as JSON. It is one file,
though a long one, since everything else speaks in these words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003 - `make generate` resolves the annotations
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from permission_guard.records import field, record

if TYPE_CHECKING:
    from permission_guard.event_sources import SourceState
    from permission_guard.iam import Policy
    from permission_guard.triggers import Inventory

JSON = Any
"""A value that JSON can hold: what `json.loads` returns."""


# ── Where to look ───────────────────────────────────────────────────────────────────────────────────────────────────


class Scope(StrEnum):
    """One of the two directions; each has its own reads, rules, queue and checker function."""

    INVOKE_POLICY = "invoke_policy"
    EXECUTION_ROLE = "execution_role"


@record(frozen=True, slots=True, order=True)
class FunctionTarget:
    """A function to look at, with everything that hangs on it: versions, aliases, mappings, roles."""

    partition: str
    region: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        """The unqualified function ARN."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"


@record(frozen=True, slots=True, order=True)
class RoleTarget:
    """A role whose permissions changed: every function that uses it is to be looked at."""

    account: str
    name: str


@record(frozen=True, slots=True, order=True)
class PolicyTarget:
    """A managed policy that says something else now: every role that has it, or is limited by it, changed."""

    account: str
    arn: str


Target = FunctionTarget | RoleTarget | PolicyTarget


# ── What is read ────────────────────────────────────────────────────────────────────────────────────────────────────


@record(frozen=True, slots=True)
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


@record(frozen=True, slots=True)
class ResourcePolicy:
    """The resource-based policy of a function, one of its versions or one of its aliases."""

    resource_arn: str
    qualifier: str | None
    revision_id: str
    document: Policy


class SwitchedOffBy(StrEnum):
    """Who switched an event source mapping off, as far as AWS tells."""

    PERSON = "person"
    AWS = "aws"
    UNTOLD = "untold"


# What AWS says of a change that its caller asked for: queues say the first, streams the second.
_BY_A_PERSON = frozenset({"user initiated", "user action"})


@record(frozen=True, slots=True)
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
    def switched_off_by(self) -> SwitchedOffBy | None:
        """Who switched it off; None when it is on, or on its way there."""
        if self.state not in ("Disabled", "Disabling"):
            return None
        reason = self.state_transition_reason.strip().lower().replace("_", " ")
        if not reason:
            return SwitchedOffBy.UNTOLD
        return SwitchedOffBy.PERSON if reason in _BY_A_PERSON else SwitchedOffBy.AWS

    @property
    def is_off_on_purpose(self) -> bool:
        """Whether a person switched it off, or is deleting it."""
        return self.state == "Deleting" or self.switched_off_by is SwitchedOffBy.PERSON


@record(frozen=True, slots=True)
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


@record(frozen=True, slots=True)
class Function:
    """What GetFunctionConfiguration says, as far as any rule reads it. A version has its own role."""

    arn: str
    name: str
    role_arn: str
    configuration: Mapping[str, JSON] = field(default_factory=dict)


@record(frozen=True, slots=True)
class EventInvokeConfig:
    """Where the results of asynchronous invocations go, as ListFunctionEventInvokeConfigs returns it.

    `function_arn` ends in the alias or version that is invoked, and has no qualifier where that is the function itself.
    `on_success` and `on_failure` are ARNs, empty where there is no such destination.
    """

    function_arn: str
    on_success: str = ""
    on_failure: str = ""


@record(frozen=True, slots=True, kw_only=True)
class Refusal:
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


@record(frozen=True, slots=True)
class FunctionUrl:
    """A function URL: of the function, or of one of its aliases. `auth_type` is `NONE` or `AWS_IAM`."""

    qualifier: str | None
    url: str
    auth_type: str


@record(frozen=True, slots=True)
class Snapshot:
    """One function's state at one moment, as far as one scope reads it.

    `function` is None when the function does not exist. `function_urls` and `own_organization` are read where a policy
    speaks of them; None elsewhere, and where the account is in no organization. `inventories` are what can be set up to
    invoke functions; `foreign_buckets` says of each bucket that a policy names and the account does not have whether
    it exists. `versions` has the configuration behind each function ARN that a mapping names, `roles` each role that
    one of those runs with (None when the role does not exist). `sources` and `source_policies` have, by ARN, the state
    and the resource-based policies (None where there is none) of event sources, secrets, keys, destinations and log
    groups where they can turn the answer. `role_users` has the functions that run with each role, in the order of
    their names. `refusals` are the calls about the function that AWS refused lately; they may be all there is of it.
    Parts the scope does not read stay at their defaults; `tags` are read for a fix only, and None where they were not.
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
    refusals: tuple[Refusal, ...] = ()
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


# ── What a rule says ────────────────────────────────────────────────────────────────────────────────────────────────


class Severity(StrEnum):
    """How bad it is if nobody does anything."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Outcome(StrEnum):
    """The three verdicts. Unknown is not pass."""

    VIOLATION = "violation"
    PASS = "pass"  # noqa: S105 - a verdict
    UNKNOWN = "unknown"


@record(frozen=True, slots=True)
class Remedy:
    """A cure, ready to paste: `kind` is `aws-cli`, `sam` or `terraform`."""

    kind: str
    text: str


@record(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule says of one subject of one function.

    `subject` is None when the rule could not even list its subjects: then it speaks of all of them; one that ends in
    `/*` speaks of all that begin like it. `severity` is the rule's unless this case is better or worse.
    """

    rule_id: str
    function_arn: str
    subject: str | None
    outcome: Outcome
    reason: str
    title: str = ""
    impact: str = ""
    evidence: Mapping[str, JSON] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()
    severity: Severity | None = None

    @property
    def finding_id(self) -> str:
        """The id of the finding that this is, or would be, about."""
        return finding_id(self.rule_id, self.function_arn, self.subject or "")


# ── What is recorded ────────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"


class Transition(StrEnum):
    """What happened to a finding last; the `detail-type` of the event that tells of it."""

    OPENED = "Finding Opened"
    REOPENED = "Finding Reopened"
    RESOLVED = "Finding Resolved"
    SUPPRESSED = "Finding Suppressed"
    FIX_PROPOSED = "Fix Proposed"
    FIX_APPROVED = "Fix Approved"
    FIX_APPLIED = "Fix Applied"
    FIX_REFUSED = "Fix Refused"
    FIX_FAILED = "Fix Failed"
    FIX_UNDO_REQUESTED = "Fix Undo Requested"
    FIX_UNDONE = "Fix Undone"


class FixResult(StrEnum):
    """How far a fix came. `applying` is written before the change is made, so that a crash cannot hide it."""

    PROPOSED = "proposed"
    APPLYING = "applying"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"


@record(frozen=True, slots=True, kw_only=True)
class FixRecord:
    """The last thing the fixer did, or would not do, about a finding.

    `change` is the call that is made, with all it names. `before` and `after` hold what it touches, complete enough
    to put it back; `undo` is the command that does. `approve` is the command with which a person agrees to a
    proposal, where FixMode asks for one.
    """

    name: str
    result: FixResult
    summary: str
    at: str
    attempts: int
    change: Mapping[str, JSON] = field(default_factory=dict)
    before: Mapping[str, JSON] = field(default_factory=dict)
    after: Mapping[str, JSON] = field(default_factory=dict)
    undo: str = ""
    approve: str = ""


STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation puts it on what it makes, and nobody else may: the prefix is reserved."""


@record(frozen=True, slots=True)
class ManagedBy:
    """The infrastructure code that a function belongs to: its next run undoes what is changed by hand.

    `tool` is `cloudformation` or `terraform`; `stack` is CloudFormation's, empty where it is not known.
    """

    tool: str
    stack: str = ""


@record(frozen=True, slots=True, kw_only=True)
class Finding:
    """The finding document, version 1: the table's item, the event's detail, what every sender reads.

    Times are ISO-8601 in UTC. `revision` counts transitions; `transition` names the last one. The first of the
    `remedies` is the one for the code that the function is managed by, where that is known.
    """

    id: str
    rule_id: str
    rule_name: str
    severity: Severity
    partition: str
    account: str
    region: str
    function_arn: str
    subject: str
    title: str
    reason: str
    impact: str
    evidence: Mapping[str, JSON]
    remedies: tuple[Remedy, ...]
    status: Status
    revision: int
    transition: Transition
    opened_at: str
    changed_at: str
    resolution: str = ""
    event_ids: tuple[str, ...] = ()
    managed_by: ManagedBy | None = None
    fix: FixRecord | None = None
    version: int = 1

    def to_document(self) -> dict[str, JSON]:
        """Return the finding as plain JSON values, the form `docs/schemas/finding.v1.json` describes."""
        document = asdict(self)
        document["remedies"] = list(document["remedies"])
        document["event_ids"] = list(self.event_ids)
        return {key: str(value) if isinstance(value, StrEnum) else value for key, value in document.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Self:
        """Read a finding document; KeyError, TypeError or ValueError when it is not one.

        What a newer version has added is passed over, so that an older one can still read it.
        """
        fields = _known_fields(cls, document)
        fields["severity"] = Severity(fields["severity"])
        fields["status"] = Status(fields["status"])
        fields["transition"] = Transition(fields["transition"])
        fields["remedies"] = tuple(Remedy(**_known_fields(Remedy, remedy)) for remedy in fields["remedies"])
        fields["event_ids"] = tuple(fields.get("event_ids", ()))
        if fields.get("managed_by") is not None:
            fields["managed_by"] = ManagedBy(**_known_fields(ManagedBy, fields["managed_by"]))
        if fields.get("fix") is not None:
            fix = _known_fields(FixRecord, fields["fix"])
            fields["fix"] = FixRecord(**{**fix, "result": FixResult(fix["result"])})
        return cls(**fields)


def _known_fields(cls: Any, document: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: document[name] for name in cls.__dataclass_fields__ if name in document}


def finding_id(rule_id: str, function_arn: str, subject: str) -> str:
    """Return the stable fingerprint of a finding: 32 hexadecimal digits.

    `function_arn` carries the qualifier where the subject belongs to a version or an alias.
    """
    return hashlib.sha256(f"{rule_id}\n{function_arn}\n{subject}".encode()).hexdigest()[:32]
