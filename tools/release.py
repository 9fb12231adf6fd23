"""`python -m tools.release v1.2.3`: tells whether this commit can be released under a tag. The workflow runs it first.

It needs the standard library only, so that nothing else is installed where the distributions are built.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]

_SECTION: Final = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def problems(tag: str, project: Mapping[str, Any], changelog: str) -> Iterator[str]:
    """Yield what has to be done before the commit can have this tag.

    `project` is the table `[project]` of `pyproject.toml`, `changelog` the text of `CHANGELOG.md`.
    """
    version = project["version"]
    if tag != f"v{version}":
        yield f"The tag is {tag}, and the version in pyproject.toml is {version}: tag v{version}, or change it."
    if "Repository" not in project.get("urls", {}):
        yield "The package has no link to its repository: add Repository to [project.urls] in pyproject.toml."
    sections = _sections(changelog)
    if sections.get("Unreleased", ("", ""))[1]:
        yield f"CHANGELOG.md has unreleased changes: move them to the section of {version}."
    date, changes = sections.get(version, ("", ""))
    if not date or not changes:
        yield f"CHANGELOG.md does not say what changed in {version}, and when: add ## [{version}] - YYYY-MM-DD."


def _sections(changelog: str) -> dict[str, tuple[str, str]]:
    """Return the date and the text of each section, by its name."""
    parts = _SECTION.split(changelog)[1:]
    return {
        name: (date or "", text.strip()) for name, date, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


def main() -> int:
    """Print what has to be done for the tag that the command line names; return 1 if there is something."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = list(problems(sys.argv[1], project, (ROOT / "CHANGELOG.md").read_text()))
    for problem in found:
        print(problem, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
