"""Where the material from outside the repository is: the environment variable MATERIAL names its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

NEEDED: Final = (
    "cloudtrail",
    "corpus/event_source_mappings.jsonl",
    "corpus/statements.jsonl",
    "oracles/aws_docs_conditions.json",
    "oracles/c7n_cross_account.json",
    "oracles/cartography_recorded.json",
    "oracles/iam_rs.json",
    "oracles/iamspy.json",
    "oracles/policyuniverse_recorded.json",
    "oracles/prowler_recorded.json",
    "oracles/steampipe_resource_policy.json",
    "reports",
    "specs/github-issues.openapi.json",
    "specs/jira-cloud-v3-issues.openapi.json",
    "specs/opsgenie-alerts.swagger.json",
    "specs/pagerduty-events-v2.openapi.json",
    "specs/slack-block-kit.schema.json",
    "specs/slack-web-api.swagger.json",
)
"""What the tests of this tier read. A missing one fails the run: no test is skipped for it."""


def _folder() -> Path:
    named = os.environ.get("MATERIAL", "")
    folder = Path(named).resolve()
    if not named or not folder.is_dir():
        raise pytest.UsageError(
            f"MATERIAL must name the folder with the material; got {named!r}. "
            "Run: make test-conformance MATERIAL=<folder>"
        )
    missing = [path for path in NEEDED if not (folder / path).exists()]
    if missing:
        raise pytest.UsageError(f"The folder {folder}, which MATERIAL names, lacks {', '.join(missing)}")
    return folder


MATERIAL: Final = _folder()
CLOUDTRAIL: Final = MATERIAL / "cloudtrail"
ORACLES: Final = MATERIAL / "oracles"
STATEMENTS: Final = MATERIAL / "corpus" / "statements.jsonl"
SPECS: Final = MATERIAL / "specs"
