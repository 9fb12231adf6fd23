"""Licences: what is deployed has a known and allowed one, and so do the tools of developers."""

from __future__ import annotations

from email.message import Message
from importlib.metadata import distributions
from typing import TYPE_CHECKING, cast

import pytest

from tools.licenses import is_allowed, layer_metadata, license_of, project, requirements

if TYPE_CHECKING:
    from importlib.metadata import PackageMetadata

SETTINGS = project()["tool"]["licenses"]
ALLOWED = frozenset(SETTINGS["allowed"])
ALLOWED_IN_DEVELOPMENT = ALLOWED | frozenset(SETTINGS["allowed_in_development"])


def metadata(name: str = "orders", **fields: str | list[str]) -> PackageMetadata:
    """Return the metadata of a distribution."""
    message = Message()
    message["Name"] = name
    for field, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            message[field.replace("_", "-")] = value
    return cast("PackageMetadata", message)


def test_every_distribution_of_the_layers_has_an_allowed_licence() -> None:
    """The layers are distributed, so their licences have to allow that without conditions on the user's own code."""
    found = {name: license_of(one, SETTINGS["declared"]) for name, one in layer_metadata().items()}
    assert {"aws-lambda-powertools", "apprise", "httpx", "slack-sdk"} <= found.keys()
    assert {name: text for name, text in found.items() if not is_allowed(text, ALLOWED)} == {}


def test_every_development_tool_has_an_allowed_licence() -> None:
    """An expression that metadata lacks stands in `pyproject.toml`, from the distribution's licence file."""
    found = {one.metadata["Name"]: license_of(one.metadata, SETTINGS["declared"]) for one in distributions()}
    assert {name: text for name, text in found.items() if not is_allowed(text, ALLOWED_IN_DEVELOPMENT)} == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (metadata(License_Expression="MIT OR Apache-2.0"), "MIT OR Apache-2.0"),
        (metadata(License="mit"), "MIT"),
        (metadata(License="The text of\na licence", Classifier="License :: OSI Approved :: MIT License"), "MIT"),
        (metadata(Classifier="License :: OSI Approved :: ISC License (ISCL)"), "ISC"),
        (metadata(Classifier=[f"License :: OSI Approved :: {name} License" for name in ("MIT", "BSD")]), None),
        (metadata(Classifier="License :: Other/Proprietary License"), None),
        (metadata(), None),
        (metadata("Some_Name", License="Dual"), "ISC"),
    ],
)
def test_a_licence_is_read_from_metadata(given: PackageMetadata, expected: str | None) -> None:
    """The newer field is preferred to the older one, and both to classifiers. Several classifiers are ambiguous."""
    assert license_of(given, {"some-name": "ISC"}) == expected


@pytest.mark.parametrize(
    ("expression", "is_fine"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("MIT OR GPL-3.0-or-later", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("ISC AND (MIT OR GPL-3.0-or-later)", True),
        ("ISC AND MIT OR GPL-3.0-or-later", True),
        ("Apache-2.0 WITH LLVM-exception", False),
        (None, False),
    ],
)
def test_expressions_are_allowed_by_their_licences(expression: str | None, is_fine: bool) -> None:
    """Of alternatives one has to be allowed, of parts all. An exception changes the licence."""
    assert is_allowed(expression, frozenset({"MIT", "ISC", "Apache-2.0"})) is is_fine


def test_requirements_are_read_with_their_hashes_and_markers() -> None:
    """As `uv export` writes them."""
    text = 'Some.Name==1.2 ; python_version < "4" \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\nother==3\n'
    assert requirements(text) == {"some-name": "1.2", "other": "3"}


@pytest.mark.parametrize("line", ["orders>=1", "orders", "orders>=1,==1.2"])
def test_requirements_that_pin_no_version_are_rejected(line: str) -> None:
    """The licence of another version may differ."""
    with pytest.raises(ValueError, match="is not pinned"):
        requirements(line)
