"""Read a configuration document, and collect every mistake.

A Lambda function reads JSON, as it was pushed. The command line composes YAML into the same nodes, with their places.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from permission_guard.config.document import GuardConfig
from permission_guard.config.forms import Reading
from permission_guard.config.json_nodes import compose_json
from permission_guard.config.keys import GUARD
from permission_guard.config.nodes import Scalar, TooManyProblemsError
from permission_guard.config.references import require_references
from permission_guard.errors import ConfigurationDocumentError

if TYPE_CHECKING:
    from datetime import datetime

    from permission_guard.config.nodes import Node
    from permission_guard.errors import Problem


def read_config(text: str, *, now: datetime) -> GuardConfig:
    """Read a document in JSON. An empty one is the default configuration. Expired exceptions are accepted.

    ConfigurationDocumentError has every mistake.
    """
    return config_of(compose_json(text), now=now, rejects_expired=False)


def validate_config(text: str, *, now: datetime) -> GuardConfig:
    """Read a document in JSON that is about to be deployed: an exception that has expired is a mistake, too."""
    return config_of(compose_json(text), now=now, rejects_expired=True)


def config_of(node: Node | None, *, now: datetime, rejects_expired: bool) -> GuardConfig:
    """Return the configuration of a composed document, None if it is empty. The same error as `read_config`."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return GuardConfig()
    reading = Reading(now, rejects_expired=rejects_expired)
    config: GuardConfig | None = None
    try:
        config = GUARD.read(node, "", reading)
        require_references(node, reading)
    except TooManyProblemsError:
        pass
    if config is None or reading.found:
        raise ConfigurationDocumentError(sorted(reading.found, key=_place))
    return config


def _place(problem: Problem) -> tuple[int, int]:
    """Return where a problem is. What has no place comes last, in the order in which it was found."""
    return problem.line or sys.maxsize, problem.column or 0
