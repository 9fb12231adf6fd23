"""The command that replaces one statement of a resource-based policy that RemovePermission cannot remove."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.remedies.aws_cli import LAMBDA_CALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.targets import JSON

# It contains no single quote. With -I, Python imports nothing from the current folder. The statement is identified by
# its content: its Sid may be missing, or not unique. Copies of a statement grant the same, so all are replaced.
_PROGRAM: Final = (
    """
import json, subprocess, sys
arn, old, new = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
"""
    + LAMBDA_CALL
    + """
def text(statement):
    return json.dumps(statement, sort_keys=True)

read = json.loads(aws("get-resource-policy"))
policy, revision = json.loads(read["Policy"]), ["--revision-id", read["RevisionId"]]
present = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
left = [statement for statement in present if text(statement) != text(old)]
if len(left) == len(present):
    sys.exit(f"The policy of {arn} no longer has this statement, so nothing was changed.")
policy["Statement"] = left + new
if policy["Statement"]:
    aws("put-resource-policy", "--policy", json.dumps(policy, separators=(",", ":")), *revision)
else:
    aws("delete-resource-policy", *revision)
print(f"The policy of {arn} was changed.")
"""
)


def replace_statement(resource_arn: str, old: Mapping[str, JSON], new: Sequence[Mapping[str, JSON]]) -> str:
    """Return the command that replaces a statement by others; without others, it removes the statement.

    The command reads the current policy and writes it with the revision that it read, so it never overwrites a change
    made in between. It changes nothing and fails if the policy no longer has the statement. It contains no other
    statement, so its length depends only on the statements given.
    """
    arguments = (resource_arn, json.dumps(old), json.dumps(list(new)))
    return " ".join(["python3", "-I", "-c", *map(shlex.quote, (_PROGRAM, *arguments))])
