"""A request: its caller, action, resource and condition keys."""

from __future__ import annotations

from permission_guard.iam.arn import account_of, is_account_id
from permission_guard.iam.context import ABSENT, UNKNOWN, Context
from permission_guard.iam.principals import IDENTITIES, Principal, PrincipalKind
from permission_guard.iam.resources import ANY_RESOURCE, WITHOUT_RESOURCE
from permission_guard.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from permission_guard.iam.context import Found

    Lookup = Callable[[str], Found]


@record
class Request:
    """A request to evaluate. `resource` is an ARN, or `*` for actions without resource-level permissions."""

    principal: Principal
    action: str
    resource: str
    context: Context = field(default_factory=Context)


_CREDENTIALS: Final = frozenset({*IDENTITIES, PrincipalKind.ACCOUNT})

WITHOUT_PERMISSION: Final = {
    "sts:getcalleridentity": _CREDENTIALS,
    "sts:getsessiontoken": frozenset({PrincipalKind.USER, PrincipalKind.ACCOUNT}),
}
"""The actions that require no permission and that no policy can deny, and the callers to which this applies.

https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
"""

_EVERY_BUCKET: Final = "arn:aws:s3:::*"
"""The resource of s3:ListAllMyBuckets in AWS's own examples. A request for it is not changed to `*`."""


def resource_of(request: Request, action: str) -> str:
    """Return the resource against which AWS evaluates an action, which must be in lower case."""
    if action in WITHOUT_RESOURCE and request.resource != _EVERY_BUCKET:
        return ANY_RESOURCE
    return request.resource


def lookup_of(request: Request) -> Lookup:
    """Return the function that returns the value of a condition key.

    As AWS does, it derives keys from the caller and the resource if the context does not name them.
    """
    context = request.context
    if context.default is not UNKNOWN:
        return context.lookup

    def lookup(key: str) -> Found:
        found = context.stated(key)
        return _derived(key, request) if found is None else found

    return lookup


_TYPES: Final = {
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.SESSION: "AssumedRole",
    PrincipalKind.USER: "User",
    PrincipalKind.ACCOUNT: "Account",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ANONYMOUS: "Anonymous",
}
_NAMED_BY_ARN: Final = frozenset({PrincipalKind.USER, PrincipalKind.FEDERATED_USER})
_NOT_OF_SERVICES: Final = frozenset(
    {"aws:principalarn", "aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:principaltype"}
)


_TAGS: Final = "aws:principaltag/"
_DERIVED: Final = _NOT_OF_SERVICES | {
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:username",
    "aws:resourceaccount",
}


def _derived(key: str, request: Request) -> Found:  # noqa: PLR0911 - one return a case reads best
    if key not in _DERIVED and not key.startswith(_TAGS):
        return UNKNOWN
    principal = request.principal
    service = principal.kind is PrincipalKind.SERVICE
    if key == "aws:principalisawsservice":
        return "true" if service else "false"
    if key == "aws:principalservicename":
        return principal.arn if service else ABSENT
    if service and (key in _NOT_OF_SERVICES or key.startswith(_TAGS)):
        return ABSENT
    if key == "aws:principalarn":
        return principal.role_arn or (principal.arn if principal.kind in _NAMED_BY_ARN else UNKNOWN)
    if key == "aws:principalaccount":
        return principal.account or UNKNOWN
    if key == "aws:principaltype":
        return _TYPES.get(principal.kind, UNKNOWN)
    if key == "aws:username":
        if principal.kind is PrincipalKind.USER:
            return principal.arn.rpartition("/")[2]
        return ABSENT if principal.is_identity else UNKNOWN
    if key == "aws:resourceaccount":
        account = account_of(request.resource) or ""
        return account if is_account_id(account) else UNKNOWN
    return UNKNOWN
