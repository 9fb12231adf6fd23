"""What npm installs for the conformance tests."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from tests.paths import REPOSITORY

PRISM = REPOSITORY / "tests" / "conformance" / "prism"


def lock() -> dict[str, Any]:
    """Return the lock file."""
    return dict(json.loads((PRISM / "package-lock.json").read_text()))


def test_the_lock_file_is_of_the_package_file() -> None:
    """Otherwise `npm ci` refuses to install anything."""
    wanted = json.loads((PRISM / "package.json").read_text())
    assert lock()["packages"][""]["devDependencies"] == wanted["devDependencies"]
    assert all(version[0].isdigit() for version in wanted["devDependencies"].values())


def test_every_package_is_pinned_by_its_hash_and_comes_from_the_public_registry() -> None:
    """A machine's own registry is a setting of npm, and not a part of the lock file."""
    packages = {path: one for path, one in lock()["packages"].items() if path}
    assert len(packages) > 100
    assert {urlsplit(one["resolved"])[:2] for one in packages.values()} == {("https", "registry.npmjs.org")}
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())


def test_no_package_needs_a_script_at_its_installation() -> None:
    """The Makefile runs none: whatever is published under a name could run on a developer's machine."""
    assert "--ignore-scripts" in (REPOSITORY / "Makefile").read_text()
    assert not [path for path, one in lock()["packages"].items() if one.get("hasInstallScript")]
