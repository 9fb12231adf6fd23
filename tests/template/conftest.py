"""The templates, read once per session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def deployed() -> Callable[..., Template]:
    """Return a function that reads template.yaml as deployed with given parameters."""
    return lambda **parameters: Template(REPOSITORY / "template.yaml", **parameters)


@pytest.fixture(scope="session")
def template(deployed: Callable[..., Template]) -> Template:
    """Return template.yaml as deployed with every option enabled."""
    return deployed(**EVERYTHING)


@pytest.fixture(scope="session")
def iam_events_stack() -> Template:
    """Return stacks/iam_events.yaml as deployed for a home region."""
    return Template(REPOSITORY / "stacks" / "iam_events.yaml", HomeRegion="eu-west-1", AlertEmail="ops@example.com")
