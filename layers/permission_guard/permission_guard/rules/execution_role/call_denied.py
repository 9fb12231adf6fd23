"""PG213 call-denied."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import require_arn
from permission_guard.model.state import Function, Role, Unread
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.aws_messages import ASSUME, named_actions
from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import denied_by_organization
from permission_guard.needs.denied_calls import needs_of_denied_call, requested_function, service_of
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.access import part
from permission_guard.needs.features import needs_of
from permission_guard.needs.features.network import Network
from permission_guard.remedies.new_role import created
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from permission_guard.rules.execution_role.mappings import name_of
from permission_guard.rules.execution_role.need_rule import MissingPermissions, NeedRule, Requirement
from permission_guard.rules.execution_role.needs_of_role import required_role
from permission_guard.rules.execution_role.role_not_assumable import ONLY_REQUIRED, RoleNotAssumable
from permission_guard.rules.execution_role.role_rule import roles_of
from permission_guard.rules.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.state import DeniedCall, EventInvokeConfig, EventSourceMapping, Snapshot, Sources
    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need

_DENIED: Final = {
    "CreateEventSourceMapping": "Mapping",
    "CreateFunction": "Creation",
    "UpdateFunctionConfiguration": "Update",
    "PutFunctionEventInvokeConfig": "Destination",
    "UpdateFunctionEventInvokeConfig": "Destination",
}
_UNCHANGED: Final = "The destinations of asynchronous invocations of {name} stay unchanged"
_IMPACT: Final = {
    "CreateEventSourceMapping": "The event source mapping does not exist: {name} receives nothing from the source",
    "CreateFunction": "{name} does not exist, and its deployment fails",
    "UpdateFunctionConfiguration": "{name} keeps its previous configuration",
    "PutFunctionEventInvokeConfig": _UNCHANGED,
    "UpdateFunctionEventInvokeConfig": _UNCHANGED,
}
_FEATURES: Final = {"ec2": "network-interfaces", "sns": "dead-letter-queue", "sqs": "dead-letter-queue", "sts": "role"}


class CallDenied(NeedRule):
    """Allow the execution role what a denied call requires.

    ## What it flags

    A `CreateEventSourceMapping`, `CreateFunction`, `UpdateFunctionConfiguration`, `PutFunctionEventInvokeConfig` or
    `UpdateFunctionEventInvokeConfig` of the last day that AWS denied because of the execution role, if the role still
    lacks a permission: reading the event source or its secret, creating network interfaces, sending to the dead-letter
    queue or to the destinations of asynchronous invocations, or being assumed by Lambda. The finding is reported within
    seconds of the call, also for functions that do not exist.

    AWS's message only says what to check: the rule evaluates the current role. AWS names only the first missing action.
    If it names one of several actions of a kind, the rule requires all of that kind. For asynchronous invocations it
    requires both destinations and their keys.

    ## Why it matters

    AWS's error message names one action at a time, and seldom the role or the resource. The deployment fails until the
    role has all permissions.

    ## How to fix

    1. Attach the AWS managed policy of the source's type, or allow the missing actions in your own policy. If Lambda
       cannot assume the role, correct its trust policy.
    2. Wait for IAM to propagate the change to Lambda, which can take some minutes.
    3. Repeat the call.

    ## Fix safety

    Not fixed automatically: the user who deploys must repeat the call anyway.

    ## Limits

    - Only calls that CloudTrail records, with a message that names the role, are known. CloudTrail does not record
      calls with invalid parameters.
    - IAM's policy simulator evaluates the service control policies. It evaluates no resource control policies: if one
      is the cause, the rule reports nothing. A denial that depends on a key that only a real call has is unknown.
    - The finding resolves if a mapping of the same source, the destinations or the function exist now. An update of the
      function's configuration that succeeded later is only visible in the role.
    - A denied call expires after one day.
    - PG203, PG205 and PG207 report what the current configuration requires. This rule does not report it again.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    - https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
    """

    id = "PG213"
    name = "call-denied"
    severity = Severity.HIGH
    offline = False
    grace_period = False
    of_denied_calls = True
    reads = EventSourceReadMissing.reads | EventSourceDependencyMissing.reads | FailureDestinationMissing.reads

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each denied call, even if several calls require the same of one role."""
        for one in self.requirements(snapshot):
            yield one if isinstance(one, Verdict) else self.check_requirement(one, snapshot)

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what each call requires of the role, for the latest call of each subject."""
        latest = {
            (call.function_arn, subject_of(call)): call
            for call in sorted(snapshot.denied_calls, key=lambda call: call.at)
        }
        for call in latest.values():
            function = requested_function(call, snapshot)
            if isinstance(function, str):
                yield self.unknown(call.function_arn, subject_of(call), function)
            elif function is not None:
                yield self._check_call(call, function, snapshot)

    def impact(self, requirement: Requirement) -> str:
        """Return what is missing while AWS denies the call."""
        return _impact(requirement.facts["api"], requirement.function)

    def title(self, requirement: Requirement, missing: Sequence[Need]) -> str:  # noqa: ARG002 - the purpose covers all needs
        """Return what AWS denied, and why."""
        return _title(requirement.facts["api"], f"{requirement.function.name} cannot {requirement.purpose}")

    def check_requirement(self, requirement: Requirement, snapshot: Snapshot) -> Verdict:
        """Return the verdict on one call by the role's current permissions."""
        function, subject = requirement.function, requirement.subject
        role = snapshot.roles.get(function.role_arn, function.role_arn)
        if _is_required_anyway(requirement, role, snapshot):
            reason = "The current configuration requires the same: PG203 and PG205 report what the role lacks."
            return self.passed(function.arn, subject, reason)
        if role is None and _is_in_use(function.role_arn, snapshot):
            return self.passed(function.arn, subject, f"{function.role_arn} does not exist; PG207 reports it.")
        if role is None:
            needs = tuple(need for need in requirement.needs if not need.doubt)
            verdict = self.lacking(requirement, MissingPermissions(needs, "The role does not exist."))
            title = _title(requirement.facts["api"], f"the role of {function.name} does not exist")
            reason = _with_message(verdict.reason, requirement.facts)
            remedies = _created(requirement.facts["api"], function, snapshot)
            return replace(verdict, title=title, reason=reason, remedies=remedies)
        if isinstance(role, str):
            return self.unknown(function.arn, subject, f"{role} was not read.")
        verdict = super().check_requirement(requirement, snapshot)
        if verdict.outcome is not Outcome.PASS:
            return replace(verdict, reason=_with_message(verdict.reason, requirement.facts))
        return self._allowed_now(requirement, role)

    def _allowed_now(self, requirement: Requirement, role: Role | Unread) -> Verdict:
        """Return the verdict on a call that the policies that were read allow."""
        function, subject = requirement.function, requirement.subject
        denials = role.denied_by_organization if isinstance(role, Role) else role
        if isinstance(denials, Unread):
            reason = f"Unknown whether the organization denies {function.role_arn} the call: {denials}."
            return self.unknown(function.arn, subject, _with_message(reason, requirement.facts))
        reason = f"{function.role_arn} is now allowed to {requirement.purpose}: the call can be repeated."
        return self.passed(function.arn, subject, reason)

    def _check_call(self, call: DeniedCall, function: Function, snapshot: Snapshot) -> Requirement | Verdict:
        subject = subject_of(call)
        fulfilled = _fulfilled(call, snapshot)
        if fulfilled:
            return self.passed(function.arn, subject, fulfilled)
        if ASSUME in named_actions(call.message):
            return self._check_trust(call, function, snapshot)
        requirement = _requirement(call, function, snapshot.sources)
        if requirement is None:
            reason = "Unknown: which permissions the call requires."
            return self.unknown(function.arn, subject, _with_message(reason, _facts(call)))
        current = snapshot.mappings if call.mapping else snapshot.invoke_configs if call.invoke_config else ()
        if isinstance(current, Unread):
            # It is unknown whether the call succeeded later. If the role lacks nothing, that does not matter.
            verdict = self.check_requirement(requirement, snapshot)
            is_passed = verdict.outcome is Outcome.PASS
            return verdict if is_passed else self.unknown(function.arn, subject, str(current))
        return requirement

    def _check_trust(self, call: DeniedCall, function: Function, snapshot: Snapshot) -> Verdict:
        """Return PG207's verdict on whether Lambda is allowed to assume the role, as a verdict on the call."""
        role_arn, subject = function.role_arn, subject_of(call)
        role = snapshot.roles.get(role_arn, role_arn)
        if isinstance(role, str | Unread):
            unread = f"{role} was not read." if isinstance(role, str) else str(role)
            return self.unknown(function.arn, subject, unread)
        (trust,) = RoleNotAssumable(self.trust).check_role(role, role_arn, snapshot)
        if trust.outcome is Outcome.PASS:
            reason = f"Lambda is now allowed to assume {role_arn}: the call can be repeated."
            return self.passed(function.arn, subject, reason)
        if trust.outcome is Outcome.UNKNOWN:
            return self.unknown(function.arn, subject, trust.reason)
        if _is_in_use(role_arn, snapshot):
            return self.passed(function.arn, subject, f"{trust.reason} PG207 reports it.")
        facts = _facts(call)
        its_role = f"the role of {function.name}"
        why = f"{its_role} does not exist" if role is None else f"Lambda cannot assume {its_role}"
        return self.violation(
            function_arn=function.arn,
            subject=subject,
            title=_title(call.api, why),
            reason=_with_message(trust.reason, facts),
            impact=_impact(call.api, function),
            evidence={**trust.evidence, "missing": [{"action": ASSUME, "resource": role_arn}], **facts},
            remedies=_created(call.api, function, snapshot) if role is None else trust.remedies,
        )


def subject_of(call: DeniedCall) -> str:
    """Return the subject of a denied call: the API, and the source, destination or feature."""
    mapping = call.mapping
    if mapping is not None:
        return f"denied-call/{call.api}/{_source_name(mapping)}"
    if call.invoke_config is not None:
        return f"denied-call/{call.api}/{','.join(_destinations(call.invoke_config)) or 'unknown destination'}"
    services = (service_of(action) for action in named_actions(call.message))
    return f"denied-call/{call.api}/{next((_FEATURES.get(name, name) for name in services), 'role')}"


def _requirement(call: DeniedCall, function: Function, sources: Sources) -> Requirement | None:
    """Return what a denied call requires of the role, None if it is unknown."""
    needs, mapping, config = needs_of_denied_call(call, function, sources), call.mapping, call.invoke_config
    if not needs:
        return None
    managed_policy = ""
    if config is not None:
        purpose = f"send to {counted(map(_short, _destinations(config)), 'destinations')}"
    elif mapping is None:
        purpose, managed_policy = _purpose_of_function(needs)
    else:
        purpose = _purpose_of_mapping(needs, _short(_source_name(mapping)))
        source = event_source_of(mapping)
        managed_policy = source.managed_policy if source and _kinds(needs) == {NeedKind.READ} else ""
    return Requirement(function, subject_of(call), needs, purpose, managed_policy, _facts(call), mapping)


def _is_in_use(role_arn: str, snapshot: Snapshot) -> bool:
    """Return whether the function, or one of its versions that were read, uses a role, which PG207 then checks."""
    return snapshot.function is not None and role_arn in roles_of(snapshot)


def _is_required_anyway(requirement: Requirement, role: object, snapshot: Snapshot) -> bool:
    """Return whether the function's current configuration requires the same of the same role."""
    own = snapshot.versions.get(requirement.function.arn)
    if requirement.facts["api"] != "UpdateFunctionConfiguration" or not isinstance(own, Function):
        return False
    # The organization's denials are read only because of the call: without it the other rules would pass again.
    if isinstance(role, Role) and any(denied_by_organization(need, role) for need in requirement.needs):
        return False
    return own.role_arn == requirement.function.role_arn and {*requirement.needs} <= {*needs_of(own, snapshot.sources)}


def _kinds(needs: Sequence[Need]) -> set[NeedKind]:
    return {need.kind for need in needs}


def _purpose_of_mapping(needs: Sequence[Need], source: str) -> str:
    """Return what the mapping requires of the role; continues "cannot ..."."""
    if _kinds(needs) == {NeedKind.READ}:
        return f"read {source}"
    if _kinds(needs) == {NeedKind.DESTINATION}:
        return f"use the on-failure destination of {source}"
    if {service_of(need.action) for need in needs} == {"secretsmanager"}:
        return f"read the secret for {source}"
    return f"use {source}"


def _purpose_of_function(needs: Sequence[Need]) -> tuple[str, str]:
    """Return what the function requires of its role, and the AWS managed policy for it, empty if there is none."""
    if _kinds(needs) == {NeedKind.NETWORK}:
        return "create network interfaces in the VPC", Network.managed_policy
    if _kinds(needs) == {NeedKind.DESTINATION}:
        return "send to its dead-letter queue", ""
    return "do all that its configuration requires", ""


def _fulfilled(call: DeniedCall, snapshot: Snapshot) -> str:
    """Return which resource of a denied call exists now, empty if it does not exist."""
    if call.api == "CreateFunction" and snapshot.function is not None:
        return "The function exists now."
    if call.mapping is not None and _mapping_exists(call.mapping, snapshot):
        return "The event source mapping exists now."
    if call.invoke_config is not None and _is_configured(call.invoke_config, snapshot):
        return "The destination is configured now: PG203 reports what the role lacks."
    return ""


def _mapping_exists(requested: EventSourceMapping, snapshot: Snapshot) -> bool:
    """Return whether a mapping for the same function and source exists."""
    mappings = () if isinstance(snapshot.mappings, Unread) else snapshot.mappings
    arn, config = requested.function_arn, requested.configuration
    return any(
        mapping.state != "Deleting"
        and mapping.function_arn.removesuffix(":$LATEST") == arn
        and _source_name(mapping) == _source_name(requested)
        and all(mapping.configuration.get(name) == config.get(name) for name in ("Topics", "Queues"))
        for mapping in mappings
    )


def _is_configured(requested: EventInvokeConfig, snapshot: Snapshot) -> bool:
    """Return whether asynchronous invocations have the requested destinations."""
    configs = () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs
    return any(
        config.function_arn == requested.function_arn
        and requested.on_success in ("", config.on_success)
        and requested.on_failure in ("", config.on_failure)
        for config in configs
        if _destinations(requested)
    )


def _destinations(config: EventInvokeConfig) -> list[str]:
    """Return the destinations without duplicates."""
    return list(dict.fromkeys(filter(None, (config.on_failure, config.on_success))))


def _source_name(mapping: EventSourceMapping) -> str:
    """Return the source's ARN, or the servers of a cluster without an ARN."""
    known = mapping.event_source_arn or part(mapping.configuration, "SelfManagedEventSource")
    return name_of(mapping) if known else "unknown source"


def _short(name: str) -> str:
    """Return the resource name in an ARN, such as the queue's or the table's; of several servers the first."""
    if not name.startswith("arn:"):
        return name.partition(",")[0]
    parts = re.split("[:/]", require_arn(name).resource)
    return parts[1] if len(parts) > 1 else parts[0]


def _facts(call: DeniedCall) -> dict[str, JSON]:
    mapping = call.mapping
    source: dict[str, JSON] = {"event_source_arn": mapping.event_source_arn} if mapping is not None else {}
    if call.invoke_config is not None:
        source = {"destinations": _destinations(call.invoke_config)}
    return {"api": call.api, **source, "refused_at": call.at, "said_by_aws": call.message}


def _title(api: str, why: str) -> str:
    return f"{_DENIED[api]} denied: {why}"


def _impact(api: str, function: Function) -> str:
    return f"{_IMPACT[api].format(name=function.name)} until the role is fixed and the call is repeated."


def _with_message(reason: str, facts: Mapping[str, JSON]) -> str:
    """Return a reason with AWS's message, and when AWS denied the call."""
    return f'{reason} AWS denied {facts["api"]} at {facts["refused_at"]}: "{facts["said_by_aws"]}"'


def _created(api: str, function: Function, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return the remedies that create the role, and set it on the function unless that does not exist either."""
    requested = replace(snapshot, versions={**snapshot.versions, function.arn: function})
    role, own = required_role(function.role_arn, requested), "" if api == "CreateFunction" else function.arn
    return created(role, require_arn(function.arn).region, own, ONLY_REQUIRED)
