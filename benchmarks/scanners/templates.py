"""`permission-guard check` beside Checkov and cfn-lint, on the repository's own templates."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.scanners.environments import REPOSITORY, programs, version_of
from benchmarks.scanners.measurements import measure
from benchmarks.scanners.results import TemplateRun
from benchmarks.scanners.tools import OWN_COMMAND, OWN_ENVIRONMENT, OWN_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES: Final = (REPOSITORY / "template.yaml", *sorted((REPOSITORY / "stacks").glob("*.yaml")))

# Checkov's updates, downloads and uploads are off. Those that an option does not know would fail: see measurements.py.
_CHECKOV: Final = ["--framework", "cloudformation", "--skip-download", "--skip-results-upload", "--compact", "--quiet"]
_CHECKOV_ENVIRONMENT: Final = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true", "BC_SKIP_MAPPING": "TRUE"}


def run_templates(folder: Path, *, others: bool) -> Iterator[TemplateRun]:
    """Measure each tool once, after a run that is not measured. Without `others`, only Permission Guard."""
    names = [str(path) for path in TEMPLATES]
    tools = [(OWN_NAME, [*OWN_COMMAND, "check", *names], OWN_ENVIRONMENT)]
    if others:
        files = [argument for name in names for argument in ("--file", name)]
        checkov = [str(programs("checkov") / "checkov"), *_CHECKOV, *files]
        tools.append((f"Checkov {version_of('checkov')}", checkov, _CHECKOV_ENVIRONMENT))
        cfn_lint = [str(Path(sys.executable).with_name("cfn-lint")), *names]
        tools.append((f"cfn-lint {version('cfn-lint')}", cfn_lint, {}))
    for name, command, environment in tools:
        for _ in range(2):
            measurement = measure(command, environment, folder / f"templates-{name.split()[0]}")
        yield TemplateRun(name, measurement)
