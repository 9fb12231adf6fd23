"""The licences of what is deployed, as SPDX expressions, from the metadata of the installed distributions.

The requirements of the layers say what is deployed; the environment that `make setup` makes has the same versions.
The allowed licences are in `pyproject.toml`, `[tool.licenses]`.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from license_expression import Licensing
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import PackageMetadata

ROOT: Final = Path(__file__).resolve().parents[1]
REQUIREMENTS: Final = tuple(ROOT / "layers" / layer / "requirements.txt" for layer in ("permission_guard", "senders"))
"""What each Lambda layer contains."""

# Classifiers without a version of the licence stand for its family: https://pypi.org/classifiers/
_CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_FIELDS: Final = ("Name", "License-Expression", "License", "Classifier")


def requirements(text: str) -> dict[str, str]:
    """Return the version of each distribution that a requirements file pins, by normalized name.

    ValueError for a line that pins no version.
    """
    pinned: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        requirement = Requirement(line.partition("--hash=")[0])
        specifiers = list(requirement.specifier)
        if len(specifiers) != 1 or specifiers[0].operator != "==":
            raise ValueError(f"{requirement} is not pinned to one version")
        pinned[canonicalize_name(requirement.name)] = specifiers[0].version
    return pinned


def deployed() -> dict[str, str]:
    """Return the version of each distribution in a layer, by normalized name in alphabetical order."""
    pinned = [item for file in REQUIREMENTS for item in requirements(file.read_text()).items()]
    return dict(sorted(pinned))


def layer_metadata() -> dict[str, PackageMetadata]:
    """Return the metadata of each distribution in a layer. LookupError if another version is installed."""
    found = {}
    for name, version in deployed().items():
        try:
            installed = distribution(name)
        except PackageNotFoundError as error:
            raise LookupError(f"{name} {version} is not installed: run make setup") from error
        if installed.version != version:
            raise LookupError(f"{name} is installed as {installed.version}, not {version}: run make setup")
        found[name] = installed.metadata
    return found


def project() -> dict[str, Any]:
    """Return `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def license_of(metadata: PackageMetadata, declared: Mapping[str, str]) -> str | None:
    """Return a distribution's licence as an SPDX expression, None if it is unknown.

    `declared` has the expressions of distributions whose metadata has none, by name. The metadata has an expression
    (PEP 639), the text of one in the older field `License`, or classifiers; several classifiers are alternatives or
    parts, and only a person can tell which.
    """
    values = {name: [str(value) for value in metadata.get_all(name, [])] for name in _FIELDS}
    if expression := declared.get(canonicalize_name(values["Name"][0])):
        return canonicalize_license_expression(expression)
    for text in (*values["License-Expression"], *values["License"]):
        try:
            return canonicalize_license_expression(text)
        except InvalidLicenseExpression:
            continue
    named = {text.rsplit(" :: ", 1)[-1] for text in values["Classifier"] if text.startswith("License ::")}
    return _CLASSIFIERS.get(named.pop()) if len(named) == 1 else None


def is_allowed(expression: str | None, allowed: frozenset[str]) -> bool:
    """Return whether an expression is allowed: all licences of an AND, one of an OR. Unknown is not allowed."""
    return expression is not None and _is_allowed(_SPDX.parse(expression), allowed)


def _is_allowed(node: Any, allowed: frozenset[str]) -> bool:
    if isinstance(node, _SPDX.AND):
        return all(_is_allowed(part, allowed) for part in node.args)
    if isinstance(node, _SPDX.OR):
        return any(_is_allowed(part, allowed) for part in node.args)
    return node.render() in allowed


def page() -> str:
    """Return `docs/licenses.md`: the licences of what is deployed."""
    settings = project()["tool"]["licenses"]
    rows = [
        f"| [{name}](https://pypi.org/project/{name}/{metadata['Version']}/) | {metadata['Version']} "
        f"| {license_of(metadata, settings['declared'])} |"
        for name, metadata in layer_metadata().items()
    ]
    return _PAGE.format(rows="\n".join(rows), allowed=", ".join(settings["allowed"]))


_SPDX: Final = Licensing()
_PAGE: Final = """\
# Licences

<!-- generated by `make generate` -->

Permission Guard is licensed under [Apache-2.0](../LICENSE). Its Lambda layers contain these distributions, whose wheels
contain their licence texts. boto3 and urllib3 come from the Lambda runtime.

| distribution | version | licence |
|---|---|---|
{rows}

A test fails for any licence in a layer that is not one of these:
{allowed}.

`make sbom` writes the same as a CycloneDX document, with hashes and origins.
"""
