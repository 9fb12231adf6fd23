"""PG210 role-overprivileged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from permission_guard.iam import (
    Context,
    Decision,
    EvalDecision,
    LambdaCall,
    Principal,
    Request,
    evaluate,
    execution_role_context,
    parse_policy,
)
from permission_guard.model.verdicts import Severity
from permission_guard.needs.decision import policies_of
from permission_guard.remedies import excess_permissions
from permission_guard.remedies.execution_role import statements
from permission_guard.rules.execution_role.needs_of_role import unmet_needs
from permission_guard.rules.execution_role.privileges import (
    ADMINISTER,
    ANYTHING,
    HARMLESS,
    NAME,
    PATHS,
    Path,
    Step,
    on_itself,
    whole_of,
)
from permission_guard.rules.execution_role.role_rule import RoleRule
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.iam import StatementRef
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.verdicts import Remedy, Verdict

_NOT_THERE: Final = (
    "aws:ResourceTag/",
    "ec2:ResourceTag/",
    "iam:ResourceTag/",
    "s3:ExistingObjectTag/",
    "secretsmanager:ResourceTag/",
    "ssm:resourceTag/",
    "iam:PermissionsBoundary",
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
)
"""The condition keys that a call of the function's own code does not have on a resource without tags and boundary."""


class RoleOverprivileged(RoleRule):
    """Allow the execution role only what the function needs, and no privilege escalation.

    ## What it flags

    - high: an administrator, who is allowed every action on every resource, or every action but some;
    - high: a privilege escalation to administrator. The role can change the policies, trust policies, keys or passwords
      of any role, user or policy, or its own; assume any role; change the code of any function; or pass any role to a
      service that uses it (`iam:PassRole` with `lambda:CreateFunction`, `ec2:RunInstances`, `glue:CreateJob`,
      `cloudformation:CreateStack` …);
    - medium: full access to a service, on any resource: `s3:*`, `dynamodb:*` on `*`.

    The rule evaluates these actions as AWS does, for a resource without tags and with a name that no policy contains.
    Permissions that the boundary or a Deny removes are not flagged. Permissions that are limited to names, tags or
    specific policies to attach are not flagged either. Each role has one finding, with all of its excess permissions
    and the statements that grant them.

    Not flagged: wildcards that only read, `logs:*` and `xray:*` as in AWS's own policies, and single actions on `*`,
    as in `AWSLambdaBasicExecutionRole` and similar policies.

    ## Why it matters

    An attacker who runs code in the function, by an injection or a dependency, has the permissions of its role. With
    one of these, that is the whole account or all data of a service, not only what the function uses.

    ## How to fix

    1. See what the role used: IAM reports when each action was last used.
    2. Allow the function what it needs, on its own resources. The remedy has what its configuration requires, such as
       logs and event sources, and places to fill in what its code calls.
    3. Remove the statements that grant the excess permissions: detach managed policies, and write inline policies
       without these statements. The commands end with the way back.

    ## Fix safety

    Not fixed automatically: only an owner knows what the function needs.

    ## Limits

    - Service control policies are not read.
    - Other roles and their trust policies are not read: the rule flags `iam:PassRole` even if no role can be passed.
    - Full write access by single actions or by several patterns (`s3:Put*`, `s3:Delete*`) is not flagged.
    - What depends on a policy that could not be read, or on an unknown condition key, is unknown.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """

    id = "PG210"
    name = "role-overprivileged"
    severity = Severity.HIGH

    def check_role(self, role: Role | None, role_arn: str, snapshot: Snapshot) -> Iterator[Verdict]:
        """Flag what a role is allowed beyond what any function needs."""
        if role is None:
            return
        arn, subject = snapshot.target.arn, f"role/{role_arn}"
        found = _Evaluation(role, snapshot).find()
        if found.anything or found.paths or found.services:
            yield self._overprivileged(found, role, snapshot)
        elif found.doubts:
            yield self.unknown(arn, subject, f"{found.doubts[0]} The permissions of {role_arn} are therefore unknown.")
        else:
            reason = f"{role_arn} has no administrator access, no privilege escalation and no full access to a service."
            yield self.passed(arn, subject, reason)

    def _overprivileged(self, found: _Found, role: Role, snapshot: Snapshot) -> Verdict:
        name = snapshot.target.name
        gains = [path.gain for path in found.paths]
        services = [f"{service}:*" for service in found.services]
        if found.administrator:
            title = f"{name} has administrator access"
            reason = f"{role.arn} is allowed every action on every resource."
        elif found.anything:
            title = f"{name} is allowed nearly every action"
            reason = f"{role.arn} is allowed every action on every resource, except what its policies exclude."
        elif gains:
            ways = [path.in_title or path.gain for path in found.paths]
            title = f"{name} can {ways[0] if len(ways) == 1 else f'escalate privileges in {len(ways)} ways'}"
            actions = listed(dict.fromkeys(path.name for path in found.paths))
            reason = f"{role.arn} is allowed to {listed(gains)}, by {actions}."
        else:
            few = listed(found.services) if len(services) <= _MOST_NAMED else f"{len(services)} services"
            title = f"{name} has full access to {few}"
            reason = f"{role.arn} is allowed {listed(services)} on any resource."
        by = sorted(
            {str(one) for all_ in (found.anything, *found.paths.values(), *found.services.values()) for one in all_}
        )
        return self.violation(
            function_arn=snapshot.target.arn,
            subject=f"role/{role.arn}",
            title=title,
            reason=" ".join([reason, *([f"Granted by {listed(by)}."] if by else [])]),
            impact=_IMPACT_OF_ALL if found.anything or gains else _IMPACT_OF_SERVICES,
            evidence={
                "role_arn": role.arn,
                "administrator": found.administrator,
                "everything": bool(found.anything),
                "escalation": [{"by": path.name, "gain": path.gain} for path in found.paths],
                "services": services,
                "granted_by": by,
            },
            remedies=_remedies(role, snapshot),
            severity=None if found.anything or gains else Severity.MEDIUM,
        )


_MOST_NAMED: Final = 2
_MOST_SERVICES: Final = 500
"""More services than AWS has."""
_IMPACT_OF_ALL: Final = (
    "An attacker who runs code in the function, by an injection or a dependency, controls the account."
)
_IMPACT_OF_SERVICES: Final = (
    "An attacker who runs code in the function can read, change and delete all resources of the service in the "
    "account, not only those that the function uses."
)


@dataclass(slots=True)
class _Found:
    """What a role is allowed, each with the statements that grant it; `doubts` say why some of it is unknown."""

    administrator: bool = False
    anything: tuple[StatementRef, ...] = ()
    paths: dict[Path, tuple[StatementRef, ...]] = field(default_factory=dict)
    services: dict[str, tuple[StatementRef, ...]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    @property
    def granting(self) -> set[StatementRef]:
        """The statements without which nothing of it is granted; for several steps, that of the first."""
        return {
            one for granted in (self.anything, *self.paths.values(), *self.services.values()) for one in granted[:1]
        }


class _Evaluation:
    """A role with everything that the decisions on it depend on."""

    def __init__(self, role: Role, snapshot: Snapshot) -> None:
        target = snapshot.target
        self._role = role
        self._target = target
        self._principal = Principal.role(role.arn)
        self._decisions: dict[Step, Decision] = {}
        self._contexts: dict[tuple[tuple[tuple[str, str], ...], bool], Context] = {}
        self._fills = {"p": target.partition, "r": target.region, "a": target.account, "n": NAME}
        # Keys and roles have policies of their own, too. Most of them delegate the decision to the account.
        delegating = {"Effect": "Allow", "Principal": {"AWS": target.account}, "Action": "*", "Resource": "*"}
        self._policies = policies_of(role, parse_policy({"Version": "2012-10-17", "Statement": [delegating]}))

    def find(self) -> _Found:
        """Evaluate all paths and services."""
        found = _Found()
        own = tuple(arn for arn in self._role.attached if ":iam::aws:" not in arn)
        found.anything = self._all_allowed((ANYTHING,), found.doubts)
        found.administrator = bool(found.anything and self._all_allowed((ADMINISTER,), found.doubts))
        for path in PATHS:
            granted = self._all_allowed(path.steps, found.doubts)
            if granted:
                found.paths[path] = granted
        known = {step.action for path in found.paths for step in path.steps[:1]}
        for path in on_itself(self._role.arn, own):
            granted = () if path.name in known else self._all_allowed(path.steps, found.doubts)
            if granted:
                found.paths[path] = granted
        services = () if found.anything else self._services()
        if len(services) > _MOST_SERVICES:
            found.doubts.append(f"The policies name more than {_MOST_SERVICES} services.")
        for service in services[:_MOST_SERVICES]:
            steps = whole_of(service)
            granted = next(filter(None, (self._all_allowed((step,), found.doubts) for step in steps)), ())
            if granted:
                found.services[service] = granted
        return found

    def _services(self) -> list[str]:
        """Return the services to which some statement allows every action, on any resource."""
        texts = {
            text.lower()
            for policy in self._policies.identity
            for statement in policy.statements
            if statement.effect == "Allow" and not statement.not_action
            for text in statement.action_texts
        }
        whole = {text.partition(":")[0] for text in texts if ":" in text and not text.partition(":")[2].strip("*")}
        return sorted(service for service in whole - HARMLESS if service.replace("-", "").isalnum())

    def _all_allowed(self, steps: Sequence[Step], doubts: list[str]) -> tuple[StatementRef, ...]:
        """Return the statements that grant all steps; nothing if a step is denied or unknown."""
        decisions = []
        for step in steps:
            if step not in self._decisions:
                self._decisions[step] = self._decide(step)
            if self._decisions[step].denied:
                return ()
            decisions.append(self._decisions[step])
        if all(decision.allowed for decision in decisions):
            return tuple(dict.fromkeys(decision.statement for decision in decisions if decision.statement))
        doubts += [decision.explain() for decision in decisions if not decision.allowed]
        return ()

    def _is_covered(self, action: str) -> bool:
        """Return whether a policy can cover an action; most roles' policies do not, which saves the evaluation."""
        policies = self._policies
        return bool(policies.unread) or any(
            policy.unreadable or policy.speaking_of(action.lower())[1] for policy in policies.identity
        )

    def _decide(self, step: Step) -> Decision:
        role = self._role
        if not self._is_covered(step.action):
            return Decision(EvalDecision.IMPLICIT_DENY)
        resource = step.resource.format_map(self._fills)
        context = self._context(step.context, on_itself=resource == role.arn)
        return evaluate(Request(self._principal, step.action, resource, context), self._policies)

    def _context(self, stated: tuple[tuple[str, str], ...], *, on_itself: bool) -> Context:
        """Return the condition keys of a step, made once for all steps with the same."""
        if (stated, on_itself) not in self._contexts:
            role, target = self._role, self._target
            own_boundary = {"iam:PermissionsBoundary": role.boundary_arn} if on_itself else {}
            self._contexts[stated, on_itself] = execution_role_context(
                LambdaCall.CODE,
                role_arn=role.arn,
                account=target.account,
                region=target.region,
                function_arn=target.arn,
                tags=role.tags,
                resource_account=target.account,
                known={
                    **{key: value.format_map(self._fills) for key, value in stated},
                    **own_boundary,
                    "aws:ViaAWSService": False,
                },
                absent=[key for key in _NOT_THERE if key not in own_boundary],
            )
        return self._contexts[stated, on_itself]


def is_overprivileged(role: Role, snapshot: Snapshot) -> bool:
    """Return whether a role is certainly allowed more than any function needs."""
    return bool(_Evaluation(role, snapshot).find().granting)


def _remedies(role: Role, snapshot: Snapshot) -> tuple[Remedy, ...]:
    """Return how to remove all statements that grant excess permissions, and what to allow before."""
    left = _narrowed(role, snapshot)
    needs = dict.fromkeys(need for need, _ in unmet_needs(left, snapshot))
    return excess_permissions.replaced(role, left, statements(list(needs)), snapshot.target.region)


def _narrowed(role: Role, snapshot: Snapshot) -> Role:
    """Return a role without the statements that grant excess permissions; after some are removed, others grant them."""
    while granting := _Evaluation(role, snapshot).find().granting:
        less = excess_permissions.without(role, granting)
        if less == role:
            break
        role = less
    return role
