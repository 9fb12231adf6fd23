"""What the package requires, what it is built with, and what the layers do not get of that."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from permission_guard import __version__
from tools.licenses import deployed, project

ALSO_IN_A_LAYER = {"pyyaml"}
"""What the libraries that send alerts need, too."""


def names(requirements: list[str]) -> set[str]:
    """Return the normalized names of requirements."""
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def test_no_layer_has_what_only_the_command_line_needs() -> None:
    """The layers have their own lists, the dependency groups `layer` and `senders`. Lambda has boto3."""
    required = names(project()["project"]["dependencies"])
    assert {"aws-sam-translator", "boto3", "pyyaml", "rich", "typer"} == required
    assert required & deployed().keys() == ALSO_IN_A_LAYER
    groups = project()["dependency-groups"]
    assert names([*groups["layer"], *groups["senders"]]) <= deployed().keys()


def test_the_locked_build_backend_is_the_one_that_the_package_names() -> None:
    """`make dist` takes its hashes from the lock file."""
    assert project()["dependency-groups"]["build"] == project()["build-system"]["requires"]


def test_the_package_has_one_version() -> None:
    """The command line and the metadata say the same."""
    assert project()["project"]["version"] == __version__
