"""`permission-guard check` on the sources that permissions name, and on function URLs."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.unit.cli.test_check_templates import permission, template

HERE: Final = "${AWS::Region}:${AWS::AccountId}"
API: Final = f"arn:aws:execute-api:{HERE}:${{Api}}"
LONG: Final = "Rule" * 20
PG105: Final = ("PG105", "Permit0")


def sub(text: str) -> dict[str, Any]:
    """Return a text with references."""
    return {"Fn::Sub": text}


def arn_of(name: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return a reference to an attribute."""
    return {"Fn::GetAtt": [name, attribute]}


def one(kind: str, name: str = "Api", **properties: Any) -> dict[str, Any]:
    """Return one resource."""
    return {name: {"Type": kind, "Properties": properties}}


HTTP_API: Final = one("AWS::ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP")
REST_API: Final = one("AWS::ApiGateway::RestApi", Name="shop")


@pytest.mark.parametrize(
    ("principal", "source", "resources"),
    [
        ("bedrock", arn_of("Agent", "AgentArn"), one("AWS::Bedrock::Agent", "Agent")),
        ("vpc-lattice", {"Ref": "Group"}, one("AWS::VpcLattice::TargetGroup", "Group")),
        ("events", arn_of(LONG), one("AWS::Events::Rule", LONG, ScheduleExpression="rate(1 day)")),
        ("elasticloadbalancing", {"Ref": LONG}, one("AWS::ElasticLoadBalancingV2::TargetGroup", LONG)),
        ("cognito-idp", arn_of("Pool"), one("AWS::Cognito::UserPool", "Pool")),
        ("apigateway", sub(f"{API}/${{Stage}}/${{Method}}/users"), REST_API),
        ("apigateway", sub(f"{API}/*/*/users/*"), REST_API),
        ("lexv2", sub(f"arn:aws:lex:{HERE}:bot-alias/${{Stage}}/${{Method}}"), {}),
        ("secretsmanager", {"Ref": "Stage"}, {}),
    ],
)
def test_what_only_a_deployment_names_can_be_a_source(check: Any, principal: str, source: Any, resources: Any) -> None:
    """AWS assigns the ids and shortens the names; a parameter can be every name."""
    given = {"Parameters": {name: {"Type": "String"} for name in ("Stage", "Method")}}
    result = check(template(permission(f"{principal}.amazonaws.com", SourceArn=source), resources=resources, **given))
    assert PG105 not in result.findings


@pytest.mark.parametrize(
    ("principal", "source", "resources"),
    [
        ("apigateway", sub(f"{API}/*/GET/users/{{userId}}"), REST_API),
        ("events", sub(f"arn:aws:events:{HERE}:rule/default/nightly"), {}),
        (
            "events",
            sub(f"arn:aws:events:{HERE}:rule/${{Bus.Arn}}/nightly"),
            one("AWS::Events::EventBus", "Bus", Name="b"),
        ),
        ("logs", sub("${Group.Arn}:*"), one("AWS::Logs::LogGroup", "Group")),
        ("secretsmanager", sub(f"arn:aws:secretsmanager:{HERE}:secret:shop/db"), {}),
    ],
)
def test_a_source_that_never_matches_is_found(check: Any, principal: str, source: Any, resources: Any) -> None:
    """The `Arn` of a log group ends in `:*` already."""
    result = check(template(permission(f"{principal}.amazonaws.com", SourceArn=source), resources=resources))
    assert PG105 in result.findings


@pytest.mark.parametrize("resources", [HTTP_API, None], ids=["HTTP API", "API of another stack"])
def test_a_path_parameter_of_an_http_api_is_unknown(check: Any, resources: Any) -> None:
    """So is that of an API whose kind is not in the file."""
    source = sub(f"{API}/*/*/users/{{userId}}")
    given = {} if resources else {"Parameters": {"Api": {"Type": "String"}}}
    result = check(template(permission("apigateway.amazonaws.com", SourceArn=source), resources=resources, **given))
    assert PG105 not in result.findings
    assert [reason for rule, reason in result.unknowns if rule == "PG105" and "disagree" in reason]


# ── Function URLs ───────────────────────────────────────────────────────────────────────────────────────────────────

BY_URL: Final = permission("*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
VIA_URL: Final = permission("*", InvokedViaFunctionUrl=True)
DISTRIBUTION: Final = sub("arn:aws:cloudfront::${AWS::AccountId}:distribution/${Cdn}")
FOR_CDN: Final = permission("cloudfront.amazonaws.com", Action="lambda:InvokeFunctionUrl", SourceArn=DISTRIBUTION)
VIA_CDN: Final = permission("cloudfront.amazonaws.com", InvokedViaFunctionUrl=True, SourceArn=DISTRIBUTION)
ORIGIN: Final = {"Fn::Select": [2, {"Fn::Split": ["/", arn_of("Url", "FunctionUrl")]}]}


def url(auth_type: str) -> dict[str, Any]:
    """Return a URL of the function."""
    return one("AWS::Lambda::Url", "Url", TargetFunctionArn={"Ref": "Orders"}, AuthType=auth_type)


def distribution(domain: Any = ORIGIN, **origin: Any) -> dict[str, Any]:
    """Return a distribution with one origin."""
    origins = [{"Id": "function", "DomainName": domain, **origin}]
    return one("AWS::CloudFront::Distribution", "Cdn", DistributionConfig={"Enabled": True, "Origins": origins})


OAC: Final = distribution(OriginAccessControlId="E1A2B3C4D5E6F7")


@pytest.mark.parametrize(
    ("permissions", "resources", "titles"),
    [
        ([BY_URL], url("NONE"), {"Function URL of Orders returns 403": "high"}),
        ([VIA_URL], url("NONE"), {"Function URL of Orders returns 403": "high"}),
        ([], url("NONE"), {"Nobody can call the function URL of Orders": "low"}),
        ([BY_URL, VIA_URL], url("NONE"), {}),
        ([], url("AWS_IAM"), {}),
        (
            [FOR_CDN],
            {**url("AWS_IAM"), **one("AWS::CloudFront::Distribution", "Cdn")},
            {"cloudfront.amazonaws.com cannot call Orders through its URL": "high"},
        ),
        ([], {**url("AWS_IAM"), **OAC}, {"Distribution Cdn cannot invoke Orders": "high"}),
        ([FOR_CDN], {**url("AWS_IAM"), **OAC}, {"Distribution Cdn cannot invoke Orders": "high"}),
        ([FOR_CDN, VIA_CDN], {**url("AWS_IAM"), **OAC}, {}),
        ([], {**url("AWS_IAM"), **distribution(sub("${Other}.example.com"), OriginAccessControlId="E1")}, {}),
        ([], {**url("AWS_IAM"), **distribution()}, {}),
    ],
)
def test_the_pair_of_permissions_of_a_url_is_required(
    check: Any, permissions: list[Any], resources: Any, titles: dict[str, str]
) -> None:
    """The age of a URL is unknown before its deployment, so both are. CloudFront requires them too."""
    parameters = {"Parameters": {"Other": {"Type": "String"}}}
    result = check(template(*permissions, resources=resources, **parameters))
    found = [item for item in result.document["findings"] if item["rule_id"] == "PG112"]
    assert {item["title"]: item["severity"] for item in found} == titles
    assert len(found) == len(titles)


def test_a_url_that_nobody_can_call_is_never_published_by_its_remedy(check: Any) -> None:
    """The remedy is a decision: each line is a comment."""
    result = check(template(resources=url("NONE")))
    (finding,) = [item for item in result.document["findings"] if item["rule_id"] == "PG112"]
    for remedy in finding["remedies"]:
        assert all(line.startswith("#") for line in remedy["text"].splitlines())


# ── Literal names ───────────────────────────────────────────────────────────────────────────────────────────────────

UPLOADED: Final = {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": arn_of("Orders")}]}
INVOCATION: Final = sub(
    "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Orders.Arn}/invocations",
)
METHOD: Final = {
    **one("AWS::ApiGateway::RestApi", "Shop"),
    **one("AWS::ApiGateway::Deployment", "Deployment", RestApiId={"Ref": "Shop"}, StageName="prod"),
    **one(
        "AWS::ApiGateway::Method",
        "Root",
        RestApiId={"Ref": "Shop"},
        ResourceId=arn_of("Shop", "RootResourceId"),
        HttpMethod="GET",
        Integration={"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": INVOCATION},
    ),
}


@pytest.mark.parametrize(
    ("principal", "source", "resources", "title"),
    [
        ("s3", "arn:aws:s3:::Uploads", {}, "Bucket Uploads cannot invoke Orders"),
        ("s3", "arn:aws:s3:::uploads", {"BucketName": "shop-uploads"}, "Bucket shop-uploads cannot invoke Orders"),
        ("s3", "arn:aws:s3:::shop-uploads", {"BucketName": "shop-uploads"}, None),
        ("s3", sub("arn:aws:s3:::${Uploads}"), {}, None),
        ("s3", arn_of("Uploads"), {}, None),
    ],
)
def test_a_literal_bucket_that_the_template_names_otherwise_is_found(
    check: Any, principal: str, source: Any, resources: Any, title: str | None
) -> None:
    """CloudFormation generates the name of a bucket without one: it is never the logical id."""
    bucket = one("AWS::S3::Bucket", "Uploads", NotificationConfiguration=UPLOADED, **resources)
    allowed = permission(f"{principal}.amazonaws.com", SourceArn=source, SourceAccount={"Ref": "AWS::AccountId"})
    result = check(template(allowed, resources=bucket))
    assert [item["title"] for item in result.document["findings"]] == ([title] if title else [])


@pytest.mark.parametrize(("api", "is_found"), [("${Shop}", False), ("Shop", True), ("a1b2c3d4e5", True)])
def test_a_literal_api_that_the_template_defines_otherwise_is_found(check: Any, api: str, is_found: bool) -> None:
    """AWS assigns the id of an API. The remedy refers to it."""
    source = sub(f"arn:aws:execute-api:{HERE}:{api}/*/GET/")
    result = check(template(permission("apigateway.amazonaws.com", SourceArn=source), resources=METHOD))
    found = [item for item in result.document["findings"] if item["rule_id"] == "PG112"]
    assert bool(found) is is_found
    assert all("${Shop}/prod/GET/" in item["remedies"][0]["text"] for item in found)


@pytest.mark.parametrize(("table", "is_found"), [("${Stock}", False), ("Stock", True), ("stock", True)])
def test_a_literal_table_that_the_template_names_otherwise_is_found(check: Any, table: str, is_found: bool) -> None:
    """The role may read the stream of another table."""
    source = sub(f"arn:aws:dynamodb:{HERE}:table/{table}/stream/*")
    actions = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"]
    policy = {"Effect": "Allow", "Action": actions, "Resource": source}
    document = {"Version": "2012-10-17", "Statement": [policy, {**policy, "Action": actions[-1], "Resource": "*"}]}
    resources = {
        **one("AWS::DynamoDB::Table", "Stock", StreamSpecification={"StreamViewType": "NEW_IMAGE"}),
        **one("AWS::IAM::Policy", "Reading", PolicyName="read", Roles=[{"Ref": "OrdersRole"}], PolicyDocument=document),
        **one(
            "AWS::Lambda::EventSourceMapping",
            "Mapping",
            FunctionName={"Ref": "Orders"},
            EventSourceArn=arn_of("Stock", "StreamArn"),
            StartingPosition="LATEST",
        ),
    }
    result = check(template(resources=resources))
    assert ("PG201" in [rule for rule, _ in result.findings]) is is_found
