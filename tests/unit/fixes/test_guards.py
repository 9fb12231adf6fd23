"""The functions and roles that the bot must not change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import ManagedElsewhere, ManagingTool
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.callers import Caller
from permission_guard.fixes.guards import (
    ManagedByCodeError,
    Managers,
    guard_function,
    guard_managed_elsewhere,
    guard_role,
)
from permission_guard.model.state import ManagedBy, Snapshot, Unread
from tests.fakes import ACCOUNT, DENIED, ROLE_ARN, TARGET, THROTTLED, a_finding, a_function, a_role

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding


def with_tags(tags: dict[str, str] | Unread | None) -> Snapshot:
    """Return a function with tags."""
    return Snapshot(TARGET, a_function(), tags=tags)


@pytest.mark.parametrize("tags", [{}, {"team": "orders"}, {"permission-guard:fix": "ask me"}, {"Permission": "never"}])
def test_functions_and_roles_with_other_tags_may_be_changed(tags: dict[str, str]) -> None:
    """The guards raise no error."""
    guard_function(with_tags(tags))
    guard_role(a_role(tags=tags), ACCOUNT, None)


@pytest.mark.parametrize("value", ["never", "NEVER", " never "])
def test_the_tag_value_never_is_case_insensitive(value: str) -> None:
    """Spaces around it are ignored as well."""
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_function(with_tags({"permission-guard:fix": value}))
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_role(a_role(tags={"permission-guard:fix": value}), ACCOUNT, None)


@pytest.mark.parametrize("key", ["Permission-Guard:Fix", "PERMISSION-GUARD:FIX", " permission-guard:fix"])
def test_the_tag_key_is_case_insensitive(key: str) -> None:
    """IAM compares the keys of a role's tags so, and would deny the write.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_function(with_tags({key: "never"}))
    with pytest.raises(FixRefusedError, match="permission-guard:fix=never"):
        guard_role(a_role(tags={key: "never"}), ACCOUNT, None)


@pytest.mark.parametrize("tags", [None, DENIED])
def test_a_function_with_unknown_tags_is_not_changed(tags: Unread | None) -> None:
    """A guard that cannot be evaluated refuses."""
    with pytest.raises(FixRefusedError, match="could not be read"):
        guard_function(with_tags(tags))


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


def managed_by(
    *entries: ManagedElsewhere,
    callers: tuple[Caller, ...] | None = (),
    function_tags: dict[str, str] | Unread | None = None,
    role_tags: dict[str, str] | None = None,
    finding: Finding | None = None,
) -> ManagedBy | None:
    """Return the tool that the guard names, None if it does not refuse."""
    snapshot = with_tags({} if function_tags is None else function_tags)
    try:
        guard_managed_elsewhere(Managers(entries, callers), finding or a_finding(), snapshot, a_role(tags=role_tags))
    except ManagedByCodeError as error:
        return error.managed_by
    return None


CI = Caller("arn:aws:sts::123456789012:assumed-role/ci-deploy/run-7", "", "2026-11-20")
TERRAFORM = Caller("", "terraform", "2026-11-20")


def test_a_function_that_terraform_changed_last_is_not_changed() -> None:
    """Terraform's next run would undo the fix; CloudFormation's functions are known by their tags."""
    assert managed_by(finding=a_finding(managed_by=ManagedBy("terraform"))) == ManagedBy("terraform")
    assert managed_by(finding=a_finding(managed_by=ManagedBy("cloudformation"))) is None


def test_what_only_the_configuration_said_is_not_remembered() -> None:
    """Whoever removes the entry allows the fix again."""
    finding = a_finding(managed_by=ManagedBy("terraform", is_configured=True))
    assert managed_by(finding=finding) is None


def test_a_role_that_terraform_changed_is_not_changed() -> None:
    """Also if somebody else changed it since, and caused the finding."""
    assert managed_by(callers=(TERRAFORM, CI)) == ManagedBy("terraform")
    assert managed_by(callers=(CI,)) is None
    assert managed_by(callers=(Caller("", "cloudformation", "2026-11-20"),)) is None


def test_unknown_callers_refuse() -> None:
    """What the checks remember cannot be read: Terraform may be in it."""
    with pytest.raises(FixRefusedError, match="what the checks remember is unreadable"):
        managed_by(callers=None)


@pytest.mark.parametrize(
    ("entry", "is_managed"),
    [
        (ManagedElsewhere(tool=ManagingTool.PULUMI, roles=("orders-*",)), True),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, roles=("billing-*",)), False),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, functions=("ord*",)), True),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, functions=("billing",)), False),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, tags={"managed-by": "pulumi"}), False),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, callers=("arn:aws:sts::*:assumed-role/ci-deploy/*",)), True),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, callers=("arn:aws:sts::*:assumed-role/admin/*",)), False),
        (ManagedElsewhere(tool=ManagingTool.PULUMI, roles=("orders-*",), functions=("billing",)), False),
    ],
)
def test_an_entry_of_the_configuration_must_match_with_every_key(entry: ManagedElsewhere, is_managed: bool) -> None:
    """Names, tags and callers, as globs."""
    found = managed_by(entry, callers=(CI,))
    assert (found is not None) is is_managed
    assert found is None or (found.tool == "pulumi" and found.is_configured)


@pytest.mark.parametrize("tagged", ["function_tags", "role_tags"])
def test_a_tag_of_the_function_or_of_the_role_says_who_manages_it(tagged: str) -> None:
    """Default tags of a provider are on both, or on one of them."""
    entry = ManagedElsewhere(tool=ManagingTool.TERRAFORM, tags={"managed-by": "terra*"})
    tags: dict[str, Any] = {tagged: {"managed-by": "terraform"}}
    assert managed_by(entry, **tags) == ManagedBy("terraform", is_configured=True)


def test_with_unread_tags_of_the_function_its_own_guard_refuses() -> None:
    """They say neither that a tool manages it, nor that none does."""
    entry = ManagedElsewhere(tool=ManagingTool.TERRAFORM, tags={"managed-by": "terraform"})
    assert managed_by(entry, function_tags=DENIED) is None
    with pytest.raises(FixRefusedError, match="could not be read"):
        guard_function(with_tags(DENIED))


def test_the_stack_of_a_role_is_where_to_make_the_change() -> None:
    """The refusal names it, so that the remedy for its template comes first."""
    with pytest.raises(ManagedByCodeError) as caught:
        guard_role(a_role(), ACCOUNT, "shop in eu-west-1")
    assert caught.value.managed_by == ManagedBy("cloudformation", "shop in eu-west-1", "orders-role")
