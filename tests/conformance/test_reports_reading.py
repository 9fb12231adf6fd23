"""The public reports about reading: each file of `reports/` is read, judged or named, without a socket."""

from __future__ import annotations

import json
import socket
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from tests.conformance.material import MATERIAL

REPORTS = MATERIAL / "reports"


@pytest.fixture(autouse=True)
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every use of the network."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a socket is used")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def check(*names: str) -> tuple[int, dict[str, Any]]:
    """Check files of the material, and return the exit code and the results."""
    files = [str(REPORTS / name) for name in names]
    done = CliRunner().invoke(app, ["check", *files, "--format", "json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "findings", "least", "unread"),
    [
        ("sar.yaml", [("PG102", "Permission")], 1, []),
        ("dyn.yaml", [], 3, []),
        ("t02_include_cors.yaml", [("PG102", "Permission")], 1, ["Api.Properties.DefinitionBody"]),
        ("t06_no_transform.yaml", [], 3, ["Transform"]),
        ("t08_include_resources.yaml", [], 3, ["Resources"]),
        ("gt.json", [("PG102", "P")], 1, []),
        ("sam1021.yaml", [], 2, []),
    ],
)
def test_each_report_has_its_right_outcome(
    name: str, findings: list[tuple[str, str]], least: int, unread: list[str]
) -> None:
    """The statement rules are compared; other rules can add findings on the functions and their roles."""
    code, results = check(name)
    found = {(one["rule_id"], one["subject"].removeprefix("statement/")) for one in results["findings"]}
    assert set(findings) <= found
    assert code == (1 if results["findings"] else least)
    assert [one["part"] for one in results["unread"]] == unread
    if name == "sam1021.yaml":
        assert "refers to Function, which the template does not define" in results["errors"][0]["message"]
        assert not any(one["subject"] == "statement/Permission" for one in results["findings"])


def test_no_report_loses_another() -> None:
    """All files of one call are reported."""
    names = sorted(path.name for path in REPORTS.iterdir() if path.suffix in {".json", ".yaml"})
    _, results = check(*names)
    assert results["counts"]["files"] == len(names)
    _, folder = check(".")
    assert folder["counts"]["files"] == len(names)
