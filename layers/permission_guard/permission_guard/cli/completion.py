"""What the shell completes: values of options that are not choices of their own. Typer leaves out what does not fit."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from permission_guard.cli.regions import known_regions
from permission_guard.config.rule_names import RULE_NAMES
from permission_guard.model.arns import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG: Final = ("AWS_CONFIG_FILE", "~/.aws/config")
_CREDENTIALS: Final = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
_HEADING: Final = re.compile(r"^\[\s*(?:(?P<kind>[\w-]+)\s+)?(?P<name>[^\]]+?)\s*\]", re.MULTILINE)


def complete_rule(incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of the rules with their names; once something is typed, also the names with their ids."""
    ids = list(RULE_NAMES.items())
    return ids + [(name, id_) for id_, name in ids] if incomplete else ids


def complete_region() -> list[str]:
    """Return the regions that botocore knows."""
    return known_regions()


def complete_partition() -> list[str]:
    """Return the partitions of AWS."""
    return list(PARTITIONS)


def complete_profile() -> list[str]:
    """Return the profiles of the AWS CLI's files. Only the names are kept, and nothing that is beneath them.

    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
    """
    of_config = (name for kind, name in _headings(*_CONFIG) if kind == "profile" or (kind, name) == (None, "default"))
    of_credentials = (name if kind is None else f"{kind} {name}" for kind, name in _headings(*_CREDENTIALS))
    return sorted({*of_config, *of_credentials})


def _headings(variable: str, default: str) -> Iterator[tuple[str | None, str]]:
    """Yield the kind and the name of each section of a file; nothing if it cannot be read."""
    try:
        text = Path(os.environ.get(variable) or default).expanduser().read_text("utf-8", "replace")
    except (OSError, RuntimeError):  # a home folder that is not known
        return
    for match in _HEADING.finditer(text):
        yield match["kind"], match["name"].strip("\"'")
