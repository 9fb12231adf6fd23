"""What a state file says of one function, for `permission-guard explain --state`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.errors import InputError
from permission_guard.explain.state import FunctionState
from permission_guard.model.arns import parse_function_name
from permission_guard.model.identities import AccountIdentities
from permission_guard.model.state import Unread
from permission_guard.model.targets import Direction
from permission_guard.offline.state_file import read_state

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.explain.named_function import NamedFunction
    from permission_guard.model.targets import FunctionTarget
    from permission_guard.offline.state_file import SavedFunction, SavedState

_NAMED: Final = 5
_NOT_SAVED: Final = Unread(
    "iam:GetAccountAuthorizationDetails", "NotSaved", "the file has no roles and users of the account", denied=False
)


def saved_state(path: Path, named: NamedFunction) -> FunctionState:
    """Return what a file says of a function. What it does not have is unread.

    InputError if it is no state file, does not have the function, or has several functions with this name.
    """
    state = read_state(path)
    found = _find(state, named, path)
    invokes = found.snapshots.get(Direction.INVOKE_POLICY)
    if invokes is None:
        raise InputError(
            f"{path}: who may invoke {found.target.arn} was not read: scan with the rules on it, such as PG101"
        )
    account = found.target.account
    unknown = AccountIdentities(account, unread=_NOT_SAVED)
    return FunctionState(
        target=found.target,
        invokes=invokes,
        runs=found.snapshots.get(Direction.EXECUTION_ROLE),
        identities=next((one for one in state.identities if one.account == account), unknown),
        qualifier=named.qualifier,
        tags=found.tags,
    )


def _find(state: SavedState, named: NamedFunction, path: Path) -> SavedFunction:
    matching = [one for one in state.functions if _is_named(one.target, named)]
    if not matching:
        raise InputError(f"{path}: the file has no function {named.text:.300}, of {len(state.functions)} functions")
    if len(matching) > 1:
        arns = ", ".join(one.target.arn for one in matching[:_NAMED])
        raise InputError(f"{path}: {len(matching)} functions have this name. Name one by its ARN: {arns}")
    return matching[0]


def _is_named(target: FunctionTarget, named: NamedFunction) -> bool:
    region, account = named.region or target.region, named.account or target.account
    return parse_function_name(named.text, region=region, account=account)[0] == target and region == target.region
