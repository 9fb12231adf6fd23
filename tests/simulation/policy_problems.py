"""What fixes of resource-based policies solve: statements that allow too much, too little, or take too much room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.fixes.invoke_policies import digest_of
from tests.fakes import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.simulation.account import Account

BUCKET: Final = "uploads"
_S3: Final = "s3.amazonaws.com"
_REPOSITORIES: Final = f"arn:aws:codecommit:{REGION}:{ACCOUNT}"
_INVOKE: Final = "lambda:InvokeFunction"


def _permission(sid: str, principal: str, **more: str) -> dict[str, str]:
    """Return the parameters of AddPermission."""
    return {"StatementId": sid, "Principal": principal, "Action": _INVOKE, **more}


_SCOPED: Final = _permission("", _S3, SourceArn=f"arn:aws:s3:::{BUCKET}", SourceAccount=ACCOUNT)
_OTHER: Final = _permission("other", "config.amazonaws.com", SourceAccount=ACCOUNT)
_MANY: Final = tuple(
    _permission(f"repository-{n}", "codecommit.amazonaws.com", SourceArn=f"{_REPOSITORIES}:orders-{n:080}")
    for n in range(50)
)


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A policy with a problem: `before` are its permissions as AddPermission takes them.

    `gone` are the Sids that the fix removes, and `added` how many statements it adds. `replaces` is whether the stack
    may replace policies. A bucket notifies the function; `is_allowed` is whether it is allowed to before the fix.
    """

    words: str
    rule_id: str
    before: tuple[dict[str, str], ...]
    gone: frozenset[str]
    added: int
    replaces: bool = False
    is_allowed: bool = True
    stops: bool = False

    def need(self, account: Account, name: str) -> None:
        """Let the bucket notify the function, and the policy have the problem."""
        account.buckets[BUCKET] = name
        for permission in self.before:
            account.permit_as(name, permission)

    def kept(self, statements: list[dict[str, Any]]) -> frozenset[str]:
        """Return the digests of the statements that the fix leaves."""
        return frozenset(digest_of(one) for one in statements if one["Sid"] not in self.gone)


POLICY_PROBLEMS: Final = (
    PolicyProblem("allow any account's bucket", "PG102", (_OTHER, _permission("any", _S3)), frozenset({"any"}), 1),
    PolicyProblem(
        "allow any account's bucket, in one call",
        "PG102",
        (_OTHER, _permission("any", _S3)),
        frozenset({"any"}),
        1,
        replaces=True,
    ),
    PolicyProblem("do not allow the bucket", "PG112", (_OTHER,), frozenset(), 1, is_allowed=False),
    PolicyProblem(
        "allow an ended service",
        "PG111",
        (
            _permission("ended", "pinpoint.us-east-1.amazonaws.com", SourceAccount=ACCOUNT),
            {**_SCOPED, "StatementId": "s"},
        ),
        frozenset({"ended"}),
        0,
        replaces=True,
    ),
    PolicyProblem(
        "leave no room in the policy",
        "PG113",
        ({**_SCOPED, "StatementId": "scoped"}, *_MANY),
        frozenset(one["StatementId"] for one in _MANY),
        1,
        replaces=True,
    ),
)
"""At least one for each fix of policies."""
