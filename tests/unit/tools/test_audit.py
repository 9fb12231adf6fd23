"""The audit: what pip-audit reports, and that a missing report is never mistaken for a good one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tools.audit import NO_DATA, NOTHING_KNOWN, VULNERABLE, main
from tools.licenses import REQUIREMENTS, deployed

if TYPE_CHECKING:
    from pathlib import Path

PINNED = deployed()
FOUND = {"id": "PYSEC-2026-1", "fix_versions": ["1.1.1"], "aliases": ["CVE-2026-1"], "description": "A flaw."}
# The end of what pip-audit 2.10.1 writes to stderr without a connection.
UNREACHABLE = "requests.exceptions.ConnectionError: Max retries exceeded with url: /v1/query"


def report(*skipped: str, **vulnerabilities: list[dict[str, Any]]) -> str:
    """Return a report in the form of pip-audit 2.10.1; `skipped` are distributions without data."""
    entries: list[dict[str, Any]] = []
    for name, version in PINNED.items():
        if name in skipped:
            entries.append({"name": name, "skip_reason": "Dependency not found on PyPI"})
        else:
            entries.append({"name": name, "version": version, "vulns": vulnerabilities.get(name, [])})
    return json.dumps({"dependencies": entries, "fixes": []})


@pytest.fixture
def pip_audit(tmp_path: Path) -> Any:
    """Return what makes a pip-audit that writes a report and an error, and exits with a code."""

    def made(stdout: str, stderr: str = "", code: int = 0) -> list[str]:
        script = tmp_path / "pip_audit.py"
        script.write_text(
            "import json, pathlib, sys\n"
            f"pathlib.Path({str(tmp_path / 'arguments')!r}).write_text(json.dumps(sys.argv[1:]))\n"
            f"print({stdout!r})\nprint({stderr!r}, file=sys.stderr)\nsys.exit({code})\n"
        )
        return [sys.executable, str(script), "--vulnerability-service", "osv"]

    return made


def test_no_known_vulnerability_is_success(pip_audit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Every distribution of the layers was looked up."""
    assert main(pip_audit(report())) == NOTHING_KNOWN
    assert capsys.readouterr().out == f"Known vulnerabilities of {len(PINNED)} distributions: 0\n"


def test_a_known_vulnerability_is_printed_with_its_fix(pip_audit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And without one, if there is none."""
    open_one = FOUND | {"id": "PYSEC-2026-2", "fix_versions": []}
    assert main(pip_audit(report(jmespath=[FOUND, open_one]), code=1)) == VULNERABLE
    assert capsys.readouterr().out.splitlines()[:2] == [
        "jmespath has PYSEC-2026-1, fixed in 1.1.1",
        "jmespath has PYSEC-2026-2, fixed in no version",
    ]


@pytest.mark.parametrize(
    "written", ["", "null", "[]", "{}", '{"dependencies": []}', '{"dependencies": null}', "<html>"]
)
def test_without_data_the_exit_code_says_so(pip_audit: Any, capsys: pytest.CaptureFixture[str], written: str) -> None:
    """The reason is the last line that pip-audit wrote."""
    assert main(pip_audit(written, f"Traceback …\n{UNREACHABLE}", code=1)) == NO_DATA
    printed = capsys.readouterr()
    assert printed.out == ""
    assert UNREACHABLE in printed.err


def test_a_distribution_without_data_is_named(pip_audit: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """pip-audit itself succeeds then."""
    assert main(pip_audit(report("jmespath"))) == NO_DATA
    assert "No vulnerability data for jmespath: " in capsys.readouterr().err


def test_pip_audit_gets_the_requirements_of_both_layers(pip_audit: Any, tmp_path: Path) -> None:
    """After the caller's own options; nothing is installed."""
    main(pip_audit(report()))
    arguments = json.loads((tmp_path / "arguments").read_text())
    assert arguments[:2] == ["--vulnerability-service", "osv"]
    assert {"--disable-pip", *map(str, REQUIREMENTS)} <= set(arguments)
    assert len(REQUIREMENTS) == arguments.count("--requirement") == 2
