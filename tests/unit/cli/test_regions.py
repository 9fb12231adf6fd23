"""A region is one of AWS's, or may be a new one of a known area."""

from __future__ import annotations

import boto3
import pytest

from permission_guard.cli.regions import require_region
from permission_guard.model.arns import PARTITIONS


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_region_of_aws_is_a_region(partition: str) -> None:
    """In all partitions."""
    for region in boto3.Session().get_available_regions("lambda", partition):
        require_region("--region", region)


@pytest.mark.parametrize("region", ["us-east-3", "eu-south-3", "ca-east-1", "ap-southeast-8", "eusc-de-east-2"])
def test_a_region_can_be_newer_than_botocore(region: str) -> None:
    """AWS adds regions to the areas that it has."""
    require_region("--region", region)


@pytest.mark.parametrize(
    "region",
    [
        *("nowhere", "us-nowhere-9", "us-nowhere-1", "xx-east-1", "us-east-9", "us-east-0", "us-east-11", "us-east"),
        *(
            "",
            " us-east-1",
            "us-east-1\n",
            "US-EAST-1",
            "us-east-1a",
            "aws-global",
            "global",
            "us_east_1",
            "eu-westt-1",
        ),
        *("us-gov-1", "cn-gov-west-1", "use1", "us-east-\u0661", "us-east-1.amazonaws.com"),
    ],
)
def test_a_text_that_is_no_region_is_rejected(region: str) -> None:
    """The message names the option and an example."""
    with pytest.raises(ValueError, match=r"^--region requires a region such as us-east-1; "):
        require_region("--region", region)
