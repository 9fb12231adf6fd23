"""What an explanation says, as frozen records. The JSON output is these records."""

from __future__ import annotations

from enum import StrEnum

from permission_guard.iam import StatementRef  # noqa: TC001 - `make generate` resolves the annotations
from permission_guard.records import field, record

VERSION = 1
"""The version of the JSON documents."""


class Answer(StrEnum):
    """Whether AWS allows something, as far as the policies that were read say. Unknown is not denied."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@record
class RuleVerdict:
    """A verdict of a rule. `severity` is empty unless it is a violation; `subject` is what it is about."""

    rule_id: str
    rule_name: str
    outcome: str
    severity: str
    subject: str
    title: str
    reason: str


@record
class AllowedPrincipal:
    """A principal of a statement: how the conditions restrict it, and why.

    `restriction` is one of `iam.Restriction`: `open`, `weak`, `foreign`, `held` or `never`.
    """

    kind: str
    value: str
    restriction: str
    why: str


@record
class StatementExplanation:
    """A statement of the policy of a function, alias or version, with what the rules say of it.

    `outcome` is the worst of its verdicts: `violation`, `unknown` or `pass`; empty for a Deny statement. `verdicts` has
    those that are not a pass. `closed_by` is the Deny statement that denies everything that it allows.
    """

    resource_arn: str
    name: str
    effect: str
    actions: tuple[str, ...]
    conditions: tuple[str, ...]
    principals: tuple[AllowedPrincipal, ...]
    outcome: str = ""
    verdicts: tuple[RuleVerdict, ...] = ()
    passed: int = 0
    closed_by: str = ""


@record
class Caller:
    """A role or user of the account. `kind` is `role`, `service-linked role` or `user`.

    `answer` is unknown if it depends on a condition or on a policy that could not be read. It is denied only if a
    policy of its own allows the call, and a Deny statement or the permissions boundary stops it. `statement` is the one
    that decides, None if none does.
    """

    arn: str
    kind: str
    answer: Answer
    reason: str
    statement: StatementRef | None = None


@record
class Way:
    """One way to invoke: the Invoke API on a function ARN, or a function URL.

    `url` and `auth_type` are empty for the Invoke API. `anyone` says whether a call without credentials, or by anyone
    with credentials of AWS, is allowed. `callers` are the roles and users of the account with an answer; `not_allowed`
    counts the others. `unread` says why the account's roles and users are unknown, empty if they were read.
    """

    resource_arn: str
    url: str
    auth_type: str
    actions: tuple[str, ...]
    anyone: Answer
    anyone_reason: str
    callers: tuple[Caller, ...] = ()
    not_allowed: int = 0
    unread: str = ""


@record
class TriggerExplanation:
    """A resource that is set up to invoke the function, and whether a statement allows it."""

    description: str
    principal: str
    source: str
    resource_arn: str
    answer: Answer
    reason: str


@record
class NeedExplanation:
    """An action that the execution role needs on a resource, and the statement that allows or denies it.

    One of `instead` suffices in place of `action`, and one of `elsewhere` in place of `resource`.
    """

    action: str
    resource: str
    purpose: str
    answer: Answer
    reason: str
    instead: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    recommended: bool = False
    statement: StatementRef | None = None


@record
class Requirement:
    """What needs the execution role: an event source mapping, a feature or a destination.

    `state` is the state of a mapping, empty for others. `note` says why there are no needs, empty if there are.
    """

    what: str
    resource_arn: str
    role_arn: str
    needs: tuple[NeedExplanation, ...] = ()
    state: str = ""
    note: str = ""


@record(kw_only=True)
class Explanation:
    """Everything about one function.

    `verdicts` are the violations and unknown outcomes that are about no statement and no trigger. `unread` names what
    could not be read: what depends on it is unknown. `limits` are what no explanation takes into account.
    """

    version: int = VERSION
    function_arn: str
    statements: tuple[StatementExplanation, ...]
    ways: tuple[Way, ...]
    triggers: tuple[TriggerExplanation, ...]
    requirements: tuple[Requirement, ...]
    verdicts: tuple[RuleVerdict, ...] = ()
    unread: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def has_problems(self) -> bool:
        """Whether a rule reports a violation, or the execution role is denied something that it needs."""
        of_statements = (verdict for one in self.statements for verdict in one.verdicts)
        return (
            any(verdict.outcome == "violation" for verdict in (*of_statements, *self.verdicts))
            or any(one.answer is Answer.DENIED for one in self.triggers)
            or any(need.answer is Answer.DENIED and not need.recommended for need in self._needs)
        )

    @property
    def has_unknowns(self) -> bool:
        """Whether something is unknown or was not read. Conditions of callers do not count: AWS evaluates each call."""
        of_statements = (verdict for one in self.statements for verdict in one.verdicts)
        return (
            bool(self.unread)
            or any(verdict.outcome == "unknown" for verdict in (*of_statements, *self.verdicts))
            or any(one.answer is Answer.UNKNOWN for one in self.triggers)
            or any(need.answer is Answer.UNKNOWN for need in self._needs)
            or any(one.note for one in self.requirements if not one.needs and not one.state)
        )

    @property
    def _needs(self) -> tuple[NeedExplanation, ...]:
        return tuple(need for one in self.requirements for need in one.needs)


@record
class WayAnswer:
    """Whether a principal may invoke in one way, and why. `statement` is the one that decides, None if none does."""

    resource_arn: str
    url: str
    answer: Answer
    reason: str
    statement: StatementRef | None = None


@record(kw_only=True)
class PrincipalAnswer:
    """Whether a principal, for a source, may invoke a function in at least one way. `source` is empty without one."""

    version: int = VERSION
    function_arn: str
    principal: str
    source: str
    answer: Answer
    reason: str
    ways: tuple[WayAnswer, ...] = field(default=())
    limits: tuple[str, ...] = ()
