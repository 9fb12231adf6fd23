"""AWS CLI commands. Only this module writes them, so that every value is quoted for the shell."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# In a list the AWS CLI reads a leading dash as an option, a bracket as JSON, and `file://` as the name of a file.
_PLAIN_ITEM = re.compile(r"(?!\w+://)[A-Za-z*].*", re.DOTALL)

LAMBDA_CALL: Final = """
def aws(operation, *options):
    region = arn.split(":")[3]
    command = ["aws", "lambda", operation, "--region", region, "--resource-arn", arn, "--output", "json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"aws lambda {operation} failed; its message is above.")
    return done.stdout
"""
"""A function of a pasted Python program: it calls Lambda about the resource `arn`. It contains no single quote."""


def aws(service: str, operation: str, region: str, **options: str | bool | Sequence[str]) -> str:
    """Return a command. Options have their names in Python: `role_name` is `--role-name`.

    The region is always named, so that the command works whatever the default region is. IAM has one endpoint for each
    partition, which the region selects.

    A value may be any text; True is a flag; an option without a value is omitted. The AWS CLI reads a single value that
    starts with `file://` from a file: no name in AWS does.
    """
    words = [word for name, value in options.items() for word in _option(f"--{name.replace('_', '-')}", value)]
    return " ".join(["aws", service, operation, "--region", shlex.quote(region), *words])


def _option(name: str, value: str | bool | Sequence[str]) -> list[str]:
    if isinstance(value, bool) or not value:
        return [name] if value else []
    if not isinstance(value, str):
        is_plain = all(map(_PLAIN_ITEM.fullmatch, value))
        return [name, *map(shlex.quote, value if is_plain else [json.dumps(list(value))])]
    quoted = shlex.quote(value)
    return [f"{name}={quoted}"] if value.startswith("-") else [name, quoted]
