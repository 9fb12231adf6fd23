"""Names of functions, roles and policies are parsed in every form that AWS accepts and returns."""

from __future__ import annotations

import re

import pytest
from botocore.loaders import Loader

from permission_guard.model.arns import (
    parse_function_arn,
    parse_function_name,
    parse_policy_arn,
    partition_of,
    role_account,
    role_name,
    role_target,
)
from permission_guard.model.targets import FunctionTarget, PolicyTarget

ACCOUNT = "123456789012"
ORDERS = FunctionTarget("aws", "us-east-1", ACCOUNT, "orders")


def read(text: str, region: str = "us-east-1") -> tuple[FunctionTarget, str | None]:
    """Parse the name in a call of this account."""
    return parse_function_name(text, region=region, account=ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "function:orders",
        "123456789012:orders",
        "123456789012:function:orders",
        "us-east-1:123456789012:function:orders",
        "arn:aws:lambda:us-east-1:123456789012:orders",
        "arn:aws:lambda:us-east-1:123456789012:function:orders",
    ],
)
@pytest.mark.parametrize("qualifier", [None, "live", "7", "$LATEST", "$LATEST.PUBLISHED", "blue-green_2"])
def test_every_form_that_lambda_accepts_names_the_same_function(text: str, qualifier: str | None) -> None:
    """Name, partial ARN or full ARN, each with or without a qualifier."""
    assert read(text if qualifier is None else f"{text}:{qualifier}") == (ORDERS, qualifier)


def test_the_name_takes_precedence_over_the_call() -> None:
    """A caller can name a function of another account."""
    target, _ = read("arn:aws:lambda:eu-west-1:111122223333:function:orders")
    assert target == FunctionTarget("aws", "eu-west-1", "111122223333", "orders")


def test_a_partial_arn_takes_the_region_of_the_call() -> None:
    """A name with an account has no region of its own."""
    target, _ = read("111122223333:function:orders", region="eu-central-1")
    assert target == FunctionTarget("aws", "eu-central-1", "111122223333", "orders")


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 140, "orders.v2", "123456789012", "us-east-1", "function"])
def test_names_that_resemble_an_account_or_a_region_are_names(name: str) -> None:
    """Lambda allows an account ID, a region or the word function as the name of a function."""
    assert read(name) == (FunctionTarget("aws", "us-east-1", ACCOUNT, name), None)


def test_a_function_named_after_an_account_follows_its_account() -> None:
    """`account:name` is parsed from the left."""
    assert read("111122223333:999999999999")[0] == FunctionTarget("aws", "us-east-1", "111122223333", "999999999999")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "orders ",
        "orders\n",
        "orders;rm -rf /",
        "../orders",
        "orders/live",
        "orders:",
        "orders:live:extra",
        ":orders",
        "x" * 141,
        "orders:" + "q" * 129,
        "ørders",
        "\uff4frders",
        "arn:aws:iam::123456789012:role/orders",
        "arn:aws:lambda:us-east-1:123456789012:function:",
        "arn:aws:lambda:us-east-1:12345678901:function:orders",
        "arn:aws:lambda:us-east-1:\u0661\u0662\u0663456789012:function:orders",
        "arn:aws:lambda:moon:123456789012:function:orders",
        "arn:evil:lambda:us-east-1:123456789012:function:orders",
        "arn:aws:lambda:us-east-1:123456789012:function:orders\x00",
        "$(curl 192.0.2.1)",
        "<script>",
    ],
)
def test_what_lambda_rejects_is_rejected(text: str) -> None:
    """The error quotes the text, so that it is safe in a log."""
    with pytest.raises(ValueError, match="not a Lambda function name or ARN") as error:
        read(text)
    assert repr(text)[:50] in str(error.value)
    assert "\n" not in str(error.value)


def test_the_error_for_a_huge_name_stays_short() -> None:
    """A hostile name does not fill the log."""
    with pytest.raises(ValueError, match="not a Lambda function name or ARN") as error:
        read("!" * 100_000)
    assert len(str(error.value)) < 300


def test_a_hostile_name_is_rejected_quickly() -> None:
    """The pattern does not backtrack: otherwise this would take extremely long."""
    with pytest.raises(ValueError, match="not a Lambda function name or ARN"):
        read("us" + "-a" * 50_000 + "!")


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("ap-southeast-7", "aws"),
        ("mx-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_a_bare_name_gets_the_partition_of_its_region(region: str, partition: str) -> None:
    """So its ARN is one that AWS accepts."""
    target, _ = read("orders", region=region)
    assert target.arn == f"arn:{partition}:lambda:{region}:{ACCOUNT}:function:orders"
    assert read(target.arn) == (target, None)
    assert read(f"{region}:{ACCOUNT}:function:orders", region="us-east-1") == (target, None)


def test_every_region_that_the_sdk_knows_gets_its_partition() -> None:
    """The SDK's list of partitions contains the regions of each."""
    partitions = Loader().load_data("partitions")["partitions"]
    regions = {
        region: partition["id"]
        for partition in partitions
        for region in partition["regions"]
        if re.fullmatch(partition["regionRegex"], region)
    }
    assert len(regions) > 30
    assert {region: partition_of(region) for region in regions} == regions


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_full_arn_is_parsed_with_its_partition_and_qualifier(partition: str) -> None:
    """All parts come from the ARN itself."""
    arn = f"arn:{partition}:lambda:us-east-1:{ACCOUNT}:function:orders:live"
    assert parse_function_arn(arn) == (FunctionTarget(partition, "us-east-1", ACCOUNT, "orders"), "live")


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "function:orders",
        "123456789012:function:orders",
        "us-east-1:123456789012:function:orders",
        "arn:aws:lambda:function:orders",
        "arn:aws:lambda:us-east-1:function:orders",
        "arn:aws:lambda:123456789012:function:orders",
        "arn:aws:lambda:us-east-1:123456789012:orders",
        "arn:aws:lambda:us-east-1:123456789012:layer:orders",
        "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:0e6f4d9c-7c5b-4c5b-9a53-3f1f6f0f5a11",
        "arn:aws:s3:::orders",
    ],
)
def test_what_is_not_a_full_function_arn_is_rejected(text: str) -> None:
    """Missing parts are not guessed."""
    with pytest.raises(ValueError, match="not a Lambda function"):
        parse_function_arn(text)


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:role/orders-role", "orders-role"),
        ("arn:aws:iam::123456789012:role/service-role/orders-role", "orders-role"),
        ("arn:aws-cn:iam::123456789012:role/a/b/c/orders=+,.@-role", "orders=+,.@-role"),
    ],
)
def test_a_role_is_named_without_its_path(arn: str, name: str) -> None:
    """IAM's API requires the name. Role names are unique in an account, independent of their path."""
    assert role_name(arn) == name
    assert role_account(arn) == ACCOUNT


@pytest.mark.parametrize(
    "arn",
    ["", "orders-role", "arn:aws:iam::123456789012:user/maria", "arn:aws:sts::123456789012:assumed-role/a/b", "a:b:c"],
)
def test_what_is_not_a_role_arn_is_rejected(arn: str) -> None:
    """A user or a session is not an execution role."""
    for read_role in (role_name, role_account, role_target):
        with pytest.raises(ValueError, match="not a role ARN"):
            read_role(arn)


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:iam::123456789012:policy/orders", ACCOUNT),
        ("arn:aws-cn:iam::123456789012:policy/team/shop/orders=+,.@-_", ACCOUNT),
        ("arn:aws:iam::123456789012:policy/a:b!~/orders", ACCOUNT),
        (f"arn:aws:iam::123456789012:policy/{'p' * 128}", ACCOUNT),
        ("arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole", "aws"),
        ("arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess", "aws"),
    ],
)
def test_a_policy_has_an_arn_and_an_account(arn: str, account: str) -> None:
    """IAM's API requires the whole ARN. AWS managed policies have the account `aws`."""
    assert parse_policy_arn(arn) == PolicyTarget(account, arn)


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "orders",
        "arn:aws:iam::123456789012:policy",
        "arn:aws:iam::123456789012:policy/",
        "arn:aws:iam::123456789012:policy//",
        "arn:aws:iam::123456789012:policy/shop/",
        "arn:aws:iam::123456789012:policy/orders\n",
        "arn:aws:iam::123456789012:policy/or ders",
        "arn:aws:iam::123456789012:policy/*",
        "arn:aws:iam::123456789012:policy/t\u00e9am/orders",
        f"arn:aws:iam::123456789012:policy/{'p' * 129}",
        "arn:aws:iam::123456789012:role/orders-role",
        "arn:aws:iam::12345678901:policy/orders",
        "arn:aws:iam:us-east-1:123456789012:policy/orders",
        "arn:aws:iam:::policy/orders",
        "arn:evil:iam::123456789012:policy/orders",
        "x" * 10_000,
    ],
)
def test_what_is_not_a_policy_arn_is_rejected_with_a_short_error(arn: str) -> None:
    """It is never used in a call."""
    with pytest.raises(ValueError, match="not a managed policy's ARN") as error:
        parse_policy_arn(arn)
    assert len(str(error.value)) < 300
