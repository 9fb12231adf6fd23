"""The actions that invoke functions, and what tells calls through a function URL from others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from permission_guard.iam.statements import Statement

INVOKE_ACTIONS: Final = ("lambda:invokefunction", "lambda:invokefunctionurl", "lambda:invokeasync")
FUNCTION_URL_KEYS: Final = frozenset({"lambda:functionurlauthtype", "lambda:invokedviafunctionurl"})
"""The condition keys that only a call through a function URL has."""

_BY_URL: Final = "lambda:invokefunctionurl"
_VIA_URL: Final = "lambda:invokedviafunctionurl"


def is_invoke(text: str) -> bool:
    """Tell whether an action, or a pattern of actions, does no more than invoke."""
    return text.lower().startswith("lambda:invoke")


def is_for_url(statement: Statement, enforced: frozenset[str]) -> bool:
    """Tell whether a statement is for calls through a function URL only: by its action, or by a key that they have.

    `enforced` are the condition keys that have to be there. A condition that such a call need not meet does not count.
    """
    if [action for action in INVOKE_ACTIONS if statement.match_action(action)] == [_BY_URL]:
        return True
    otherwise = any(
        item.key == _VIA_URL and item.operator and {text.lower() for text in item.texts} != {"true"}
        for item in statement.conditions
    )
    return not otherwise and not FUNCTION_URL_KEYS.isdisjoint(enforced)
