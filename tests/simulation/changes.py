"""What people change in a story: the roles of functions, and the configuration document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.fakes import SQS_POLICY_ARN
from tests.simulation.account import ADMINISTRATOR_ARN, PARTNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.world import World

ROLE_CHANGES: Final[dict[str, Callable[[World, str], None]]] = {
    "attach the policy for queues": lambda world, role: world.account.attach(role, SQS_POLICY_ARN),
    "detach the policy for queues": lambda world, role: world.account.detach(role, SQS_POLICY_ARN),
    "allow SQS in an inline policy": lambda world, role: world.account.allow_inline(role, "sqs:*"),
    "delete the inline policy": lambda world, role: world.account.disallow_inline(role),
    "let a partner assume": lambda world, role: world.account.trust(role, {"AWS": PARTNER}),
    "let only Lambda assume": lambda world, role: world.account.trust(role, None),
    "attach AdministratorAccess": lambda world, role: world.account.attach(role, ADMINISTRATOR_ARN),
    "detach AdministratorAccess": lambda world, role: world.account.detach(role, ADMINISTRATOR_ARN),
}
"""By its words, a change of the role that is named."""

_EXCEPTION: Final = {
    "id": "known",
    "rules": ["PG101", "PG102", "PG201"],
    "functions": ["orders", "invoices"],
    "reason": "Known, and accepted.",
    "owner": "platform",
    "expires": "<end>",
}
DOCUMENTS: Final[list[tuple[str, Mapping[str, Any]]]] = [
    ("the defaults", {}),
    ("an exception for an hour", {"exceptions": [_EXCEPTION]}),
    ("an exception for an hour", {"exceptions": [_EXCEPTION]}),
    ("the partner is trusted", {"trust": {"accounts": [PARTNER]}}),
    ("PG102 is disabled, PG101 is medium", {"rules": {"PG102": {"enabled": False}, "PG101": {"severity": "medium"}}}),
    ("fixes are proposed", {"fixes": {"mode": "plan"}}),
    ("fixes wait for an approval", {"fixes": {"mode": "approve"}}),
    ("only PG201 is fixed without one", {"fixes": {"mode": "approve"}, "rules": {"PG201": {"fix": "auto"}}}),
    ("PG201 is not fixed, PG204 after an approval", {"rules": {"PG201": {"fix": "off"}, "PG204": {"fix": "approve"}}}),
    ("mappings are enabled again", {"fixes": {"enable_mappings": True}}),
    ("orders is excluded", {"exclusions": [{"functions": ["orders"], "reason": "Not ours."}]}),
]
"""Keys of a document, with their words. `<end>` is when the suppression ends."""
