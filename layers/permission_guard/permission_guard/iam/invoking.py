"""The actions that invoke functions, and the condition keys of calls through a function URL."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from permission_guard.iam.statements import Statement

INVOKE_ACTIONS: Final = ("lambda:invokefunction", "lambda:invokefunctionurl", "lambda:invokeasync")
FUNCTION_URL_KEYS: Final = frozenset({"lambda:functionurlauthtype", "lambda:invokedviafunctionurl"})
"""The condition keys that are present only in calls through a function URL."""

_BY_URL: Final = "lambda:invokefunctionurl"
_VIA_URL: Final = "lambda:invokedviafunctionurl"


def is_invoke(text: str) -> bool:
    """Return whether an action, or a pattern of actions, only invokes."""
    return text.lower().startswith("lambda:invoke")


def is_for_url(statement: Statement, enforced: frozenset[str]) -> bool:
    """Return whether a statement allows only calls through a function URL, because of its action or a condition key.

    `enforced` are the condition keys that the statement requires to be present.
    """
    if [action for action in INVOKE_ACTIONS if statement.match_action(action)] == [_BY_URL]:
        return True
    otherwise = any(
        item.key == _VIA_URL and item.operator and {text.lower() for text in item.texts} != {"true"}
        for item in statement.conditions
    )
    return not otherwise and not FUNCTION_URL_KEYS.isdisjoint(enforced)
