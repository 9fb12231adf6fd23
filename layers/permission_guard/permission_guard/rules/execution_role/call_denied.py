"""PG213 call-denied."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import Function, Unread
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.aws_messages import ASSUME, named_actions
from permission_guard.needs.base import NeedKind, required
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.access import part
from permission_guard.needs.event_sources.destinations import invoke_config_needs
from permission_guard.needs.features import needs_of
from permission_guard.needs.features.dead_letter import target_of
from permission_guard.needs.features.network import Network
from permission_guard.needs.of_snapshot import function_asked_for
from permission_guard.remedies.trust_policy import created
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.failure_destination_missing import FailureDestinationMissing
from permission_guard.rules.execution_role.mappings import name_of
from permission_guard.rules.execution_role.need_rule import MissingPermissions, NeedRule, Requirement
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.execution_role.role_rule import roles_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from permission_guard.model.state import DeniedCall, EventInvokeConfig, EventSourceMapping, Snapshot, Sources
    from permission_guard.model.targets import JSON
    from permission_guard.needs.base import Need

_REFUSED: Final = {
    "CreateEventSourceMapping": "AWS refused an event source mapping for {name}",
    "CreateFunction": "AWS refused to create {name}",
    "UpdateFunctionConfiguration": "AWS refused to configure {name}",
    "PutFunctionEventInvokeConfig": "AWS refused a destination for asynchronous invocations of {name}",
    "UpdateFunctionEventInvokeConfig": "AWS refused a destination for asynchronous invocations of {name}",
}
_AS_BEFORE: Final = "Results of asynchronous invocations of {name} go where they went before, if anywhere"
_IMPACT: Final = {
    "CreateEventSourceMapping": "There is no such event source mapping: nothing from the source reaches {name}",
    "CreateFunction": "{name} does not exist, and what should deploy it has failed",
    "UpdateFunctionConfiguration": "{name} goes on with the configuration that it had",
    "PutFunctionEventInvokeConfig": _AS_BEFORE,
    "UpdateFunctionEventInvokeConfig": _AS_BEFORE,
}
_FEATURES: Final = {"ec2": "network-interfaces", "sns": "dead-letter-queue", "sqs": "dead-letter-queue", "sts": "role"}


class CallDenied(NeedRule):
    """Allow the execution role what AWS has just asked of it in vain.

    ## What it flags

    A `CreateEventSourceMapping`, `CreateFunction`, `UpdateFunctionConfiguration`, `PutFunctionEventInvokeConfig` or
    `UpdateFunctionEventInvokeConfig` of the last day that AWS refused because of the execution role, while the role
    still lacks what it takes: reading the event source or its secret, making network interfaces, sending to the
    dead-letter queue or to the destinations of asynchronous invocations, or being assumed by Lambda. It is told within
    seconds of the call, for functions that do not exist as well.

    What AWS says names where to look, and no more: the role is judged as it is now. Where AWS names one of several
    actions of a kind, all of the kind are asked for, since AWS names but the first; of destinations of asynchronous
    invocations, both, and the keys that they are encrypted with.

    ## Why it matters

    Whoever deploys gets a sentence that names one action at a time, and seldom the role or the resource. The deployment
    has failed, and fails again until the role has all of it.

    ## How to fix

    Attach the AWS managed policy of the source's type, or allow the missing actions in a policy of your own; where
    Lambda cannot assume the role, mend its trust policy. Then repeat the call. IAM's changes take up to some minutes to
    reach Lambda.

    ## Fix safety

    Not fixed automatically: somebody is at it, and has to repeat the call anyway.

    ## Limits

    Of all calls only those that CloudTrail records are known, and of those only the ones whose message names the role:
    calls that are invalid in themselves are not recorded. Service control policies are not read: where one is the
    cause, nothing is missing here. A mapping of the same source that came to be since, the destinations, or the
    function, closes the matter; that a function's configuration was accepted since is seen only from the role. After a
    day a refusal is forgotten. What the function lacks as it is configured, or as its role is, PG203, PG205 and PG207
    tell, and this does not tell it again.

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
        """Yield a verdict for each call that was refused, though several may ask the same of one role."""
        for one in self.requirements(snapshot):
            yield one if isinstance(one, Verdict) else self.answer(one, snapshot)

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what each call takes of the role, for the last of those with the same subject."""
        latest = {
            (refusal.function_arn, subject_of(refusal)): refusal
            for refusal in sorted(snapshot.denied_calls, key=lambda refusal: refusal.at)
        }
        for refusal in latest.values():
            function = function_asked_for(refusal, snapshot)
            if isinstance(function, str):
                yield self.unknown(refusal.function_arn, subject_of(refusal), function)
            elif function is not None:
                yield self._asked(refusal, function, snapshot)

    def impact(self, requirement: Requirement) -> str:
        """Say what there is not, as long as the call is refused."""
        return _impact(requirement.facts["api"], requirement.function)

    def title(self, requirement: Requirement, missing: Sequence[Need]) -> str:  # noqa: ARG002 - one of a kind stands for all
        """Say what was refused, and why."""
        return _title(requirement.facts["api"], requirement.function, f"its role may not {requirement.purpose}")

    def answer(self, requirement: Requirement, snapshot: Snapshot) -> Verdict:
        """Return the verdict on one call: what the role has by now was missing then."""
        function, subject = requirement.function, requirement.subject
        role = snapshot.roles.get(function.role_arn, function.role_arn)
        if _is_needed_anyway(requirement, snapshot):
            told = "What is refused is needed as the function is configured: PG203 and PG205 tell what its role lacks."
            return self.passed(function.arn, subject, told)
        if role is None and _is_run_with(function.role_arn, snapshot):
            return self.passed(function.arn, subject, f"{function.role_arn} does not exist, as PG207 tells.")
        if role is None:
            needs = tuple(need for need in requirement.needs if not need.doubt)
            verdict = self.lacking(requirement, MissingPermissions(needs, "The role does not exist."))
            title = _title(requirement.facts["api"], function, "its role does not exist")
            remedies = _created(requirement.facts["api"], function)
            return replace(verdict, title=title, reason=_told(verdict.reason, requirement.facts), remedies=remedies)
        if isinstance(role, str):
            return self.unknown(function.arn, subject, f"{role} was not read.")
        verdict = super().answer(requirement, snapshot)
        if verdict.outcome is Outcome.PASS:
            by_now = f"{function.role_arn} may {requirement.purpose} by now: the call can be repeated."
            return self.passed(function.arn, subject, by_now)
        return replace(verdict, reason=_told(verdict.reason, requirement.facts))

    def _asked(self, refusal: DeniedCall, function: Function, snapshot: Snapshot) -> Requirement | Verdict:
        subject = subject_of(refusal)
        come_to_be = _come_to_be(refusal, snapshot)
        if come_to_be:
            return self.passed(function.arn, subject, come_to_be)
        if ASSUME in named_actions(refusal.message):
            return self._assumed(refusal, function, snapshot)
        requirement = _question(refusal, function, snapshot.sources)
        if requirement is None:
            reason = "It is not known what AWS asked of the role."
            return self.unknown(function.arn, subject, _told(reason, _facts(refusal)))
        listed = snapshot.mappings if refusal.mapping else snapshot.invoke_configs if refusal.invoke_config else ()
        if isinstance(listed, Unread):
            # Whether it has come to be cannot be told; but if the role has it all, nothing is wrong either way.
            verdict = self.answer(requirement, snapshot)
            is_passed = verdict.outcome is Outcome.PASS
            return verdict if is_passed else self.unknown(function.arn, subject, str(listed))
        return requirement

    def _assumed(self, refusal: DeniedCall, function: Function, snapshot: Snapshot) -> Verdict:
        """Return the verdict on whether Lambda may assume the role, as PG207 gives it."""
        role_arn, subject = function.role_arn, subject_of(refusal)
        role = snapshot.roles.get(role_arn, role_arn)
        if isinstance(role, str | Unread):
            unread = f"{role} was not read." if isinstance(role, str) else str(role)
            return self.unknown(function.arn, subject, unread)
        (judged,) = RoleNotAssumable(self.trust).judge(role, role_arn, snapshot)
        if judged.outcome is Outcome.PASS:
            return self.passed(function.arn, subject, f"Lambda may assume {role_arn} by now: the call can be repeated.")
        if judged.outcome is Outcome.UNKNOWN:
            return self.unknown(function.arn, subject, judged.reason)
        if _is_run_with(role_arn, snapshot):
            return self.passed(function.arn, subject, f"{judged.reason} PG207 tells it.")
        facts = _facts(refusal)
        why = "its role does not exist" if role is None else "Lambda cannot assume its role"
        return self.violation(
            function_arn=function.arn,
            subject=subject,
            title=_title(refusal.api, function, why),
            reason=_told(judged.reason, facts),
            impact=_impact(refusal.api, function),
            evidence={**judged.evidence, "missing": [{"action": ASSUME, "resource": role_arn}], **facts},
            remedies=_created(refusal.api, function) if role is None else judged.remedies,
        )


def subject_of(refusal: DeniedCall) -> str:
    """Return what a finding about a refused call is about: the call, and with what, or what the message speaks of."""
    mapping = refusal.mapping
    if mapping is not None:
        return f"refused/{refusal.api}/{_source_name(mapping)}"
    if refusal.invoke_config is not None:
        return f"refused/{refusal.api}/{','.join(_destinations(refusal.invoke_config)) or 'unknown destination'}"
    services = (_service(action) for action in named_actions(refusal.message))
    return f"refused/{refusal.api}/{next((_FEATURES.get(name, name) for name in services), 'role')}"


def _question(refusal: DeniedCall, function: Function, sources: Sources) -> Requirement | None:
    """Return what to ask of the role; None where it is not known."""
    named, mapping, config = named_actions(refusal.message), refusal.mapping, refusal.invoke_config
    managed_policy = ""
    if config is not None:
        needs = required(invoke_config_needs(config, sources), NeedKind.DESTINATION)
        purpose = f"send to {' and '.join(map(_short, _destinations(config)))}"
    elif mapping is None:
        needs = _of_the_kind(needs_of(function, sources), named)
        purpose, managed_policy = _purpose_of_function(needs, function)
    else:
        source = event_source_of(mapping)
        if source is None:
            return None
        takes = source.needs(mapping, sources)
        # Where AWS names none of them, it is about reading the source.
        needs = _of_the_kind(takes, named) or required(takes, NeedKind.READ)
        purpose = _purpose_of_mapping(needs, _short(_source_name(mapping)))
        managed_policy = source.managed_policy if _kinds(needs) == {NeedKind.READ} else ""
    if not needs:
        return None
    return Requirement(function, subject_of(refusal), needs, purpose, managed_policy, _facts(refusal), mapping)


def _is_run_with(role_arn: str, snapshot: Snapshot) -> bool:
    """Tell whether the function, or one of its versions that were read, runs with a role: PG207 judges it then."""
    return snapshot.function is not None and role_arn in roles_of(snapshot)


def _is_needed_anyway(requirement: Requirement, snapshot: Snapshot) -> bool:
    """Tell whether the function, as it is configured, needs the same of the same role."""
    own = snapshot.versions.get(requirement.function.arn)
    if requirement.facts["api"] != "UpdateFunctionConfiguration" or not isinstance(own, Function):
        return False
    return own.role_arn == requirement.function.role_arn and {*requirement.needs} <= {*needs_of(own, snapshot.sources)}


def _of_the_kind(needs: Sequence[Need], named: Sequence[str]) -> tuple[Need, ...]:
    """Return the needs that AWS names, with all others of the same kind and service: it names but the first."""
    wanted = {(need.kind, _service(need.action)) for need in needs if need.action in named}
    return tuple(need for need in needs if (need.kind, _service(need.action)) in wanted and not need.recommended)


def _kinds(needs: Sequence[Need]) -> set[NeedKind]:
    return {need.kind for need in needs}


def _purpose_of_mapping(needs: Sequence[Need], source: str) -> str:
    """Return what the role has to be allowed, in words that continue "may"."""
    if _kinds(needs) == {NeedKind.READ}:
        return f"read {source}"
    if _kinds(needs) == {NeedKind.DESTINATION}:
        return f"send to the destination for what fails of {source}"
    if {_service(need.action) for need in needs} == {"secretsmanager"}:
        return f"read the secret for {source}"
    return f"do all that {source} takes"


def _purpose_of_function(needs: Sequence[Need], function: Function) -> tuple[str, str]:
    """Return the same, and the AWS managed policy that carries it, empty where there is none."""
    if _kinds(needs) == {NeedKind.NETWORK}:
        return "make network interfaces in the VPC", Network.managed_policy
    if _kinds(needs) == {NeedKind.DESTINATION}:
        return f"send to the dead-letter queue {_short(target_of(function))}", ""
    return "do all that its configuration takes", ""


def _come_to_be(refusal: DeniedCall, snapshot: Snapshot) -> str:
    """Say that what was asked for is there by now, "" if it is not."""
    if refusal.api == "CreateFunction" and snapshot.function is not None:
        return "The function exists by now."
    if refusal.mapping is not None and _has_come_to_be(refusal.mapping, snapshot):
        return "The event source mapping exists by now."
    if refusal.invoke_config is not None and _is_in_place(refusal.invoke_config, snapshot):
        return "Results are sent there by now: PG203 tells what the role lacks."
    return ""


def _has_come_to_be(asked: EventSourceMapping, snapshot: Snapshot) -> bool:
    """Tell whether a mapping for the same function and source is there by now."""
    mappings = () if isinstance(snapshot.mappings, Unread) else snapshot.mappings
    arn = asked.function_arn
    return any(
        mapping.state != "Deleting"
        and mapping.function_arn.removesuffix(":$LATEST") == arn
        and _source_name(mapping) == _source_name(asked)
        and all(mapping.configuration.get(name) == asked.configuration.get(name) for name in ("Topics", "Queues"))
        for mapping in mappings
    )


def _is_in_place(asked: EventInvokeConfig, snapshot: Snapshot) -> bool:
    """Tell whether the results go by now where they were to go."""
    configs = () if isinstance(snapshot.invoke_configs, Unread) else snapshot.invoke_configs
    return any(
        config.function_arn == asked.function_arn
        and asked.on_success in ("", config.on_success)
        and asked.on_failure in ("", config.on_failure)
        for config in configs
        if _destinations(asked)
    )


def _destinations(config: EventInvokeConfig) -> list[str]:
    """Return where results go, each place once."""
    return list(dict.fromkeys(filter(None, (config.on_failure, config.on_success))))


def _source_name(mapping: EventSourceMapping) -> str:
    """Return the source's ARN, or the servers of a cluster that has none."""
    known = mapping.event_source_arn or part(mapping.configuration, "SelfManagedEventSource")
    return name_of(mapping) if known else "unknown source"


def _short(name: str) -> str:
    """Return the name in an ARN, the queue's, table's or cluster's, say; of several servers the first."""
    if not name.startswith("arn:"):
        return name.partition(",")[0]
    parts = re.split("[:/]", name.split(":", 5)[5])
    return parts[1] if len(parts) > 1 else parts[0]


def _service(action: str) -> str:
    return action.partition(":")[0]


def _facts(refusal: DeniedCall) -> dict[str, JSON]:
    mapping = refusal.mapping
    source: dict[str, JSON] = {"event_source_arn": mapping.event_source_arn} if mapping is not None else {}
    if refusal.invoke_config is not None:
        source = {"destinations": _destinations(refusal.invoke_config)}
    return {"api": refusal.api, **source, "refused_at": refusal.at, "said_by_aws": refusal.message}


def _title(api: str, function: Function, why: str) -> str:
    return f"{_REFUSED[api].format(name=function.name)}: {why}"


def _impact(api: str, function: Function) -> str:
    return f"{_IMPACT[api].format(name=function.name)}, until the role is put right and the call is repeated."


def _told(reason: str, facts: Mapping[str, JSON]) -> str:
    """Return a reason with what AWS said, and when."""
    return f'{reason} AWS refused {facts["api"]} at {facts["refused_at"]}: "{facts["said_by_aws"]}"'


def _created(api: str, function: Function) -> tuple[Remedy, ...]:
    """Return how to make a role that does not exist; a function that does not exist either cannot take it up."""
    return created(function.role_arn, "" if api == "CreateFunction" else function.arn)
