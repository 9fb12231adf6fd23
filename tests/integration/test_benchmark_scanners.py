"""The proxy of `make bench`, as a process, and the labels of its account by the rules themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.scanners.account.builder import build
from benchmarks.scanners.results import Results
from benchmarks.scanners.server_process import Server, running_server
from benchmarks.scanners.tools import ALL_RULES, FULL, INVOKE_RULES
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 50

# Reads and evaluates one function after the other, as the checkers do. In a process of its own: its clients are AWS's.
CHECK_ALL = """
import json
from benchmarks.scanners.account.builder import build
from permission_guard.aws.clients import client
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.bootstrap.snapshots import state_reader
from permission_guard.checks.engine import evaluate, merge_versions
from permission_guard.iam import TrustSet
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules import execution_role, invoke_policy

reader = state_reader(FunctionReader(client("lambda")), RoleReader(client("iam")))
trust = TrustSet(frozenset({"123456789012"}))
rules = {Direction.INVOKE_POLICY: invoke_policy.RULES, Direction.EXECUTION_ROLE: execution_role.RULES}
found, unknown = {}, set()
for function in build(SIZE).functions.values():
    target = FunctionTarget("aws", "us-east-1", "123456789012", function.name)
    for direction in Direction:
        report = evaluate(reader.snapshot(target, direction), [rule(trust) for rule in rules[direction]])
        found.setdefault(function.arn, set()).update(verdict.rule_id for verdict in merge_versions(report).violations)
        unknown |= {verdict.rule_id for verdict in report.unknowns}
print(json.dumps([{arn: sorted(ids) for arn, ids in found.items()}, sorted(unknown)]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serve a small account."""
    with running_server(SIZE) as found:
        yield found


def lambda_client(server: Server) -> object:
    """Return a client that does not retry."""
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "placeholder", region_name="us-east-1")
    return session.client("lambda", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 1}))


def test_the_rules_find_exactly_what_the_labels_say(server: Server) -> None:
    """So a label that is missed in the benchmark was missed by the scan, and is not a wrong label."""
    environment = {**os.environ, **server.environment}
    command = [sys.executable, "-c", CHECK_ALL.replace("SIZE", str(SIZE))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found, unknown = json.loads(done.stdout)
    account = build(SIZE)
    assert found == {function.arn: sorted(account.expected[function.arn]) for function in account.functions.values()}
    assert unknown == ["PG209"]  # who else uses a role is told by a list of all functions
    assert not server.counts()["failed"]


def test_calls_over_the_limit_are_refused_as_by_lambda(server: Server) -> None:
    """The SDK reads the refusal as the error that AWS sends."""
    client = lambda_client(server)
    server.start_run(limits=True, latency=0.0)
    refused = 0
    for _ in range(40):
        try:
            client.get_policy(FunctionName="orders-0000")  # type: ignore[attr-defined]
        except ClientError as error:
            refused += error.response["Error"]["Code"] == "TooManyRequestsException"
    counts = server.counts()
    assert refused
    assert counts["calls"] == {"lambda:GetPolicy": 40}
    assert counts["refused"] == {"lambda:GetPolicy": refused}


def test_a_run_without_limits_refuses_nothing(server: Server) -> None:
    """Without limits, calls are counted all the same."""
    client = lambda_client(server)
    server.start_run(limits=False, latency=0.0)
    for _ in range(40):
        client.list_functions()  # type: ignore[attr-defined]
    counts = server.counts()
    assert counts["calls"] == {"lambda:ListFunctions": 40}
    assert counts["refused"] == {}


def test_a_dry_run_measures_the_scan_and_writes_the_page(tmp_path: Path) -> None:
    """Without the other tools: they need a registry. Every label is found, and nothing else."""
    command = [sys.executable, "-m", "benchmarks.scanners", "--sizes", str(SIZE), "--no-others", "--no-pictures"]
    done = subprocess.run(
        [*command, "--no-limits", "--docs", str(tmp_path)], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert not done.returncode, done.stderr
    results = Results.read(tmp_path / "benchmarks.json")
    assert [run.tool for run in results.runs] == [ALL_RULES.name, INVOKE_RULES.name, FULL.name]
    for run in results.runs:
        assert (run.verdicts.missed, run.verdicts.false) == (0, 0), run.tool
        assert run.verdicts.right
        assert not run.failed
    assert len(results.templates) == 1
    assert "## Verdicts" in (tmp_path / "benchmarks.md").read_text()
