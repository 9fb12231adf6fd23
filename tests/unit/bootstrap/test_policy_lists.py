"""Which policies the fixer may attach comes from the stack and from the configuration document."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.bootstrap.fixes import policy_lists
from permission_guard.config.document import Fixes, GuardConfig, Policies
from permission_guard.config.settings import FixSettings
from permission_guard.errors import ConfigurationError
from tests.owned_policies import arn_of

ENVIRONMENT = {
    "FINDINGS_TABLE": "findings",
    "DECISIONS_TABLE": "decisions",
    "DECIDE_FIX_ARN": "arn:aws:lambda:us-east-1:123456789012:function:decide-fix",
    "FIX_MODE": "approve",
}


def settings(**more: Any) -> FixSettings:
    """Return the settings of a stack."""
    return FixSettings.from_environment({**ENVIRONMENT, **more})


def test_the_stack_names_its_own_policies() -> None:
    """The template joins lists of which some are empty."""
    arns = f"{arn_of('read-queues')},{arn_of('read-brokers')},,{arn_of('decrypt-sources')}"
    lists = policy_lists(settings(OWNED_POLICY_ARNS=arns), GuardConfig(fixes=Fixes(policies=Policies.OWN)))
    assert lists.owned == (arn_of("read-queues"), arn_of("read-brokers"), arn_of("decrypt-sources"))
    assert lists.chosen is Policies.OWN


@pytest.mark.parametrize("environment", [{}, {"OWNED_POLICY_ARNS": ""}, {"OWNED_POLICY_ARNS": ",,"}], ids=str)
def test_a_stack_without_parameters_owns_none(environment: dict[str, str]) -> None:
    """AWS's policies are attached, as before."""
    lists = policy_lists(settings(**environment), GuardConfig())
    assert lists.owned == ()
    assert lists.chosen is Policies.ANY


def test_an_arn_that_is_not_of_the_stack_is_a_mistake() -> None:
    """IAM would refuse it; the fixer does not even read it."""
    with pytest.raises(ConfigurationError, match="AdministratorAccess, which the stack does not own"):
        policy_lists(settings(OWNED_POLICY_ARNS="arn:aws:iam::aws:policy/AdministratorAccess"), GuardConfig())
