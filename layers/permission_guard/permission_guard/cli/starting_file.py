"""The starting file of `permission-guard config init`, from the keys that the reader knows."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from permission_guard.config.canonical import canonical
from permission_guard.config.document import GuardConfig
from permission_guard.config.forms import ObjectOf
from permission_guard.config.keys import GUARD

if TYPE_CHECKING:
    from datetime import datetime

    from permission_guard.config.forms import Key

_WIDTH = 100

_HEAD = """\
# yaml-language-server: $schema=docs/schemas/guard.v1.json
#
# The configuration of Permission Guard. Every key below has its default and can be removed.
# permission-guard config validate checks this file; docs/configuration.md describes it.
"""

_INSTEAD = "# For example, in place of the line above:"

_EXAMPLES = {
    "rules": """\
public-function-url:
  severity: critical
PG209:
  enabled: false
PG201:
  fix: plan
""",
    "exceptions": """\
- id: public-shop
  rules: [public-function-url]
  functions: [shop-*]
  reason: The shop is public, and its code authenticates the callers.
  owner: team-shop
  expires: {expires}
""",
    "exclusions": """\
- functions: [sandbox-*]
  tags: {stage: experiment}
  reason: They are deleted every night.
""",
    "channels": """\
payments:
  type: slack
  secret: arn:aws:secretsmanager:us-east-1:123456789012:secret:slack-AbCdEf
  channel: C0123ABCD
""",
    "owners": """\
team-payments: S0123ABCD
""",
    "routes": """\
- id: payments
  severities: [high, critical]
  tags: {team: payments}
  channels: [payments]
""",
}


def starting_file(now: datetime) -> str:
    """Return a document with every key, its description and default, and commented examples that are valid now."""
    expires = f"{now.replace(year=now.year + 1, day=1):%Y-%m-%d}"
    defaults = canonical(GuardConfig())
    parts = [_HEAD]
    for key in GUARD.keys:
        lines = _lines(key, defaults[key.name])
        if key.name in _EXAMPLES:
            example = _EXAMPLES[key.name].replace("{expires}", expires).splitlines()
            lines += [
                _INSTEAD,
                f"# {key.name}:",
                *(f"#   {line}" for line in example),
            ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _lines(key: Key, default: Any, indent: str = "") -> list[str]:
    """Return the lines of a key: its description, and its default or the keys in it."""
    lines = _comment(key.description, indent)
    if not isinstance(key.form, ObjectOf):
        return [*lines, f"{indent}{key.name}: {_written(default)}"]
    inner = (line for one in key.form.keys for line in _lines(one, default[one.name], f"{indent}  "))
    return [*lines, f"{indent}{key.name}:", *inner]


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in textwrap.wrap(text, _WIDTH - len(indent) - 2, break_on_hyphens=False)]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
