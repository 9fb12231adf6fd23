"""The ways to invoke a function, and AWS's decisions on a caller for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam import (
    FUNCTION_URL_KEYS,
    SOURCE_KEYS,
    Context,
    Decision,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    evaluate,
)
from permission_guard.iam.scoping import NOT_SENT_BY_SERVICES
from permission_guard.invokers.trigger_calls import url_keys
from permission_guard.model.state import ResourcePolicy, Unread
from permission_guard.records import field, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from permission_guard.explain.state import FunctionState
    from permission_guard.model.identities import Identity

INVOKE: Final = "lambda:InvokeFunction"
INVOKE_URL: Final = "lambda:InvokeFunctionUrl"

_TAG_SESSION: Final = "sts:tagsession"
_NOT_OF_CALLERS: Final = (*SOURCE_KEYS, "aws:PrincipalServiceName")
"""The condition keys that only AWS services send."""


@record
class Entry:
    """A way to invoke: what is called, the actions that AWS evaluates, and the condition keys that the way sends."""

    resource_arn: str
    actions: tuple[str, ...]
    policy: ResourcePolicy | Unread | None
    keys: Mapping[str, str | bool] = field(hash=False)
    url: str = ""
    auth_type: str = ""

    @property
    def is_without_signature(self) -> bool:
        """Whether callers need no credentials."""
        return self.auth_type == "NONE"

    @property
    def absent(self) -> frozenset[str]:
        """The condition keys that the way never sends."""
        return frozenset() if self.url else FUNCTION_URL_KEYS


def entries(state: FunctionState) -> Iterator[Entry]:
    """Yield the ways to invoke what is in question: the Invoke API on each ARN, then the URLs."""
    arns = state.resource_arns
    for arn in arns:
        yield Entry(arn, (INVOKE,), state.policy_of(arn), {})
    urls = state.invokes.function_urls
    for url in () if urls is None or isinstance(urls, Unread) else urls:
        arn = f"{state.target.arn}:{url.qualifier}" if url.qualifier else state.target.arn
        if arn in arns or (state.qualifier is None and url.qualifier):
            yield Entry(
                arn, (INVOKE_URL, INVOKE), state.policy_of(arn), url_keys(url.auth_type), url.url, url.auth_type
            )


def version_entry(arn: str) -> Entry:
    """Return the Invoke API on a version that has no policy of its own."""
    return Entry(arn, (INVOKE,), None, {})


def elsewhere(state: FunctionState) -> Entry:
    """Return the Invoke API on a version or alias with a name that no policy contains."""
    return version_entry(f"{state.target.arn}:one-of-them")


def known_keys(state: FunctionState) -> tuple[dict[str, str | bool], tuple[str, ...]]:
    """Return the condition keys that are the same for every caller, and the families of which no other key exists.

    Lambda evaluates the tags of functions, not of their versions and aliases.
    https://docs.aws.amazon.com/lambda/latest/dg/attribute-based-access-control.html
    """
    keys: dict[str, str | bool] = {
        "aws:RequestedRegion": state.target.region,
        "aws:ResourceAccount": state.target.account,
        "aws:SecureTransport": True,  # Lambda's endpoints accept only TLS
    }
    if state.tags is None or isinstance(state.tags, Unread) or state.arn != state.target.arn:
        return keys, ()
    return keys | {f"aws:ResourceTag/{name}": value for name, value in state.tags.items()}, ("aws:ResourceTag/",)


@record
class Callers:
    """Decides on callers of one way. Make one for each way: it keeps what is the same for all callers.

    `grants_identities` is false if no statement of the way's policy allows others than AWS services.
    """

    entry: Entry
    state: FunctionState
    keys: Mapping[str, str | bool] = field(hash=False)
    absent: tuple[str, ...] = ()
    grants_identities: bool = True

    @classmethod
    def of(cls, entry: Entry, state: FunctionState) -> Callers:
        """Return what decides on the callers of a way."""
        keys, absent = known_keys(state)
        absent = (*absent, *entry.absent, *_NOT_OF_CALLERS)
        return cls(entry, state, {**keys, **entry.keys}, absent, _grants_identities(entry))

    def may_allow(self, identity: Identity) -> bool:
        """Return whether some statement may allow a role or user: false for most, and faster than a decision."""
        if self.grants_identities or any(isinstance(policy, Unread) for policy in identity.policies.values()):
            return True
        action = self.entry.actions[0].lower()
        return any(
            policy.unreadable or policy.speaking_of(action)[1]
            for policy in identity.policies.values()
            if not isinstance(policy, Unread)
        )

    def identity(self, identity: Identity) -> Decision:
        """Return the decision on a role, for any of its sessions, or on a user."""
        return self.decide(_principal(identity), policies_of(identity), *tag_keys(identity))

    def requests_of(self, identity: Identity) -> list[Request]:
        """Return the requests of a role or user."""
        return self.requests(_principal(identity), *tag_keys(identity))

    def decide(
        self,
        principal: Principal,
        policies: PolicySet,
        keys: Mapping[str, str | bool | None] | None = None,
        absent: Iterable[str] = (),
    ) -> Decision:
        """Return the decision on all actions of the way together."""
        made = [
            evaluate(request, with_resource(policies, self.entry.policy))
            for request in self.requests(principal, keys, absent)
        ]
        return together(made)

    def requests(
        self,
        principal: Principal,
        keys: Mapping[str, str | bool | None] | None = None,
        absent: Iterable[str] = (),
    ) -> list[Request]:
        """Return the requests of a call."""
        known: dict[str, str | bool | None] = {**self.keys, **self._organization(principal), **(keys or {})}
        context = Context(known, absent=(*self.absent, *absent))
        return [Request(principal, action, self.entry.resource_arn, context) for action in self.entry.actions]

    def _organization(self, principal: Principal) -> dict[str, str]:
        own = self.state.invokes.own_organization
        is_own = principal.account == self.state.target.account
        return {"aws:PrincipalOrgID": own} if is_own and isinstance(own, str) else {}


def _grants_identities(entry: Entry) -> bool:
    if entry.policy is None or isinstance(entry.policy, Unread):
        return entry.policy is not None
    document = entry.policy.document
    return document.unreadable or any(
        statement.principals is None
        or statement.principals.negated
        or bool(statement.principals.problems)
        or any(kind != "Service" for kind, _ in statement.principals.entries)
        for action in entry.actions
        for statement, _ in document.speaking_of(action.lower())[1]
    )


def _principal(identity: Identity) -> Principal:
    return Principal.role(identity.arn) if identity.is_role else Principal.user(identity.arn)


def tag_keys(identity: Identity) -> tuple[dict[str, str | bool | None], tuple[str, ...]]:
    """Return the keys of a principal's tags, and the family of those that it does not have.

    Session tags replace a role's tags: a role whose trust policy may allow them has unknown tags.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    trust = identity.trust_policy
    if trust is not None and (trust.unreadable or trust.speaking_of(_TAG_SESSION)[1]):
        return {}, ()
    return {f"aws:PrincipalTag/{name}": value for name, value in identity.tags.items()}, ("aws:PrincipalTag/",)


def policies_of(identity: Identity) -> PolicySet:
    """Return the policies of a role or user. What could not be read makes the decisions unknown."""
    documents = identity.policies.values()
    boundary = identity.boundary
    return PolicySet(
        identity=tuple(document for document in documents if not isinstance(document, Unread)),
        unread=tuple(str(document) for document in documents if isinstance(document, Unread)),
        boundary=None if isinstance(boundary, Unread) else boundary,
        boundary_unread=str(boundary) if isinstance(boundary, Unread) else "",
    )


def with_resource(policies: PolicySet, policy: ResourcePolicy | Unread | None) -> PolicySet:
    """Return the policies of a caller together with the policy of what is called."""
    return PolicySet(
        identity=policies.identity,
        unread=policies.unread,
        boundary=policies.boundary,
        boundary_unread=policies.boundary_unread,
        resource=policy.document if isinstance(policy, ResourcePolicy) else None,
        resource_unread=str(policy) if isinstance(policy, Unread) else "",
    )


def together(decisions: Iterable[Decision]) -> Decision:
    """Return the decision on calls that must all be allowed: the first that is denied, else unknown, else the last."""
    made = list(decisions)
    denied = next((one for one in made if one.denied), None)
    unknown = next((one for one in made if one.decision is EvalDecision.CONDITIONAL), None)
    return denied or unknown or made[-1]


def anonymous(entry: Entry, state: FunctionState) -> Decision:
    """Return the decision on anyone: for a URL without authentication, without credentials.

    For the Invoke API and a URL with AWS_IAM it is on anyone with credentials of any AWS account.
    """
    callers = Callers.of(entry, state)
    absent = (*NOT_SENT_BY_SERVICES, *SOURCE_KEYS) if entry.is_without_signature else ()
    return callers.decide(Principal.anonymous(), PolicySet(), absent=absent)
