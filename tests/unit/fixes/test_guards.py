"""What must never be changed."""

from __future__ import annotations

import pytest

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes.guards import guard_function, guard_role
from permission_guard.model.state import ManagedBy, Snapshot, Unread
from tests.fakes import ACCOUNT, DENIED, ROLE_ARN, TARGET, THROTTLED, a_finding, a_function, a_role


def with_tags(tags: dict[str, str] | Unread | None) -> Snapshot:
    """Return a function with tags."""
    return Snapshot(TARGET, a_function(), tags=tags)


@pytest.mark.parametrize("tags", [{}, {"team": "orders"}, {"permission-guard:fix": "ask me"}, {"Permission": "never"}])
def test_functions_and_roles_with_other_tags_may_be_changed(tags: dict[str, str]) -> None:
    """Nothing is raised."""
    guard_function(with_tags(tags), a_finding())
    guard_role(a_role(tags=tags), ACCOUNT, None)


@pytest.mark.parametrize("value", ["never", "NEVER", " never "])
def test_never_is_understood_however_it_is_written(value: str) -> None:
    """An owner who meant it should not be overruled by a capital letter."""
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_function(with_tags({"permission-guard:fix": value}), a_finding())
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_role(a_role(tags={"permission-guard:fix": value}), ACCOUNT, None)


@pytest.mark.parametrize("tags", [None, DENIED])
def test_a_function_whose_tags_are_not_known_is_not_touched(tags: Unread | None) -> None:
    """A guard that cannot be evaluated refuses."""
    with pytest.raises(FixRefusedError, match="could not be read"):
        guard_function(with_tags(tags), a_finding())


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/lambda.amazonaws.com/AWSServiceRoleForLambda",
        f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin",
    ],
)
def test_roles_that_belong_to_aws_are_not_touched(arn: str) -> None:
    """AWS would refuse as well; this says it before."""
    with pytest.raises(FixRefusedError, match="belongs to AWS"):
        guard_role(a_role(arn=arn), ACCOUNT, None)


def test_a_role_under_the_console_s_own_path_is_an_ordinary_role() -> None:
    """`/service-role/` is where the console puts execution roles."""
    guard_role(a_role(arn=ROLE_ARN), ACCOUNT, None)


def test_a_role_of_another_account_is_not_touched() -> None:
    """Its owner is somebody else."""
    with pytest.raises(FixRefusedError, match="is in another account"):
        guard_role(a_role(), "111122223333", None)


def test_a_role_that_a_stack_owns_is_not_touched() -> None:
    """CloudFormation tags no roles, so that it was asked: the change belongs into the template."""
    with pytest.raises(FixRefusedError, match="belongs to the CloudFormation stack shop: change its template"):
        guard_role(a_role(), ACCOUNT, "shop")


def test_a_role_whose_owner_is_not_known_is_not_touched() -> None:
    """Refused when it may not be asked, tried again when it did not answer this time."""
    with pytest.raises(FixRefusedError, match="cannot be told whether a CloudFormation stack owns"):
        guard_role(a_role(), ACCOUNT, DENIED)
    with pytest.raises(RetryableError, match="cannot be told whether a CloudFormation stack owns"):
        guard_role(a_role(), ACCOUNT, THROTTLED)


def test_a_function_that_terraform_changed_last_is_not_touched() -> None:
    """Its next run would undo the fix; what CloudFormation owns is told by its tags."""
    with pytest.raises(FixRefusedError, match="was last changed by Terraform"):
        guard_function(with_tags({}), a_finding(managed_by=ManagedBy("terraform")))
    guard_function(with_tags({}), a_finding(managed_by=ManagedBy("cloudformation")))
