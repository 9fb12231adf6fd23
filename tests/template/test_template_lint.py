"""The linters report nothing on the templates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped] # ships no types

from tests.paths import REPOSITORY

TEMPLATES = [REPOSITORY / "template.yaml", *sorted((REPOSITORY / "stacks").glob("*.yaml"))]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_cfn_lint_reports_nothing(path: Path) -> None:
    """Warnings count too."""
    assert [str(match) for match in lint_file(path)] == []


def test_cfn_lint_would_report_something(tmp_path: Path) -> None:
    """An invalid template proves that the linter runs."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties: {Colour: red}\n")
    assert "Colour" in "".join(str(match) for match in lint_file(path))


def test_sam_validate_prints_no_warning() -> None:
    """SAM applies the transform and its own linter, as in `make lint`."""
    sam = Path(sys.executable).with_name("sam")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sam, "validate", "--lint", "--template", "template.yaml"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert done.returncode == 0, printed
    assert "is a valid SAM Template" in printed
    assert "warn" not in printed.lower(), printed
    assert "[[" not in printed, printed
