"""The command that writes a resource-based policy with fewer statements that allow exactly the same."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from permission_guard.remedies.aws_cli import LAMBDA_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST_BYTES: Final = 20_480
"""The size of a resource-based policy that Lambda accepts, without spaces.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

_ONE_SUFFICES: Final = ("ArnEquals", "ArnLike", "StringEquals", "StringLike")
"""The operators with which one matching value of a key suffices."""

# It contains no single quote. With -I, Python imports nothing from the current folder. Statements are merged if they
# differ in their Sid and in the values of one condition only, of which one suffices: the merged statement applies to a
# call if one of the statements did.
_PROGRAM: Final = (
    """
import json, os, subprocess, sys, tempfile
arn, one_suffices, limit = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
"""
    + LAMBDA_CALL
    + """
def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

def listed(value):
    return value if isinstance(value, list) else [value]

def condition(statement, operator):
    block = statement.get("Condition")
    keys = block.get(operator) if isinstance(block, dict) else None
    return keys if isinstance(keys, dict) else {}

def without(statement, operator, key):
    rest = json.loads(json.dumps(statement, sort_keys=True))
    rest.pop("Sid", None)
    if operator:
        del rest["Condition"][operator][key]
    return text(rest)

def merged(statements, operator, key):
    groups = {}
    for number, statement in enumerate(statements):
        fits = not operator or key in condition(statement, operator)
        groups.setdefault(without(statement, operator, key) if fits else number, []).append(statement)
    for first, *others in groups.values():
        if others and operator:
            values = [value for one in (first, *others) for value in listed(condition(one, operator)[key])]
            condition(first, operator)[key] = list(dict.fromkeys(values))
        yield first

read = json.loads(aws("get-resource-policy"))
policy = json.loads(read["Policy"])
before, statements = len(text(policy).encode()), listed(policy["Statement"])
keys = {(operator, key) for one in statements for operator in one_suffices for key in condition(one, operator)}
for operator, key in [("", ""), *sorted(keys)]:
    statements = list(merged(statements, operator, key))
policy["Statement"] = statements
after = len(text(policy).encode())
if after >= before:
    sys.exit(f"No statements of the policy of {arn} can be merged, so nothing was changed.")
aws("put-resource-policy", "--policy", text(policy), "--revision-id", read["RevisionId"])
print(f"The policy of {arn} had {before} of {limit} bytes, and has {after} now.")
"""
)


def is_compactible(statements: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether statements differ in their Sid and in the values of one condition only: they can be merged."""
    seen: set[tuple[str, str, str, int]] = set()
    for statement in statements:
        rests = set(_rests(statement))
        if seen & rests:
            return True
        seen |= rests
    return False


def _rests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, str, int]]:
    """Yield a statement without its Sid, and without each condition with values of which one suffices.

    The conditions are represented by the sum of their hashes: a statement can have hundreds.
    """
    rest = _text({name: value for name, value in statement.items() if name not in {"Sid", "Condition"}})
    block = statement.get("Condition")
    block = block if isinstance(block, dict) else {"": block}
    conditions = {
        (operator, key): hash((operator, key, _text(values)))
        for operator, keys in block.items()
        for key, values in (keys.items() if isinstance(keys, dict) else [("", keys)])
    }
    total = sum(conditions.values())
    yield "", "", rest, total
    for (operator, key), one in conditions.items():
        if operator in _ONE_SUFFICES and isinstance(block[operator], dict):
            yield operator, key, rest, total - one


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def compact_policy(resource_arn: str) -> str:
    """Return the command that merges the statements of a policy that differ in one condition only.

    The command reads the current policy and writes it with the revision that it read, so it never overwrites a change
    made in between. It contains no statement.
    """
    arguments = (resource_arn, json.dumps(_ONE_SUFFICES), str(MOST_BYTES))
    return " ".join(["python3", "-I", "-c", *map(shlex.quote, (_PROGRAM, *arguments))])
