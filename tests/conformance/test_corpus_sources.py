"""What people and tools really write, where the corpus of statements is at hand: every exact source is recognized."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from permission_guard.invokers import invoker_of
from tests.conformance.material import STATEMENTS

NO_ARN: Final = "a reference that only Terraform resolves, or a parameter without a value"
POLLED: Final = "polled with the execution role: it sends no source"
PARAMETER: Final = "a REST API never sends the name of a path parameter, and of an HTTP API it is disputed"
NO_SUCH: Final = "a placeholder, or a reference that the corpus resolves to the name of the resource"
NO_ACCOUNT: Final = "the example's account is not one: AWS would never send this"

_API: Final = "arn:aws:execute-api:us-east-1:123456789012"

EXCEPTIONS: Final = {
    ("apigateway.amazonaws.com", f"{_API}:ApprovalApi/*/*/{{uuid}}"): PARAMETER,
    ("apigateway.amazonaws.com", f"{_API}:EndpointEEF1FD8F/test-invoke-stage/*/{{proxy+}}"): PARAMETER,
    ("apigateway.amazonaws.com", f"{_API}:EscalationApi/*/*/{{uuid}}"): PARAMETER,
    (
        "apigateway.amazonaws.com",
        f"{_API}:MyHttpApiWithDefaultAuthorizerE08800A1/*/*/v1/mything/{{proxy+}}",
    ): PARAMETER,
    ("apigateway.amazonaws.com", f"{_API}:httpapiexampleFD2D0249/*/*/proxypath/{{proxy+}}"): PARAMETER,
    (
        "cognito-idp.amazonaws.com",
        "arn:aws:cognito-idp:us-east-1:123456789012:userpool/CognitoUserPoolMyUserPool",
    ): NO_SUCH,
    (
        "logs.us-east-1.amazonaws.com",
        "arn:aws:logs:us-east-1:123456789012:log-group:log-group-name-1:resource-2",
    ): NO_SUCH,
    ("apigateway.amazonaws.com", "module.openapi_demo_rest_api.apigateway_restapi_execution_arn/*/*"): NO_ARN,
    ("cloudfront.amazonaws.com", "aws_cloudfront_distribution.http_api_distribution.arn"): NO_ARN,
    ("dynamodb.amazonaws.com", "module.dynamodb_table.dynamodb_table_stream_arn"): NO_ARN,
    (
        "dynamodb.amazonaws.com",
        "arn:aws:dynamodb:us-east-1:123456789012:table/this/stream/2026-01-01T00:00:00.000",
    ): POLLED,
    ("firehose.amazonaws.com", "firehose_delivery_stream_arn"): NO_ARN,
    ("kinesis.amazonaws.com", "arn:aws:kinesis:us-east-1:123456789012:stream/this"): POLLED,
    ("lex.amazonaws.com", "arn:aws:lex:us-east-1:123456789012 ID:intent:OrderFlowers:*"): NO_ACCOUNT,
    (
        "mq.amazonaws.com",
        "arn:aws:mq:us-east-1:123456789012:broker:this:b-00000000-0000-0000-0000-000000000000",
    ): POLLED,
    ("sns.amazonaws.com", "SNSTopicArn"): NO_ARN,
    ("sns.amazonaws.com", "arn:aws:sns:us-east-1:11111111111:topicname"): NO_ACCOUNT,
    ("sqs.amazonaws.com", "arn:aws:s3:::resource-2"): POLLED,
    ("sqs.amazonaws.com", "module.sqs.sqs_queue_arn"): NO_ARN,
}
"""Sources that are no source of their principal's, each with the reason."""


def exact_sources() -> list[tuple[str, str]]:
    """Return each pair of a known service and the one ARN in its statement."""
    pairs = set()
    for line in STATEMENTS.read_text().splitlines():
        statement = json.loads(line)["resolved"]
        for principal in services_of(statement):
            pairs |= {(principal, arn) for arn in sources_of(statement) if invoker_of(principal).is_known}
    return sorted(pairs)


def services_of(statement: dict[str, Any]) -> list[str]:
    """Return the service principals of a statement."""
    principal = statement.get("Principal")
    found = principal.get("Service", []) if isinstance(principal, dict) else []
    return [found] if isinstance(found, str) else found


def sources_of(statement: dict[str, Any]) -> list[str]:
    """Return the values of aws:SourceArn in a statement."""
    found: list[str] = []
    for keys in statement.get("Condition", {}).values():
        for key, values in keys.items():
            if key.lower() == "aws:sourcearn":
                found += [values] if isinstance(values, str) else values
    return found


PAIRS: Final = exact_sources()


@pytest.mark.parametrize(("principal", "arn"), PAIRS)
def test_the_source_of_a_statement_belongs_to_its_principal(principal: str, arn: str) -> None:
    """Exceptions are listed with a reason."""
    assert invoker_of(principal).admits(arn) is ((principal, arn) not in EXCEPTIONS)


def test_every_exception_is_in_the_corpus() -> None:
    """The list has no outdated exception."""
    assert set(EXCEPTIONS) <= set(PAIRS)
    assert len(PAIRS) > 100
