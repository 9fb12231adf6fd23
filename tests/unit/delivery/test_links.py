"""Links lead to the console of the partition and the region, and a name can change neither host nor page."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from permission_guard.delivery.links import event_url, function_url, role_url

EVENT = "6d1f0f5e-3c5b-4f0e-8c39-1d7b1f0e2a44"
CONSOLES = {
    ("aws", "us-east-1"): "us-east-1.console.aws.amazon.com",
    ("aws", "ap-southeast-7"): "ap-southeast-7.console.aws.amazon.com",
    ("aws-cn", "cn-northwest-1"): "cn-northwest-1.console.amazonaws.cn",
    ("aws-us-gov", "us-gov-west-1"): "us-gov-west-1.console.amazonaws-us-gov.com",
}
PLACES = [pytest.param(*place, host, id=place[1]) for place, host in CONSOLES.items()]


@pytest.mark.parametrize(("partition", "region", "host"), PLACES)
def test_each_page_is_in_the_console_of_its_partition_and_region(partition: str, region: str, host: str) -> None:
    """A function, a role and an event."""
    function = f"arn:{partition}:lambda:{region}:123456789012:function:orders"
    assert function_url(function) == f"https://{host}/lambda/home?region={region}#/functions/orders"
    role = f"arn:{partition}:iam::123456789012:role/service-role/worker"
    assert role_url(role, region) == f"https://{host}/iam/home?region={region}#/roles/details/worker"
    assert event_url(EVENT, region) == f"https://{host}/cloudtrailv2/home?region={region}#/events/{EVENT}"


@pytest.mark.parametrize(
    ("qualifier", "page"),
    [
        ("", "/functions/orders"),
        (":$LATEST", "/functions/orders"),
        (":7", "/functions/orders/versions/7"),
        (":live", "/functions/orders/aliases/live"),
        (":v-2_a", "/functions/orders/aliases/v-2_a"),
    ],
)
def test_a_version_and_an_alias_have_pages_of_their_own(qualifier: str, page: str) -> None:
    """The permission is on that page, and not on the function's."""
    url = function_url(f"arn:aws:lambda:us-east-1:123456789012:function:orders{qualifier}")
    assert url is not None
    assert urlsplit(url).fragment == page


@pytest.mark.parametrize("name", ["a/../b", "a?b#c", "a b", "ä🚀", '"><script>', "a%2Fb", "x|y>z"])
def test_a_name_is_encoded(name: str) -> None:
    """It is one segment of the page's address."""
    for url in (
        function_url(f"arn:aws:lambda:us-east-1:123456789012:function:{name}"),
        role_url(f"arn:aws:iam::123456789012:role/{name.rpartition('/')[2]}", "us-east-1"),
    ):
        assert url is not None
        assert url.isascii()
        assert urlsplit(url).hostname == "us-east-1.console.aws.amazon.com"
        assert not set(url.partition("#")[2]) & set('"<>|# ?')
        assert unquote(url.rpartition("/")[2]) in (name, name.rpartition("/")[2])


@pytest.mark.parametrize("region", ["", "evil.example/", "us-east-1.evil.example", "us-east-1\n", "US-EAST-1"])
def test_there_is_no_link_to_a_region_that_aws_does_not_have(region: str) -> None:
    """The region is part of the host."""
    assert event_url(EVENT, region) is None
    assert role_url("arn:aws:iam::123456789012:role/worker", region) is None
    assert function_url(f"arn:aws:lambda:{region}:123456789012:function:orders") is None


@pytest.mark.parametrize("partition", ["aws-iso", "aws-eusc", "", "evil"])
def test_there_is_no_link_to_a_partition_whose_console_is_unknown(partition: str) -> None:
    """A wrong link is worse than none."""
    assert function_url(f"arn:{partition}:lambda:us-east-1:123456789012:function:orders") is None
    assert event_url(EVENT, "us-iso-east-1") is None


@pytest.mark.parametrize(
    "arn", ["", "orders", "arn:aws:lambda:us-east-1:123456789012:layer:x", "arn:aws:iam::1:user/x"]
)
def test_there_is_no_link_to_anything_else(arn: str) -> None:
    """Only functions and roles are what findings are about."""
    assert function_url(arn) is None
    assert role_url(arn, "us-east-1") is None


@pytest.mark.parametrize("event_id", ["", "unknown", "check-request/7", f"{EVENT}/x", EVENT.upper(), f"{EVENT}\n"])
def test_there_is_no_link_to_what_is_not_an_event_of_cloudtrail(event_id: str) -> None:
    """Ids of CloudTrail are UUIDs."""
    assert event_url(event_id, "us-east-1") is None
