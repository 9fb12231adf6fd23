"""The functions and roles that the bot must not change."""

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
    """The guards raise no error."""
    guard_function(with_tags(tags), a_finding())
    guard_role(a_role(tags=tags), ACCOUNT, None)


@pytest.mark.parametrize("value", ["never", "NEVER", " never "])
def test_the_tag_value_never_is_case_insensitive(value: str) -> None:
    """Spaces around it are ignored as well."""
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_function(with_tags({"permission-guard:fix": value}), a_finding())
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_role(a_role(tags={"permission-guard:fix": value}), ACCOUNT, None)


@pytest.mark.parametrize("tags", [None, DENIED])
def test_a_function_with_unknown_tags_is_not_changed(tags: Unread | None) -> None:
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
def test_roles_that_belong_to_aws_are_not_changed(arn: str) -> None:
    """AWS would deny the call as well; the guard gives the reason first."""
    with pytest.raises(FixRefusedError, match="belongs to AWS"):
        guard_role(a_role(arn=arn), ACCOUNT, None)


def test_a_role_under_the_console_s_own_path_is_an_ordinary_role() -> None:
    """`/service-role/` is where the console puts execution roles."""
    guard_role(a_role(arn=ROLE_ARN), ACCOUNT, None)


def test_a_role_of_another_account_is_not_changed() -> None:
    """It has another owner."""
    with pytest.raises(FixRefusedError, match="is in another account"):
        guard_role(a_role(), "111122223333", None)


def test_a_role_that_a_stack_owns_is_not_changed() -> None:
    """CloudFormation does not tag roles, so the stack is read from its API; the change belongs in the template."""
    with pytest.raises(FixRefusedError, match="belongs to the CloudFormation stack shop: change its template"):
        guard_role(a_role(), ACCOUNT, "shop")


def test_a_role_with_an_unknown_owner_is_not_changed() -> None:
    """Refused if the call to CloudFormation was denied, retried if it was throttled."""
    with pytest.raises(FixRefusedError, match="Unknown whether a CloudFormation stack owns"):
        guard_role(a_role(), ACCOUNT, DENIED)
    with pytest.raises(RetryableError, match="Unknown whether a CloudFormation stack owns"):
        guard_role(a_role(), ACCOUNT, THROTTLED)


def test_a_function_that_terraform_changed_last_is_not_changed() -> None:
    """Terraform's next run would undo the fix; CloudFormation's functions are known by their tags."""
    with pytest.raises(FixRefusedError, match="was last changed by Terraform"):
        guard_function(with_tags({}), a_finding(managed_by=ManagedBy("terraform")))
    guard_function(with_tags({}), a_finding(managed_by=ManagedBy("cloudformation")))
