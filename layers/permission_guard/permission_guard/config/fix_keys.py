"""The keys of `fixes` in `guard.yaml`."""

from __future__ import annotations

from typing import Final

from permission_guard.config.document import Fixes, Policies
from permission_guard.config.forms import Choice, Flag, Key, ObjectOf
from permission_guard.config.settings import FixMode

FIXES: Final = ObjectOf(
    record=Fixes,
    keys=(
        Key(
            name="mode",
            form=Choice(FixMode),
            description="The mode of fixes for rules without the key fix, but never more than the stack's "
            "parameter FixMode. The default auto follows FixMode.",
        ),
        Key(
            name="policies",
            form=Choice(Policies),
            description="Which policies fixes attach: aws, only AWS managed policies; own, only the stack's own for "
            "each service that these can be for, and AWS's for other services; any, AWS's, and the stack's own where "
            "AWS's do not suffice.",
        ),
        Key(
            name="simulate",
            form=Flag(),
            description="Whether IAM's policy simulator evaluates the role after each fix. The fix then says whether "
            "the role is allowed what was missing.",
        ),
        Key(
            name="enable_mappings",
            form=Flag(),
            description="Whether a fix of PG201 also enables an event source mapping that AWS disabled because of the "
            "missing permission. A mapping that a person disabled stays disabled.",
        ),
    ),
)
