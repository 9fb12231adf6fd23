"""The certificate of a plan: whether a change allows exactly what it should, decided by comparing whole statements.

The statements are compared exactly (see `iam.inclusion`), not with single requests. What is not decided does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import require_arn
from permission_guard.iam.inclusion import Answer, Inclusion, Workspace, may_meet
from permission_guard.iam.statement_parts import identity_of
from permission_guard.iam.statements import ALLOW, DENY, parse_statement
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from permission_guard.iam import Policy, Statement
    from permission_guard.model.targets import JSON

_ABSENT: Final = (
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalType",
)
"""The condition keys that AWS does not send with the call of a service."""
_MOST_NAMED: Final = 5
_MOST_REASONS: Final = 3


@record
class Certificate:
    """Whether a plan does what its kind says, and only that.

    `kind` is `narrow`, `compact`, `attach`, `remove` or `add`. `grounds` are the sentences for who approves the plan:
    what was decided or, if the certificate does not hold, why.
    """

    kind: str
    holds: bool
    grounds: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The first grounds in one text, and how many more there are."""
        more = len(self.grounds) - _MOST_REASONS
        return " ".join([*self.grounds[:_MOST_REASONS], *([f"And {more} more reasons."] if more > 0 else [])])

    @property
    def document(self) -> dict[str, JSON]:
        """The certificate as it is recorded with the plan."""
        return {"kind": self.kind, "holds": self.holds, "grounds": list(self.grounds)}


@record(kw_only=True)
class Call:
    """All calls of one proven source: an AWS service invokes a function for it.

    `source_arn` can have the wildcards of `ArnLike`, for every stage of an API. Empty: the service does not send it.
    All other condition keys can have any value. Lambda's endpoints accept only TLS.
    """

    principal: str
    function_arn: str
    source_arn: str = ""
    source_account: str = ""
    action: str = "lambda:InvokeFunction"

    @property
    def source(self) -> str:
        """The source, for a sentence."""
        return self.source_arn or f"{self.principal} of account {self.source_account}".removesuffix(" of account ")

    @property
    def statement(self) -> Statement:
        """The statement that allows exactly these calls."""
        absent = dict.fromkeys(_ABSENT, "true")
        condition: dict[str, dict[str, str]] = {
            "Bool": {"aws:PrincipalIsAWSService": "true", "aws:SecureTransport": "true"},
            "StringEquals": {
                "aws:PrincipalServiceName": self.principal,
                "aws:ResourceAccount": require_arn(self.function_arn).account,
            },
        }
        if self.source_arn:
            condition["ArnLike"] = {"aws:SourceArn": self.source_arn}
        else:
            absent["aws:SourceArn"] = "true"
        if self.source_account:
            condition["StringEquals"]["aws:SourceAccount"] = self.source_account
        else:
            absent["aws:SourceAccount"] = "true"
        return parse_statement(
            {
                "Effect": ALLOW,
                "Principal": {"Service": self.principal},
                "Action": self.action,
                "Resource": self.function_arn,
                "Condition": {**condition, "Null": absent},
            },
            0,
            variables=False,
        )


# ── The certificates ────────────────────────────────────────────────────────────────────────────────────────────────


def narrow(old: Policy, between: Sequence[Policy], new: Policy, proven: Sequence[Call]) -> Certificate:
    """Certify that nothing is allowed that was not before, and that each policy allows each proven source.

    `between` are the policies after each call but the last one.
    """
    if not proven:
        return Certificate("narrow", holds=False, grounds=("No source is proven.",))
    policies, workspace = (old, *between, new), Workspace()
    against = [*_more_allowed(old, policies, workspace), *_not_kept(policies, proven, workspace)]
    return _certificate(
        "narrow",
        against,
        "Everything that the new policy allows was allowed before, and so it is after each call.",
        f"{_sources(proven)} allowed before, between and after the calls.",
        *_denies(old),
    )


def compact(old: Policy, between: Sequence[Policy], new: Policy, proven: Sequence[Call] = ()) -> Certificate:
    """Certify that the same requests are allowed, and that each policy allows each proven source."""
    policies, workspace = (old, *between, new), Workspace()
    against = [
        *_more_allowed(old, policies, workspace),
        *_less_allowed(old, new, workspace),
        *_not_kept(policies, proven, workspace),
    ]
    kept = f"{_sources(proven)} allowed before, between and after the calls." if proven else ""
    return _certificate(
        "compact",
        against,
        f"The {_count(new)} of the new policy allow the same requests as the {_count(old)} of the old one.",
        *filter(None, [kept]),
        *_denies(old),
    )


def remove(old: Policy, between: Sequence[Policy], new: Policy) -> Certificate:
    """Certify that nothing is allowed that was not before."""
    against = _more_allowed(old, (*between, new), Workspace())
    return _certificate("remove", against, "Everything that the new policy allows was allowed before.", *_denies(old))


def add(old: Policy, new: Policy, added: Sequence[Mapping[str, JSON]]) -> Certificate:
    """Certify that what is allowed is what was allowed before and what the added statements allow."""
    more = [parse_statement(one, 0, variables=new.knows_variables) for one in added]
    against = [*_unreadable(old, new), *_denies_changed(old, new)]
    if not against:
        before = [*_allowing(old), *more]
        against = [*_not_covered(_allowing(new), before, "allows more than it should")]
        against += _not_covered(before, _allowing(new), "is not in the new policy as it should be")
    return _certificate(
        "add",
        against,
        f"The new policy allows what the old one allows and what {_named(more)} allows. It allows nothing else.",
        *_denies(old),
    )


def attach(before: Sequence[Policy], after: Sequence[Policy], added: Mapping[str, Policy]) -> Certificate:
    """Certify that a role is then allowed what it was allowed before, and what the attached policies allow.

    `before` and `after` are the identity-based policies of the role, without its boundary.
    """
    against = [f"{arn} cannot be read." for arn, policy in added.items() if policy.unreadable]
    against += [
        f"{arn} has a Deny statement, {_label(each)}: it would take permissions away."
        for arn, policy in added.items()
        for each in _denying(policy)
    ]
    if {_text(each) for each in before if each.unreadable} != {_text(each) for each in after if each.unreadable}:
        against.append("Another policy of the role cannot be read than before.")
    denied = [{identity_of(each) for policy in some for each in _denying(policy)} for some in (before, after)]
    if denied[0] != denied[1]:
        against.append("The Deny statements of the role would change.")
    if not against:
        allowed = [each for policy in (*before, *added.values()) for each in _allowing(policy)]
        allowed_after = [each for policy in after for each in _allowing(policy)]
        against += _not_covered(allowed_after, allowed, "allows more than the role and the attached policies together")
        against += _not_covered(allowed, allowed_after, "would no longer be allowed")
    names = " and ".join(added)
    return _certificate(
        "attach",
        against,
        f"The role is then allowed what it was allowed before, and what {names} allows. It is allowed nothing else.",
        f"{names} denies nothing. The Deny statements of the role stay as they are.",
    )


def allowed_calls(calls: Iterable[Call], policy: Policy) -> list[Call]:
    """Return the calls that a policy certainly allows, unless a Deny limits them.

    If that is too much to decide, the call is returned: a change that is too large is refused, and denies no source.
    """
    workspace = Workspace()
    return [call for call in calls if not list(_not_kept((policy,), [call], workspace)) or workspace.is_exhausted]


def _certificate(kind: str, against: Iterable[str], *grounds: str) -> Certificate:
    problems = tuple(dict.fromkeys(against))
    return Certificate(kind, holds=not problems, grounds=problems or grounds)


# ── What speaks against it ──────────────────────────────────────────────────────────────────────────────────────────


def _more_allowed(old: Policy, policies: Sequence[Policy], workspace: Workspace) -> list[str]:
    """Return what of some policies was not allowed before. Statements that deny, in both, take nothing into account."""
    against = [*_unreadable(old, *policies)]
    if against:
        return against
    for policy in policies:
        against += _denies_lost(old, policy)
    allowed = Inclusion(_allowing(old), _denying(old), workspace)
    return [*against, *_undecided_or_not(allowed, policies, "allows more than before")]


def _less_allowed(old: Policy, new: Policy, workspace: Workspace) -> list[str]:
    if old.unreadable or new.unreadable:
        return []
    kept = Inclusion(_allowing(new), _denying(new), workspace)
    return [*_denies_lost(new, old), *_undecided_or_not(kept, (old,), "would no longer be allowed")]


def _not_covered(statements: Iterable[Statement], covering: Iterable[Statement], problem: str) -> list[str]:
    inclusion = Inclusion(covering)
    return [text for each in statements if (text := _against(inclusion, each, problem))]


def _undecided_or_not(inclusion: Inclusion, policies: Iterable[Policy], problem: str) -> Iterator[str]:
    for policy in policies:
        for statement in _allowing(policy):
            if text := _against(inclusion, statement, problem):
                yield text


def _against(inclusion: Inclusion, statement: Statement, problem: str) -> str:
    found = inclusion.decide(statement)
    if found.holds:
        return ""
    if found.answer is Answer.NO:
        return f"The statement {_label(statement)} {problem}: {found.reason}."
    return f"Whether the statement {_label(statement)} {problem} is undecided: {found.reason}."


def _not_kept(policies: Sequence[Policy], proven: Sequence[Call], workspace: Workspace) -> Iterator[str]:
    """Yield the proven sources that a policy does not allow. A Deny that all policies have may limit them as before."""
    calls = [(call, call.statement) for call in proven]
    held = [{identity_of(each): each for each in _denying(policy)} for policy in policies]
    common = set.intersection(*map(set, held))
    lasting = [(deny, Inclusion((), [deny], workspace)) for name, deny in held[0].items() if name in common]
    for number, policy in enumerate(policies):
        if policy.unreadable:
            continue
        allowed = Inclusion(_allowing(policy), (), workspace)
        changed = [deny for name, deny in held[number].items() if name not in common]
        for call, statement in calls:
            found, when = allowed.decide(statement), _when(number, len(policies))
            if found.answer is Answer.NO:
                yield f"{call.source} is not allowed {when}."
            elif not found.holds:
                yield f"Whether {call.source} is allowed {when} is undecided: {found.reason}."
            denying = [deny for deny in changed if may_meet(statement, deny, workspace)]
            if number == 0:  # what all policies have denies the same in each of them
                denying += [deny for deny, denied in lasting if denied.decide(statement).holds]
            for deny in denying:
                yield f"{call.source} is denied by the statement {_label(deny)} {when}."


def _when(number: int, count: int) -> str:
    if number in {0, count - 1}:
        return "by the policy before" if number == 0 else "by the new policy"
    return f"by the policy after call {number} of {count - 1}"


def _unreadable(*policies: Policy) -> Iterator[str]:
    for policy in policies:
        if policy.unreadable:
            yield f"A policy cannot be read: {'; '.join(policy.problems)}."


def _denies_lost(old: Policy, new: Policy) -> Iterator[str]:
    kept = {identity_of(each) for each in _denying(new)}
    for statement in _denying(old):
        if identity_of(statement) not in kept:
            yield f"The Deny statement {_label(statement)} would change: what it denies could become allowed."


def _denies_changed(old: Policy, new: Policy) -> Iterator[str]:
    yield from _denies_lost(old, new)
    held = {identity_of(each) for each in _denying(old)}
    for statement in _denying(new):
        if identity_of(statement) not in held:
            yield f"The Deny statement {_label(statement)} would be new."


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _allowing(policy: Policy) -> list[Statement]:
    """Return the statements that may allow; one whose effect is neither Allow nor Deny may, compared by its text."""
    return [each for each in policy.statements if each.effect != DENY]


def _denying(policy: Policy) -> list[Statement]:
    """Return the statements that may deny; one whose effect is neither Allow nor Deny may."""
    return [each for each in policy.statements if each.effect != ALLOW]


def _denies(policy: Policy) -> Iterator[str]:
    if _denying(policy):
        yield "The Deny statements stay as they are."


def _sources(proven: Sequence[Call]) -> str:
    names = list(dict.fromkeys(call.source for call in proven))
    if len(names) > _MOST_NAMED:
        return f"Each of the {len(names)} proven sources is"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _named(statements: Sequence[Statement]) -> str:
    return " and ".join(map(_label, statements)) or "nothing"


def _count(policy: Policy) -> str:
    return f"{len(policy.statements)} statements"


def _label(statement: Statement) -> str:
    return statement.sid or f"number {statement.index + 1}"


def _text(policy: Policy) -> str:
    return f"{policy.name} {policy.problems} {policy.document!r}"
