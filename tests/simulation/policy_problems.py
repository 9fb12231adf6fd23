"""What fixes of resource-based policies solve: statements that allow too much, too little, or take too much room."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.fixes.invoke_policies import digest_of
from tests.fakes import ACCOUNT, REGION
from tests.simulation.account import function_arn
from tests.simulation.callers import (
    ANYONE_BY_URL,
    BUCKET,
    DELETED_BUCKET,
    ENDED_SERVICE,
    INVOKE,
    OTHER_ACCOUNT,
    RULE,
    STRANGE_BUCKET,
    STRANGE_RULE,
    STRANGE_TOPIC,
    STRANGER,
    TOPIC,
    WRITER,
)

if TYPE_CHECKING:
    from tests.simulation.account import Account
    from tests.simulation.callers import Caller, Source

_REPOSITORIES: Final = f"arn:aws:codecommit:{REGION}:{ACCOUNT}"


def _permission(sid: str, principal: str, action: str = INVOKE, **more: Any) -> dict[str, Any]:
    """Return the parameters of AddPermission."""
    return {"StatementId": sid, "Principal": principal, "Action": action, **more}


_S3: Final = BUCKET.principal
_SCOPED: Final = _permission("scoped", _S3, SourceArn=BUCKET.arn, SourceAccount=ACCOUNT)
_OTHER: Final = _permission("other", "config.amazonaws.com", SourceAccount=ACCOUNT)
_MANY: Final = tuple(
    _permission(f"repository-{n}", "codecommit.amazonaws.com", SourceArn=f"{_REPOSITORIES}:orders-{n:080}")
    for n in range(50)
)


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """A policy with a problem: `before` are its permissions as AddPermission takes them.

    `written` are statements that only PutResourcePolicy can write. `gone` are the Sids that the fix removes, and
    `added` how many statements it adds. `sources` invoke the function, and `is_allowed` is whether they are allowed to
    before the fix. `strangers` are no longer allowed after it. `replaces` is whether the stack may replace policies,
    and `is_undone` whether the bot can undo the fix: AddPermission may write only statements for some services.
    """

    words: str
    rule_id: str
    before: tuple[dict[str, Any], ...]
    gone: frozenset[str]
    added: int
    written: tuple[dict[str, Any], ...] = ()
    sources: tuple[Source, ...] = (BUCKET,)
    strangers: tuple[Caller, ...] = ()
    replaces: bool = False
    is_allowed: bool = True
    is_undone: bool = True
    stops: bool = field(default=False, init=False)

    def need(self, account: Account, name: str) -> None:
        """Let the sources invoke the function, and the policy have the problem."""
        for source in self.sources:
            account.invoke_from(source, name)
        for permission in self.before:
            account.permit_as(name, permission)
        if self.written:
            statements = [{**one, "Resource": function_arn(name)} for one in self.written]
            account.put_policy(name, [*account.functions[name].statements.values(), *statements])

    def kept(self, statements: list[dict[str, Any]]) -> frozenset[str]:
        """Return the digests of the statements that the fix leaves."""
        return frozenset(digest_of(one) for one in statements if one["Sid"] not in self.gone)

    def in_one_call(self) -> PolicyProblem:
        """Return the same problem, which one PutResourcePolicy solves."""
        return replace(self, words=f"{self.words}, in one call", replaces=True, is_undone=True)


_ANY_BUCKET: Final = PolicyProblem(
    "allow any account's bucket",
    "PG102",
    (_OTHER, _permission("any", _S3)),
    frozenset({"any"}),
    1,
    strangers=(STRANGE_BUCKET,),
)
_ANY_RULE: Final = PolicyProblem(
    "allow any account's rule",
    "PG102",
    (_SCOPED, _permission("any", RULE.principal)),
    frozenset({"any"}),
    1,
    sources=(BUCKET, RULE),
    strangers=(STRANGE_RULE,),
)
_BUCKET_ALONE: Final = PolicyProblem(
    "allow a bucket without its account",
    "PG103",
    (_OTHER, _permission("bucket", _S3, SourceArn=BUCKET.arn)),
    frozenset({"bucket"}),
    1,
    strangers=(STRANGE_BUCKET,),
)
_PREFIX: Final = PolicyProblem(
    "allow every bucket with a prefix",
    "PG104",
    (_OTHER, _permission("prefix", _S3, SourceArn="arn:aws:s3:::up*")),
    frozenset({"prefix"}),
    1,
    strangers=(STRANGE_BUCKET,),
)
_ANY_TOPIC: Final = PolicyProblem(
    "allow every topic",
    "PG104",
    (_SCOPED,),
    frozenset({"topics"}),
    1,
    (
        {
            "Sid": "topics",
            "Effect": "Allow",
            "Principal": {"Service": TOPIC.principal},
            "Action": INVOKE,
            "Condition": {"StringLike": {"aws:SourceArn": "*"}},
        },
    ),
    sources=(BUCKET, TOPIC),
    strangers=(STRANGE_TOPIC,),
)
_NO_PERMISSION: Final = PolicyProblem("do not allow the bucket", "PG112", (_OTHER,), frozenset(), 1, is_allowed=False)
_ANYONE: Final = PolicyProblem(
    "allow anyone",
    "PG101",
    (_SCOPED, _permission("anyone", "*")),
    frozenset({"anyone"}),
    0,
    strangers=(STRANGER,),
    is_undone=False,
)
_URL: Final = PolicyProblem(
    "still allow anyone through the URL that was deleted",
    "PG107",
    (
        _SCOPED,
        _permission("url", "*", "lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"),
        _permission("url-invoke", "*", InvokedViaFunctionUrl=True),
    ),
    frozenset({"url", "url-invoke"}),
    0,
    strangers=(ANYONE_BY_URL,),
    is_undone=False,
)
_MANAGEMENT: Final = PolicyProblem(
    "allow another account to change the code",
    "PG109",
    (_SCOPED, _permission("writer", OTHER_ACCOUNT, "lambda:*")),
    frozenset({"writer"}),
    0,
    strangers=(WRITER,),
    is_undone=False,
)
_DELETED: Final = PolicyProblem(
    "allow a bucket that was deleted",
    "PG110",
    (_SCOPED, _permission("deleted", _S3, SourceArn="arn:aws:s3:::deleted", SourceAccount=ACCOUNT)),
    frozenset({"deleted"}),
    0,
    strangers=(DELETED_BUCKET,),
)
_ENDED: Final = PolicyProblem(
    "allow an ended service",
    "PG111",
    (_permission("ended", "pinpoint.us-east-1.amazonaws.com", SourceAccount=ACCOUNT), _SCOPED),
    frozenset({"ended"}),
    0,
    strangers=(ENDED_SERVICE,),
    is_undone=False,
)
_NO_ROOM: Final = PolicyProblem(
    "leave no room in the policy",
    "PG113",
    (_SCOPED, *_MANY),
    frozenset(one["StatementId"] for one in _MANY),
    1,
    replaces=True,
)

NARROWED: Final = (_ANY_RULE, _ANY_TOPIC.in_one_call())
"""Problems whose fixes are watched: AWS counts the failed deliveries of rules and of topics."""
BROAD: Final = _ANY_BUCKET

POLICY_PROBLEMS: Final = (
    *(_ANY_BUCKET, _ANY_BUCKET.in_one_call(), _ANY_RULE),
    *(_BUCKET_ALONE, _BUCKET_ALONE.in_one_call()),
    *(_PREFIX, _ANY_TOPIC.in_one_call()),
    _NO_PERMISSION,
    *(_ANYONE, _ANYONE.in_one_call()),
    *(_URL, _URL.in_one_call()),
    *(_MANAGEMENT, _MANAGEMENT.in_one_call()),
    *(_DELETED, _DELETED.in_one_call()),
    *(_ENDED, _ENDED.in_one_call()),
    _NO_ROOM,
)
"""At least one for each rule whose fix changes a policy, in each of the ways in which the fix writes it.

Adding needs no replacing, and compacting needs it.
"""
