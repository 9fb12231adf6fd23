"""The policies that the stack owns: which of them the parameters make, and who may attach them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pytest

from permission_guard.needs.owned_policies import OWNED_POLICIES, owned_service
from permission_guard.needs.resource_tags import TAGGED
from tests.owned_policies import PREFIX, PSEUDO, TAG, arn_of, owned_documents, rendered
from tests.template.sam_template import listed, referred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.template.sam_template import Template

BY_TAG: Final = {"decrypt-sources", "encrypt-destinations"}
"""What only a tag can shape: a key has no name in its ARN."""
BY_NAME: Final = {"read-kafka-topics", "read-table-streams", "send-to-buckets"}
"""What needs a name prefix, as AWS evaluates a part of it without the tags of a resource."""
SHAPES: Final = {
    "both": (TAG, PREFIX, OWNED_POLICIES.keys()),
    "tag": (TAG, "", OWNED_POLICIES.keys() - BY_NAME),
    "prefix": ("", PREFIX, OWNED_POLICIES.keys() - BY_TAG),
    "neither": ("", "", set()),
}
SAR: Final[dict[str, Any]] = json.loads(files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())
"""cfn-lint's copy of the Service Authorization Reference."""
OF_LAMBDA: Final = {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"}
"""What Lambda's guide allows on every resource, though EC2 has resources for it.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""


def parameters(shape: str) -> dict[str, str]:
    """Return the parameters of a shape."""
    tag, prefix, _ = SHAPES[shape]
    return {"FixResourceTag": tag, "FixNamePrefix": prefix}


def allowed_arns(template: Template) -> list[str]:
    """Return the policies of the stack that the fixer's role may attach."""
    (statement,) = (
        one for one in template.statements("ApplyFixRole") if one["Sid"] == "AttachAndDetachOnlyThesePolicies"
    )
    owned = [arn["Ref"] for arn in statement["Condition"]["ArnEquals"]["iam:PolicyARN"] if "Ref" in arn]
    return sorted(owned)


def statements(shape: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of the policies, with the end of the policy's name."""
    tag, prefix, _ = SHAPES[shape]
    for arn, document in owned_documents(tag, prefix).items():
        for statement in document["Statement"]:
            yield arn.partition("us-east-1-")[2], statement


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_the_parameters_decide_which_policies_the_stack_owns(shape: str, mode: str) -> None:
    """A policy that nothing would shape does not exist."""
    tag, prefix, names = SHAPES[shape]
    assert owned_documents(tag, prefix, mode).keys() == {arn_of(name) for name in names}


@pytest.mark.parametrize("mode", ["off", "plan"])
def test_a_stack_that_may_not_write_owns_no_policies(mode: str) -> None:
    """The parameters alone change nothing in IAM."""
    assert owned_documents(TAG, PREFIX, mode) == {}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_role_and_the_environment_have_exactly_the_policies_that_exist(
    deployed: Callable[..., Template], shape: str
) -> None:
    """The fixer knows and may attach each policy of the stack, and no other customer managed one."""
    template = deployed(FixMode="auto", **parameters(shape))
    existing = sorted(template.owned_policies)
    assert allowed_arns(template) == existing
    named = template.environment_of("ApplyFixFunction")["OWNED_POLICY_ARNS"]
    assert sorted(filter(None, named.split(","))) == existing


def test_the_fixer_knows_what_each_policy_is_for() -> None:
    """The ends of the names are those of the list, and say which service a policy is for."""
    for name, statement in statements("both"):
        services = {action.partition(":")[0] for action in listed(statement["Action"])}
        assert services == {owned_service(arn_of(name))}, name


@pytest.mark.parametrize("shape", ["both", "tag"])
def test_the_tag_shapes_every_action_that_aws_evaluates_with_it(shape: str) -> None:
    """What the tag does not shape, the name prefix does, or AWS knows no resources for it."""
    for name, statement in statements(shape):
        conditions = statement.get("Condition", {}).get("StringEquals", {})
        for action in listed(statement["Action"]):
            if "aws:ResourceTag/team" in conditions:
                assert conditions["aws:ResourceTag/team"] == "orders"
                assert action in TAGGED or action == "kinesis:SubscribeToShard", (name, action)
                assert any(map(supports_tags, resources_of(action))), (name, action)
            elif statement["Resource"] == "*":
                assert not resources_of(action) or action in OF_LAMBDA, (name, action)
            else:
                assert PREFIX in statement["Resource"], (name, action)


def test_without_a_tag_every_resource_has_the_prefix() -> None:
    """A name that begins otherwise does not match."""
    for name, statement in statements("prefix"):
        assert not statement.get("Condition"), name
        for action in listed(statement["Action"]):
            if statement["Resource"] == "*":
                assert not resources_of(action) or action in OF_LAMBDA, (name, action)
            else:
                head, _, rest = statement["Resource"].partition(f"{PREFIX}*")
                assert head.count("*") == 0, name
                assert head.endswith((":", "/")), name
                assert rest in ("", "/*", "/stream/*", "/consumer/*"), name


@pytest.mark.parametrize("shape", ["both", "tag", "prefix"])
def test_the_policies_are_for_this_account_and_region_and_deny_nothing(shape: str) -> None:
    """Buckets have neither in their ARNs."""
    for name, statement in statements(shape):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert not any("*" in action for action in listed(statement["Action"]))
        if statement["Resource"] != "*" and owned_service(arn_of(name)) != "s3":
            assert statement["Resource"].split(":")[3:5] == [PSEUDO["AWS::Region"], PSEUDO["AWS::AccountId"]]


def test_keys_are_used_only_through_the_services_that_need_them() -> None:
    """A key that is tagged for its queue must not decrypt anything else for the role."""
    of_keys = [(name, one) for name, one in statements("tag") if one["Action"][0].startswith("kms:")]
    via = {
        (name, one["Action"][0]): [each.split(".")[0] for each in one["Condition"]["StringEquals"]["kms:ViaService"]]
        for name, one in of_keys
    }
    assert via == {
        ("decrypt-sources", "kms:Decrypt"): ["sqs", "kinesis", "dynamodb", "secretsmanager"],
        ("encrypt-destinations", "kms:GenerateDataKey"): ["sqs", "sns", "s3"],
        ("encrypt-destinations", "kms:Decrypt"): ["sqs", "sns"],
    }


def test_the_policies_are_kept_when_the_stack_is_deleted(template: Template) -> None:
    """Roles use them, and would lose what they were given."""
    for name in template.owned_policies:
        resource = template.resources[name]
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert resource["UpdateReplacePolicy"] == "Retain", name


def test_two_stacks_and_two_regions_have_other_policies(template: Template) -> None:
    """IAM has one name for the whole account."""
    for policy in template.owned_policies.values():
        name = policy["ManagedPolicyName"]
        others = {**PSEUDO, "AWS::StackName": "second"}, {**PSEUDO, "AWS::Region": "eu-west-1"}
        assert len({rendered(name, known) for known in (PSEUDO, *others)}) == len(others) + 1
        longest = {**PSEUDO, "AWS::StackName": "a" * 64, "AWS::Region": "ap-northeast-1"}
        assert len(rendered(name, longest)) <= 128


def test_the_longest_environment_fits_lambdas_limit(template: Template) -> None:
    """Lambda allows 4 KB for all variables of a function."""
    arns = [
        f"arn:aws-us-gov:iam::123456789012:policy/permission-guard/{'a' * 64}-us-gov-east-1-{name}"
        for name in OWNED_POLICIES
    ]
    others = {name: value for name, value in template.environment_of("ApplyFixFunction").items() if "ARNS" not in name}
    assert len(",".join(arns)) + sum(len(name) + max(len(value), 120) for name, value in others.items()) < 4096


def resources_of(action: str) -> list[str]:
    """Return the types of resources that an action can be limited to."""
    service, _, name = action.partition(":")
    return [f"{service}:{one.lower()}" for one in SAR[service]["Actions"][name.lower()].get("Resources", [])]


def supports_tags(kind: str) -> bool:
    """Return whether AWS evaluates calls on a type of resources with its tags."""
    service, _, name = kind.partition(":")
    return "aws:ResourceTag/${TagKey}" in SAR[service]["Resources"].get(name, {}).get("ConditionKeys", [])


def test_every_tagged_action_has_a_resource_with_tags() -> None:
    """The engine must not know a key that AWS does not set."""
    for action in TAGGED:
        assert any(map(supports_tags, resources_of(action))), action


def test_a_policy_is_referred_to_by_its_arn(template: Template) -> None:
    """The Ref of a managed policy is its ARN; a GetAtt would be something else."""
    (statement,) = (
        one for one in template.statements("ApplyFixRole") if one["Sid"] == "AttachAndDetachOnlyThesePolicies"
    )
    arns = statement["Condition"]["ArnEquals"]["iam:PolicyARN"]
    assert {referred(arn) for arn in arns if "Ref" in arn} == template.owned_policies.keys()
