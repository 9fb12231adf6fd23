"""Each contract is tested with every implementation. `differs` says which of them is known to differ, and how."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import moto.iam.models
import pytest
import time_machine
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.contracts.implementations import InMemory, MiniStack, Moto
from tests.fakes import SQS_POLICY_ARN
from tests.in_memory.aws import START

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client.process import Sandbox
    from tests.contracts.implementations import Aws

_DIFFERENCES = (AssertionError, ClientError, NotImplementedError, TimeoutError, TypeError, pytest.fail.Exception)
"""How a difference shows."""


@pytest.fixture(scope="session")
def clients() -> dict[str, dict[str, Any]]:
    """Return the clients that are made, by the implementation."""
    return {"moto": {}, "ministack": {}}


@pytest.fixture(params=["in-memory", "moto", "ministack"])
def aws(request: pytest.FixtureRequest, clients: dict[str, dict[str, Any]]) -> Iterator[Aws]:
    """Return an implementation of AWS: empty, but for MiniStack, which all tests share."""
    for differences in request.node.iter_markers("differs"):
        if reason := differences.kwargs.get(request.param):
            request.applymarker(pytest.mark.xfail(strict=True, raises=_DIFFERENCES, reason=reason))
    if request.param == "in-memory":
        yield InMemory()
    elif request.param == "moto":
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setattr(moto.iam.models, "aws_managed_policies_data", _managed_policies())
        with (
            time_machine.travel(START, tick=False) as traveller,
            mock_aws(config={"iam": {"load_aws_managed_policies": True}}),
        ):
            yield Moto(clients["moto"], traveller)
    else:
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        yield MiniStack(clients["ministack"], sandbox)


@cache
def _managed_policies() -> str:
    """Return the only managed policy that the contracts need: moto parses all of them for each test."""
    name = SQS_POLICY_ARN.rpartition("/")[2]
    return json.dumps({name: json.loads(aws_managed_policies_data)[name]})
