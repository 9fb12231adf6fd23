"""The blocks of an alert, against a schema made from Slack's own type declarations."""

from __future__ import annotations

import json

import jsonschema
import pytest

from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.finding_messages import compose
from tests.conformance.material import SPECS
from tests.unit.delivery.examples import EXAMPLES


@pytest.mark.parametrize("case", EXAMPLES)
def test_every_message_is_valid_block_kit(case: str) -> None:
    """The cases include every kind of finding, hostile text and very long text."""
    schema = json.loads((SPECS / "slack-block-kit.schema.json").read_text())
    jsonschema.validate({"blocks": payload(compose(EXAMPLES[case]))["blocks"]}, schema)
