"""The tools that are measured: their commands, and what they report of which function or role."""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.account.model import REGION
from benchmarks.scanners.environments import REPOSITORY, programs, version_of
from permission_guard import __version__
from permission_guard.rules import invoke_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CUSTODIAN_POLICY: Final = {
    "policies": [{"name": "cross-account", "resource": "aws.lambda", "filters": [{"type": "cross-account"}]}]
}
PROWLER_CHECK: Final = "awslambda_function_not_publicly_accessible"

OWN_NAME: Final = f"Permission Guard {__version__}"
OWN_COMMAND: Final = [sys.executable, "-c", "from permission_guard.cli import main; main()"]
_UNLIMITED: Final = [sys.executable, "-m", "benchmarks.scanners.unlimited"]
OWN_ENVIRONMENT: Final = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY / "layers/permission_guard"), str(REPOSITORY)))}
"""This checkout, whichever is installed."""

Reported = dict[str, frozenset[str]]
"""What a tool reports: the ids of its rules by the ARN of the unqualified function or role."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to run one tool.

    `kinds` are the kinds of shapes that its check is about, by its own description. `command` returns the command for a
    folder, into which the output goes, and for a rate: `full` for AWS's limits, `none` for no limits. Only Permission
    Guard slows itself down. `report` reads the output.
    """

    name: str
    kinds: frozenset[str]
    command: Callable[[Path, str], list[str]]
    report: Callable[[Path], Reported]
    environment: dict[str, str] = field(default_factory=dict)


_INVOKE_KINDS: Final = frozenset({"public", "source", "account"})
_ALL_KINDS: Final = _INVOKE_KINDS | {"role"}
_INVOKE_RULES: Final = tuple(option for rule in invoke_policy.RULES for option in ("--rule", rule.id))


def _scan(*options: str) -> Callable[[Path, str], list[str]]:
    def command(folder: Path, rate: str) -> list[str]:
        report = ["--format", "json", "--output", str(folder / "scan.json")]
        started = _UNLIMITED if rate == "none" else OWN_COMMAND
        return [*started, "scan", "--region", REGION, "--rate", "full", *report, *options]

    return command


def _scan_report(folder: Path) -> Reported:
    found: dict[str, set[str]] = {}
    for finding in json.loads((folder / "scan.json").read_text())["findings"]:
        target = finding.get("role_arn") or _unqualified(finding["function_arn"])
        found.setdefault(target, set()).add(finding["rule_id"])
    return {arn: frozenset(rules) for arn, rules in found.items()}


def _prowler(folder: Path, _rate: str) -> list[str]:
    output = ["--output-formats", "csv", "--output-directory", str(folder), "--output-filename", "prowler"]
    options = ["--region", REGION, "--no-banner", "--no-color", "--ignore-exit-code-3"]
    return [str(programs("prowler") / "prowler"), "aws", "--checks", PROWLER_CHECK, *options, *output]


def _prowler_report(folder: Path) -> Reported:
    with (folder / "prowler.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["STATUS"] == "FAIL"]
    return {_unqualified(row["RESOURCE_UID"]): frozenset({row["CHECK_ID"]}) for row in rows}


def _custodian(folder: Path, _rate: str) -> list[str]:
    policy = folder / "policy.json"
    policy.write_text(json.dumps(CUSTODIAN_POLICY))
    options = ["--cache-period", "0", "--region", REGION, "--output-dir", str(folder)]
    return [str(programs("custodian") / "custodian"), "run", *options, str(policy)]


def _custodian_report(folder: Path) -> Reported:
    resources: list[dict[str, Any]] = json.loads((folder / "cross-account/resources.json").read_text())
    return {_unqualified(resource["FunctionArn"]): frozenset({"cross-account"}) for resource in resources}


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _own(what: str, kinds: frozenset[str], *options: str) -> Tool:
    return Tool(f"{OWN_NAME}, {what}", kinds, _scan(*options), _scan_report, OWN_ENVIRONMENT)


ALL_RULES: Final = _own("all rules", _ALL_KINDS)
INVOKE_RULES: Final = _own("invoke-policy rules", _INVOKE_KINDS, *_INVOKE_RULES)
FULL: Final = _own("all rules, --full", _ALL_KINDS, "--full")
OWN: Final = (ALL_RULES, INVOKE_RULES, FULL)
PROWLER: Final = Tool(f"Prowler {version_of('prowler')}", frozenset({"public"}), _prowler, _prowler_report)
CUSTODIAN: Final = Tool(
    f"Cloud Custodian {version_of('custodian')}", frozenset({"public", "account"}), _custodian, _custodian_report
)
OTHERS: Final = (PROWLER, CUSTODIAN)
