"""The command that replaces one statement of a resource-based policy that RemovePermission cannot remove."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.remedies.aws_cli import LAMBDA_CALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.model.targets import JSON

# It contains no single quote. With -I, Python imports nothing from the current folder. A statement is identified by its
# content: its Sid may be missing, or not unique. Copies of a statement grant the same, so all are replaced.
_PROGRAM: Final = (
    """
import json, os, subprocess, sys, tempfile
arn, old, new = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
"""
    + LAMBDA_CALL
    + """
def text(statement):
    return json.dumps(statement, sort_keys=True)

replaced = [text(one) for one in old if isinstance(one, dict)]
read = json.loads(aws("get-resource-policy", may_be_missing=not replaced) or "{}")
policy = json.loads(read["Policy"]) if read else {"Version": "2012-10-17", "Statement": []}
revision = ["--revision-id", read["RevisionId"]] if read else []
present = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
left = [one for one in present if text(one) not in replaced and one.get("Sid") not in old]
if replaced and len(left) == len(present):
    sys.exit(f"The policy of {arn} no longer has this statement, so nothing was changed.")
policy["Statement"] = left + new
if policy["Statement"]:
    aws("put-resource-policy", "--policy", json.dumps(policy, separators=(",", ":")), *revision)
else:
    aws("delete-resource-policy", *revision)
print(f"The policy of {arn} was changed.")
"""
)


def replace_statements(
    resource_arn: str, old: Sequence[Mapping[str, JSON] | str], new: Sequence[Mapping[str, JSON]]
) -> str:
    """Return the command that replaces statements by others; without others, it removes the statements.

    The old statements are given as they are, or by a Sid that the policy may have.

    The command reads the current policy and writes it with the revision that it read, so it never overwrites a change
    made in between. It changes nothing and fails if the policy has none of the old statements. It contains no other
    statement, so its length depends only on the statements given.
    """
    arguments = (resource_arn, json.dumps(list(old)), json.dumps(list(new)))
    return " ".join(["python3", "-I", "-c", *map(shlex.quote, (_PROGRAM, *arguments))])
