"""The services that invoke functions: the ARNs of their sources, the keys that they send, and what allows them."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

import pytest

from permission_guard.iam.arn import parse_arn
from permission_guard.invokers import INVOKERS, Authority, Invoker, Sent, invoker_of, never_sent
from permission_guard.invokers.apigateway import in_one_stage
from permission_guard.invokers.iot import functions_in_sql
from permission_guard.model.arns import partition_of

ACCOUNT: Final = "123456789012"
REGIONS: Final = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

PRINCIPALS: Final = {
    "alexa-appkit.amazon.com",
    "alexa-connectedhome.amazon.com",
    "apigateway.amazonaws.com",
    "appsync.amazonaws.com",
    "batchoperations.s3.amazonaws.com",
    "bedrock.amazonaws.com",
    "cloudfront.amazonaws.com",
    "codecommit.amazonaws.com",
    "codepipeline.amazonaws.com",
    "cognito-idp.amazonaws.com",
    "config.amazonaws.com",
    "connect.amazonaws.com",
    "dynamodb.amazonaws.com",
    "edgelambda.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "events.amazonaws.com",
    "firehose.amazonaws.com",
    "iot.amazonaws.com",
    "iotevents.amazonaws.com",
    "kafka.amazonaws.com",
    "kinesis.amazonaws.com",
    "lambda.alarms.cloudwatch.amazonaws.com",
    "lex.amazonaws.com",
    "lexv2.amazonaws.com",
    "logs.amazonaws.com",
    "mq.amazonaws.com",
    "pinpoint.amazonaws.com",
    "pipes.amazonaws.com",
    "replicator.lambda.amazonaws.com",
    "s3.amazonaws.com",
    "scheduler.amazonaws.com",
    "secretsmanager.amazonaws.com",
    "ses.amazonaws.com",
    "sns.amazonaws.com",
    "sqs.amazonaws.com",
    "states.amazonaws.com",
    "vpc-lattice.amazonaws.com",
}
POLLED: Final = {f"{service}.amazonaws.com" for service in ("sqs", "kinesis", "dynamodb", "kafka", "mq")}
WITH_A_ROLE: Final = {
    f"{service}.amazonaws.com"
    for service in ("scheduler", "pipes", "states", "codepipeline", "batchoperations.s3", "firehose")
}
SKILLS: Final = {"alexa-appkit.amazon.com", "alexa-connectedhome.amazon.com"}
EDGE: Final = {"edgelambda.amazonaws.com", "replicator.lambda.amazonaws.com"}
WITHOUT_SOURCE: Final = POLLED | WITH_A_ROLE | SKILLS

SAME_SOURCES: Final = (EDGE | {"cloudfront.amazonaws.com"},)
"""Principals whose sources are the same resources: distributions."""

WITH_ARN: Final = [invoker for invoker in INVOKERS if invoker.source_arn]


def name_of(invoker: Invoker) -> str:
    """Return the name of the test case of an invoker."""
    return invoker.principal


EXAMPLES: Final = {
    "AGENT-ID": "A1B2C3D4E5",
    "BOT-ALIAS-ID": "TSTALIASID",
    "BOT-ID": "A1B2C3D4E5",
    "CONFIG-RULE-ID": "config-rule-a1b2c3",
    "METHOD": "GET",
    "ANY-METHOD": "ANY",
    "SECRET-NAME": "shop/db-A1b2C3",
    "SERVICE": "config-conforms.amazonaws.com",
    "TARGET-GROUP-ID": "73e2d6bc24d8a067",
    "USER-POOL-ID": "us-east-1_A1b2C3",
}
"""Names that AWS assigns, or whose form the service prescribes."""


def filled(form: str, partition: str = "aws") -> str:
    """Return an ARN of a form, with its names in capitals replaced by examples."""
    arn = form.format(partition=partition, region=REGIONS[partition], account=ACCOUNT)
    arn = re.sub(r"[A-Z][A-Z-]+", lambda match: EXAMPLES.get(match[0], "orders"), arn)
    return arn.replace("targetgroup/73e2d6bc24d8a067", "targetgroup/tg-0a1b2c3d4e5f6a7b8") if "lattice" in arn else arn


def forms_of(invoker: Invoker) -> tuple[str, ...]:
    """Return every form of a source's ARN."""
    return tuple(form for form in (invoker.source_arn, *invoker.other_source_arns) if form)


def test_every_known_principal_has_one_entry() -> None:
    """A second entry would never be found, and a principal without one would get the general entry."""
    assert sorted(invoker.principal for invoker in INVOKERS) == sorted(PRINCIPALS)
    assert all(invoker.is_known for invoker in INVOKERS)


@pytest.mark.parametrize("invoker", INVOKERS, ids=name_of)
def test_each_entry_links_to_the_aws_documentation(invoker: Invoker) -> None:
    """Every attribute can be verified there."""
    host = "developer.amazon.com/docs" if invoker.principal in SKILLS else "docs.aws.amazon.com"
    assert re.fullmatch(rf"https://{re.escape(host)}/[\w./-]+\.html", invoker.documentation)


@pytest.mark.parametrize("invoker", INVOKERS, ids=name_of)
def test_a_source_has_the_correct_article(invoker: Invoker) -> None:
    """It depends on the first letter; `API` and `IoT` start with a vowel, too."""
    assert invoker.article == ("an" if invoker.source[0].lower() in "aeio" else "a")
    assert invoker.a_source == f"{invoker.article} {invoker.source}"


@pytest.mark.parametrize("invoker", WITH_ARN, ids=name_of)
@pytest.mark.parametrize("partition", REGIONS)
def test_the_form_of_an_arn_has_fields_and_names_in_capitals(invoker: Invoker, partition: str) -> None:
    """Only the owner knows the names in capitals."""
    region = REGIONS[partition]
    assert partition_of(region) == partition
    for form in forms_of(invoker):
        arn = form.format(partition=partition, region=region, account=ACCOUNT)
        parsed = parse_arn(arn)
        assert parsed is not None
        assert (parsed.prefix, parsed.partition) == ("arn", partition)
        assert re.fullmatch(r"[a-z0-9-]+", parsed.service)
        assert parsed.region in {"", region}
        assert parsed.account == (ACCOUNT if invoker.source_arn_has_account else "")
        assert "{" not in arn
        assert re.search(r"[A-Z]", parsed.resource)


def test_only_a_bucket_arn_contains_no_account() -> None:
    """Only for buckets the statement must name the account as well."""
    assert {invoker.principal for invoker in WITH_ARN if not invoker.source_arn_has_account} == {"s3.amazonaws.com"}


@pytest.mark.parametrize("invoker", WITH_ARN, ids=name_of)
@pytest.mark.parametrize("partition", REGIONS)
def test_an_invoker_admits_only_the_arns_of_its_own_sources(invoker: Invoker, partition: str) -> None:
    """A statement for a principal with an ARN of another service has no effect."""
    kin = next((group for group in SAME_SOURCES if invoker.principal in group), {invoker.principal})
    for form in forms_of(invoker):
        arn = filled(form, partition)
        assert {other.principal for other in INVOKERS if other.admits(arn)} == kin


ADMITTED: Final = [
    ("s3", "arn:aws:s3:::uploads"),
    ("s3", "arn:aws:s3:*:*:uploads"),
    ("s3", "arn:aws:s3:::uploads-??"),
    ("sns", f"arn:aws:sns:us-east-1:{ACCOUNT}:*"),
    ("sns", "arn:aws:sns:*"),
    ("sns", "arn:*:sns:*:*:orders"),
    ("sns", "arn:aws*:orders"),
    ("sns", f"arn:aws-eusc:sns:eusc-de-east-1:{ACCOUNT}:orders"),
    ("sns", "arn:aws-cn:sns:*"),
    ("sns", "*"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/*"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/bus/nightly"),
    ("events", "arn:aws:events:us-east-1:12345678901?:rule/nightly"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/GET/"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/$default"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*$connect"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/authorizers/d4"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/orders:*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/*"),
    ("iot", f"arn:aws:iot:us-east-1:{ACCOUNT}:authorizer/token"),
    ("cognito-idp", f"arn:aws-us-gov:cognito-idp:us-gov-west-1:{ACCOUNT}:userpool/us-gov-west-1_a1"),
    ("pinpoint", f"arn:aws:mobiletargeting:us-east-1:{ACCOUNT}:apps/*"),
    ("cloudfront", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"),
    ("ses", f"arn:aws:ses:us-east-1:{ACCOUNT}:receipt-rule-set/*"),
    ("lex", f"arn:aws:lex:us-east-1:{ACCOUNT}:intent:OrderFlowers:*"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/GET/users/*"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/*/users/*/orders"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/ANY/users"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/$default/$default"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/???/P*T/"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/defaults/nightly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/default"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/aws.partner/example.com/shop/nightly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/*/nightly-*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*:*"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/db-A1b2C3"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/db-??????"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/*"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:db-secret"),
    ("config", f"arn:aws:config:us-east-1:{ACCOUNT}:config-rule/aws-service-rule/*/config-rule-a1b2c3"),
    ("lambda.alarms.cloudwatch", f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:orders: 5xx (prod)"),
]
REJECTED: Final = [
    ("s3", "arn:aws:s3:::"),
    ("s3", "arn:other:s3:::uploads"),
    ("s3", f"arn:aws:s3:us-east-1:{ACCOUNT}:uploads"),
    ("s3", f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"),
    ("s3", "uploads"),
    ("s3", ""),
    ("sns", "arn:aws:sns:us-east-1:11111111111:orders"),
    ("sns", "arn:aws:sns:us-east-1::orders"),
    ("sns", "arn:aws:sqs:*"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"),
    ("events", f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/default/nightly"),
    ("apigateway", "arn:aws:apigateway:us-east-1::/restapis/a1b2c3"),
    ("apigateway", "arn:aws:execute-api:ap-southeast-1::*"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3"),
    ("elasticloadbalancing", f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:loadbalancer/app/web/a1"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/orders"),
    ("vpc-lattice", f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/web/a1"),
    ("lexv2", f"arn:aws:lex:us-east-1:{ACCOUNT}:intent:OrderFlowers:*"),
    ("lex", f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/BOT/ALIAS"),
    ("cloudfront", f"arn:aws:cloudfront:us-east-1:{ACCOUNT}:distribution/E1"),
    ("config", f"arn:aws:config:us-east-1:{ACCOUNT}:config-recorder/default"),
    ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"),
    ("states", f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:orders"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/GET/users/{{userId}}"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/*/*/{{proxy+}}"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:*/{{id}}"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/prod/get/users"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/prod/FETCH/users"),
    ("apigateway", f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/prod/G?/users"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/default/nightly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/default/*"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/arn:aws:events:us-east-1:{ACCOUNT}:event-bus/shop/nightly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/shop/eu/nightly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/night ly"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{'n' * 65}"),
    ("events", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/night ly*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/orders:*:*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/orders:log-stream:*"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/orders:log-stream:2026"),
    ("logs", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:or*ders and more:*"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/db"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/db-?????"),
    ("secretsmanager", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/db-A1b2C3:password"),
    ("sns", f"arn:aws:sns:us-east-1:{ACCOUNT}:orders.fifo"),
    ("sns", f"arn:aws:sns:us-east-1:{ACCOUNT}:orders/new"),
    ("sns", f"arn:aws:sns:us-east-1a:{ACCOUNT}:orders"),
    ("s3", "arn:aws:s3:::up*/loads"),
    ("s3", "arn:aws:s3:::my bucket"),
    ("s3", "arn:aws:s3:::ab"),
    ("iot", f"arn:aws:iot:us-east-1:{ACCOUNT}:rule/night-ly"),
    ("iot", f"arn:aws:iot:us-east-1:{ACCOUNT}:topic/orders"),
    ("config", f"arn:aws:config:us-east-1:{ACCOUNT}:config-rule/required-tags"),
    ("cognito-idp", f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/customers"),
    ("bedrock", f"arn:aws:bedrock:us-east-1:{ACCOUNT}:agent/orders-agent"),
    ("bedrock", f"arn:aws:bedrock:us-east-1:{ACCOUNT}:agent-alias/A1B2C3D4E5/TSTALIASID"),
    ("lexv2", f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/A1B2C3D4E5"),
    ("vpc-lattice", f"arn:aws:vpc-lattice:us-east-1:{ACCOUNT}:targetgroup/orders"),
    ("ses", f"arn:aws:ses:us-east-1:{ACCOUNT}:receipt-rule-set/inbound/receipt-rule/store"),
    ("codecommit", f"arn:aws:codecommit:us-east-1:{ACCOUNT}:shop/orders"),
]


@pytest.mark.parametrize(("service", "arn"), ADMITTED)
def test_an_arn_that_a_source_can_have_is_admitted(service: str, arn: str) -> None:
    """So are patterns, even if they are too broad to restrict the caller."""
    assert invoker_of(f"{service}.amazonaws.com").admits(arn)


@pytest.mark.parametrize(("service", "arn"), REJECTED)
def test_an_arn_that_no_source_can_have_is_not_admitted(service: str, arn: str) -> None:
    """Of another service or resource, with an unexpected or missing account, or not an ARN."""
    assert not invoker_of(f"{service}.amazonaws.com").admits(arn)


@pytest.mark.parametrize(
    ("pattern", "in_parts", "as_text"),
    [
        (f"arn:aws:sns:*:{ACCOUNT}:orders", True, True),
        ("arn:aws:s*:orders", True, True),
        ("arn:*:*:*:orders:*", False, False),
        ("arn:aws:logs:*:log-group:/aws/lambda/orders:*", False, True),
        ("arn:aws:logs:*:log-group:/aws/lambda/orders", False, False),
        ("arn:*:log-group:/aws/lambda/orders:?", True, True),
    ],
)
def test_a_star_matches_colons_only_in_a_comparison_of_texts(pattern: str, in_parts: bool, as_text: bool) -> None:
    """ArnLike compares part by part, StringLike the whole."""
    invoker = invoker_of("logs.amazonaws.com" if "log" in pattern else "sns.amazonaws.com")
    assert (invoker.admits(pattern), invoker.admits(pattern, as_text=True)) == (in_parts, as_text)


@pytest.mark.parametrize(
    ("tail", "disputed"),
    [
        ("*/ANY/users", True),
        ("prod/ANY/users", True),
        ("prod/AN?/users/*", True),
        ("*/*/users", False),
        ("*/GET/users", False),
        ("prod/GET/ANY/users", False),
        ("*/ANY", False),
        ("*", False),
    ],
)
def test_only_the_method_any_is_disputed(tail: str, disputed: bool) -> None:
    """Reports and documentation disagree on whether API Gateway sends it. `ANY` is also the key of a route."""
    pattern = in_one_stage(f"arn:aws:execute-api:us-east-1:{ACCOUNT}:a1b2c3/{tail}")
    assert invoker_of("apigateway.amazonaws.com").is_disputed(pattern) is disputed


@pytest.mark.parametrize(
    ("service", "wrong", "right"),
    [
        (
            "apigateway",
            "execute-api:us-east-1:{0}:a1/*/GET/users/{{id}}/*",
            "execute-api:us-east-1:{0}:a1/*/GET/users/*/*",
        ),
        ("events", "events:us-east-1:{0}:rule/default/nightly", "events:us-east-1:{0}:rule/nightly"),
        ("logs", "logs:us-east-1:{0}:log-group:/aws/shop", "logs:us-east-1:{0}:log-group:/aws/shop:*"),
        ("logs", "logs:us-east-1:{0}:log-group:/aws/shop:*:*", "logs:us-east-1:{0}:log-group:/aws/shop:*"),
        ("logs", "logs:us-east-1:{0}:log-group:/aws/shop:log-stream:*", "logs:us-east-1:{0}:log-group:/aws/shop:*"),
        ("logs", "logs:us-east-1:{0}:log-group:/aws/shop:*", "logs:us-east-1:{0}:log-group:/aws/shop:*"),
        ("logs", "logs:us-east-1:{0}:destination:shop", "logs:us-east-1:{0}:destination:shop"),
        ("sns", "sns:us-east-1:{0}:orders.fifo", "sns:us-east-1:{0}:orders.fifo"),
    ],
)
def test_a_common_mistake_in_an_arn_is_corrected(service: str, wrong: str, right: str) -> None:
    """What a source can send, and what has another mistake, stays as it is."""
    invoker = invoker_of(f"{service}.amazonaws.com")
    assert invoker.corrected(f"arn:aws:{wrong.format(ACCOUNT)}") == f"arn:aws:{right.format(ACCOUNT)}"


@pytest.mark.parametrize(
    ("source_region", "region", "principals"),
    [
        ("ap-east-1", "us-east-1", ("sns.ap-east-1.amazonaws.com",)),
        ("ap-east-1", "ap-east-1", ("sns.amazonaws.com", "sns.ap-east-1.amazonaws.com")),
        ("us-west-2", "us-east-1", ("sns.amazonaws.com", "sns.us-east-1.amazonaws.com")),
        ("*", "us-east-1", ("sns.amazonaws.com", "sns.us-east-1.amazonaws.com")),
        ("ap-*-1", "us-east-1", ("sns.amazonaws.com", "sns.us-east-1.amazonaws.com")),
    ],
)
def test_a_topic_of_an_opt_in_region_calls_other_regions_with_its_regional_principal(
    source_region: str, region: str, principals: tuple[str, ...]
) -> None:
    """Within a region, and from the regions that every account has, the plain principal calls."""
    topic = f"arn:aws:sns:{source_region}:{ACCOUNT}:orders"
    assert invoker_of("sns.amazonaws.com").principals_of(topic, "aws", region) == principals
    assert invoker_of("s3.amazonaws.com").principals_of("arn:aws:s3:::uploads", "aws", region) == ("s3.amazonaws.com",)


@pytest.mark.parametrize(
    ("sql", "functions"),
    [
        ("SELECT * FROM 'topic'", ()),
        ("SELECT aws_lambda('arn:1', {'a': b}) FROM 'topic'", ("arn:1",)),
        ('SELECT AWS_Lambda ( "arn:1" , *) AS a FROM \'t\' WHERE aws_lambda("arn:2", *).ok', ("arn:1", "arn:2")),
        ("SELECT aws_lambda('arn:1', *), aws_lambda('arn:1', x) FROM 't'", ("arn:1",)),
        ("SELECT \n aws_lambda(\n 'arn:1', *) FROM 't'", ("arn:1",)),
        ("SELECT aws_lambda(concat('arn:', name), *) FROM 't'", (None,)),
        ("SELECT 'aws_lambda(\"arn:1\", *)' AS text FROM 't'", ()),
        ("SELECT my_aws_lambda('arn:1') FROM 't'", ()),
        ("SELECT aws_lambda", ()),
        ("SELECT aws_lambda('arn:1', *) FROM 't", ("arn:1",)),
        ("SELECT aws_lambda('arn:1", (None,)),
        ("SELECT " + '\\"' * 100_000 + "aws_lambda('arn:1')", ()),
    ],
)
def test_a_topic_rule_calls_the_functions_of_its_sql(sql: str, functions: tuple[str | None, ...]) -> None:
    """A text that only looks like a call is none."""
    assert functions_in_sql(sql) == functions


@pytest.mark.parametrize("invoker", INVOKERS, ids=name_of)
def test_statements_cannot_require_a_source_that_a_service_does_not_send(invoker: Invoker) -> None:
    """Such a condition would stop a service that works, or has no effect."""
    assert invoker.names_its_source is (invoker.principal not in WITHOUT_SOURCE | EDGE)


@pytest.mark.parametrize("invoker", INVOKERS, ids=name_of)
def test_a_service_has_the_form_of_an_arn_unless_it_sends_none(invoker: Invoker) -> None:
    """A statement with an ARN that is never sent would have no effect."""
    assert (invoker.sends_source_arn is Sent.NO) == (invoker.principal in WITHOUT_SOURCE)
    assert bool(invoker.source_arn) is (invoker.principal not in WITHOUT_SOURCE)


def test_only_a_skill_sends_a_token() -> None:
    """It sends no other key that identifies the source."""
    assert {item.principal for item in INVOKERS if item.sends_event_source_token is not Sent.NO} == SKILLS
    for principal in SKILLS:
        skill = invoker_of(principal)
        assert skill.sends_event_source_token is Sent.YES
        assert skill.sends_source_account is Sent.NO
        assert skill.invokes_by_policy


def test_pollers_and_users_of_roles_never_invoke_through_the_policy() -> None:
    """A statement for them has no effect."""
    assert {item.principal for item in INVOKERS if item.authority is Authority.EXECUTION_ROLE} == POLLED
    assert {item.principal for item in INVOKERS if item.authority is Authority.OWN_ROLE} == WITH_A_ROLE
    assert {item.principal for item in INVOKERS if not item.invokes_by_policy} == POLLED | WITH_A_ROLE


def test_the_account_alone_is_what_aws_documents_for_secrets_and_custom_rules() -> None:
    """For these services the account is enough, and they send it."""
    alone = [item for item in INVOKERS if item.account_suffices]
    assert {item.principal for item in alone} == {"config.amazonaws.com", "secretsmanager.amazonaws.com"}
    assert all(item.sends_source_account is Sent.YES for item in alone)


def test_aws_creates_the_statements_of_lambda_at_edge() -> None:
    """They must not be changed."""
    assert {item.principal for item in INVOKERS if item.written_by_aws} == EDGE


@pytest.mark.parametrize(
    ("principal", "found"),
    [
        ("logs.us-east-1.amazonaws.com", "logs.amazonaws.com"),
        ("logs.us-gov-west-1.amazonaws.com", "logs.amazonaws.com"),
        ("logs.cn-north-1.amazonaws.com.cn", "logs.amazonaws.com"),
        ("logs.amazonaws.com.cn", "logs.amazonaws.com"),
        ("pinpoint.us-east-1.amazonaws.com", "pinpoint.amazonaws.com"),
        ("sns.ap-east-1.amazonaws.com", "sns.amazonaws.com"),
        ("states.eu-west-1.amazonaws.com", "states.amazonaws.com"),
        ("s3.amazonaws.com.cn", "s3.amazonaws.com"),
        ("S3.AmazonAWS.com", "s3.amazonaws.com"),
        (" sns.amazonaws.com\n", "sns.amazonaws.com"),
    ],
)
def test_a_principal_is_found_in_every_form_of_its_name(principal: str, found: str) -> None:
    """With its region, with the domain of China, in another case, and with spaces around it."""
    assert invoker_of(principal) is invoker_of(found)
    assert invoker_of(found).principal == found


@pytest.mark.parametrize("invoker", INVOKERS, ids=name_of)
@pytest.mark.parametrize("partition", REGIONS)
def test_the_name_in_a_region_leads_back_to_the_entry(invoker: Invoker, partition: str) -> None:
    """The principal that is written in a statement is recognized."""
    assert invoker_of(invoker.principal_in(partition, REGIONS[partition])) is invoker


def test_only_cloudwatch_logs_has_another_suffix_in_china() -> None:
    """The principals of all other services are the same in every partition."""
    names = {item.principal: item.principal_in("aws-cn", "cn-north-1") for item in INVOKERS}
    assert names["logs.amazonaws.com"] == "logs.cn-north-1.amazonaws.com.cn"
    assert [name for name in names.values() if name.endswith(".cn")] == ["logs.cn-north-1.amazonaws.com.cn"]
    assert names["sns.amazonaws.com"] == "sns.cn-north-1.amazonaws.com"
    assert names["s3.amazonaws.com"] == "s3.amazonaws.com"
    assert invoker_of("logs.amazonaws.com").principal_in("aws", "us-east-1") == "logs.us-east-1.amazonaws.com"


def test_services_have_the_partitions_in_which_they_exist() -> None:
    """All exist in `aws`. This test lists those that do not exist in another partition."""
    assert all("aws" in item.partitions and set(item.partitions) <= set(REGIONS) for item in INVOKERS)
    assert {item.principal for item in INVOKERS if "aws-cn" not in item.partitions} == SKILLS | EDGE | {
        "bedrock.amazonaws.com",
        "cloudfront.amazonaws.com",
        "cognito-idp.amazonaws.com",
        "connect.amazonaws.com",
        "lex.amazonaws.com",
        "lexv2.amazonaws.com",
        "pinpoint.amazonaws.com",
        "ses.amazonaws.com",
        "vpc-lattice.amazonaws.com",
    }
    assert {item.principal for item in INVOKERS if "aws-us-gov" not in item.partitions} == SKILLS | EDGE | {
        "appsync.amazonaws.com",
        "cloudfront.amazonaws.com",
        "pipes.amazonaws.com",
        "vpc-lattice.amazonaws.com",
    }


def test_services_that_have_ended_invoke_no_function() -> None:
    """Only discontinued services have a last day."""
    ended = {item.principal: item.ended for item in INVOKERS if item.has_ended}
    assert ended == {
        "iotevents.amazonaws.com": date(2026, 5, 20),
        "lex.amazonaws.com": date(2025, 9, 15),
        "pinpoint.amazonaws.com": date(2026, 10, 30),
    }
    assert not any(invoker_of(principal).calls_by_policy for principal in ended)
    assert invoker_of("s3.amazonaws.com").calls_by_policy
    assert not invoker_of("sqs.amazonaws.com").calls_by_policy
    assert not invoker_of("replicator.lambda.amazonaws.com").calls_by_policy


def test_a_service_has_the_keys_that_it_never_sends() -> None:
    """For a service without an entry they are unknown."""
    assert never_sent("s3.amazonaws.com") == {"lambda:eventsourcetoken"}
    assert "aws:sourcearn" in never_sent("alexa-appkit.amazon.com")
    assert "lambda:eventsourcetoken" not in never_sent("alexa-appkit.amazon.com")
    assert never_sent("appconfig.amazonaws.com") == frozenset()


@pytest.mark.parametrize(
    ("principal", "source", "arn"),
    [
        ("appconfig.amazonaws.com", "an appconfig resource", "appconfig"),
        ("omics.amazonaws.com", "an omics resource", "omics"),
        ("transcribe.amazonaws.com", "a transcribe resource", "transcribe"),
        ("s3.us-east-1.amazonaws.com", "a s3 resource", "s3"),
        ("alexa-appkit.amazon.com.cn", "an alexa-appkit resource", "alexa-appkit"),
        ("sqs.amazonaws.com.evil.example", "a sqs resource", "sqs"),
        ("dumbeldor", "a dumbeldor resource", "dumbeldor"),
        ("901234678", "a 901234678 resource", "901234678"),
        ("{0}.amazonaws.com", "a 0 resource", "0"),
        ("${Service}.amazonaws.com", "a service resource", "service"),
        (".amazonaws.com", "a resource", "SERVICE"),
        ("*", "a resource", "SERVICE"),
        ("", "a resource", "SERVICE"),
        ("é{region!r}:\n", "a regionr resource", "regionr"),
    ],
)
def test_a_service_without_an_entry_gets_the_general_entry(principal: str, source: str, arn: str) -> None:
    """For every principal its ARN is a valid guess, and the keys that it sends are unknown."""
    invoker = invoker_of(principal)
    assert not invoker.is_known
    assert invoker.principal == principal
    assert invoker.a_source == source
    assert invoker.names_its_source
    assert not invoker.has_ended
    assert {invoker.sends_source_arn, invoker.sends_source_account, invoker.sends_event_source_token} == {Sent.UNKNOWN}
    guess = invoker.source_arn.format(partition="aws", region="us-east-1", account=ACCOUNT)
    assert guess == f"arn:aws:{arn}:us-east-1:{ACCOUNT}:RESOURCE"
    assert invoker.admits("arn:aws:s3:::uploads")
    assert invoker.principal_in("aws", "us-east-1") == principal
