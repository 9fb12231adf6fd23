"""The expected verdicts for each pattern of the corpus of statements, and the reasons.

A family has the same verdicts for the same reason. A record that differs from the rest of its pattern is listed by its
id. This file contains no text of the corpus, only names of patterns and ids of records. `tools/corpus` writes
`docs/corpus.md` from this table, so its sentences are for users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """Statements with the same verdicts.

    `rule_ids` are the rules that report a violation, `unknown` the rules whose outcome is unknown. A record in
    `records` belongs to the family whatever its pattern.
    """

    title: str
    rule_ids: tuple[str, ...]
    why: str
    patterns: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


_ALARMS: Final = "service:lambda.alarms.cloudwatch.amazonaws.com"
_API: Final = "service:apigateway.amazonaws.com | InvokeFunction"

FAMILIES: Final = (
    # ── No finding ──────────────────────────────────────────────────────────────────────────────────────────────────
    Family(
        "API Gateway for an API of the same account",
        (),
        "The ARN names the account and the API. Wildcards for the stage, the method and the path match no other "
        "account. Most tools write them, so that one statement covers every stage.",
        (
            f"{_API} | SourceArn=execute-api[api+*/*/*]",
            f"{_API} | SourceArn=execute-api[api+*/*/x/...]",
            f"{_API} | SourceArn=execute-api[api+*/*/x]",
            f"{_API} | SourceArn=execute-api[api+*/*]",
            f"{_API} | SourceArn=execute-api[api+*/x/*/...]",
            f"{_API} | SourceArn=execute-api[api+*/x/*]",
            f"{_API} | SourceArn=execute-api[api+*/x/x/...]",
            f"{_API} | SourceArn=execute-api[api+*/x/x]",
            f"{_API} | SourceArn=execute-api[api+*/x]",
            f"{_API} | SourceArn=execute-api[api+*]",
            f"{_API} | SourceArn=execute-api[api+x*]",
            f"{_API} | SourceArn=execute-api[api+x/*/*]",
            f"{_API} | SourceArn=execute-api[api+x/*/x/...]",
            f"{_API} | SourceArn=execute-api[api+x/*/x]",
            f"{_API} | SourceArn=execute-api[api+x/*]",
            f"{_API} | SourceArn=execute-api[api+x/x/*]",
            f"{_API} | SourceArn=execute-api[api+x/x/x/...]",
            f"{_API} | SourceArn=execute-api[exact]",
        ),
    ),
    Family(
        "A service for one source of the same account",
        (),
        "The ARN contains the account, so `aws:SourceAccount` is not needed: AppSync, CloudFront, Cognito, load "
        "balancers, EventBridge, IoT and SNS.",
        (
            "service:appsync.amazonaws.com | InvokeFunction | SourceArn=appsync[exact]",
            "service:cloudfront.amazonaws.com | InvokeFunctionUrl | SourceArn=cloudfront[exact]",
            "service:cognito-idp.amazonaws.com | InvokeFunction | SourceArn=cognito-idp[exact]",
            "service:elasticloadbalancing.amazonaws.com | InvokeFunction | SourceArn=elasticloadbalancing[exact]",
            "service:events.amazonaws.com | InvokeFunction | SourceArn=events[exact]",
            "service:iot.amazonaws.com | InvokeFunction | SourceArn=iot[exact]",
            "service:sns.amazonaws.com | InvokeFunction | SourceArn=sns[exact]",
        ),
    ),
    Family(
        "A service for one source and its account",
        (),
        "Both keys agree. A bucket needs the account, because its ARN has none. For other sources it is harmless.",
        (
            "service:iot.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=iot[exact]",
            f"{_ALARMS} | InvokeFunction | SourceAccount; SourceArn=cloudwatch[exact]",
            "service:s3.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=s3[no-account,exact]",
        ),
    ),
    Family(
        "CloudWatch Logs for a log group",
        (),
        "The `:*` at the end is part of the ARN that CloudWatch Logs sends; nothing narrower works. The principal with "
        "a region is the same service.",
        (
            "service:logs.<region>.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=logs[exact]",
            "service:logs.<region>.amazonaws.com | InvokeFunction | SourceArn=logs[resource-wildcard]",
            "service:logs.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=logs[resource-wildcard]",
            "service:logs.amazonaws.com | InvokeFunction | SourceArn=logs[resource-wildcard]",
        ),
    ),
    Family(
        "A service with only the same account",
        (),
        "Any source of the account may invoke, and no other. SAM writes this for buckets, and CDK for Config and SES, "
        "because the function is created before its source.",
        (
            "service:bedrock.amazonaws.com | InvokeFunction | SourceAccount",
            "service:config.amazonaws.com | InvokeFunction | SourceAccount",
            "service:s3.amazonaws.com | InvokeFunction | SourceAccount",
            "service:ses.amazonaws.com | InvokeFunction | SourceAccount",
        ),
    ),
    Family(
        "Everyone, for a source of the same account",
        (),
        "Only services send `aws:SourceAccount`. The statement allows no direct callers, and services only for this "
        "account.",
        ("principal:* | InvokeFunction | SourceAccount",),
    ),
    Family(
        "Alexa with the id of the skill",
        (),
        "Alexa sends no ARN and no account. Only the token can restrict it, also if the principal is `*`.",
        (
            "principal:* | InvokeFunction | EventSourceToken",
            "service:alexa-appkit.amazon.com | InvokeFunction | EventSourceToken",
        ),
    ),
    Family(
        "A service that is not in the list, with a token",
        (),
        "Whether the service sends the token is unknown. If it does not, the statement allows nothing. It is public in "
        "neither case.",
        ("service:foo.amazonaws.com | InvokeFunction | EventSourceToken",),
    ),
    Family(
        "Alexa, disabled by the Serverless Framework",
        (),
        "Lambda has no action `lambda:DisableInvokeFunction`. The statement grants nothing, which is the purpose of "
        "`enabled: false`.",
        ("service:alexa-appkit.amazon.com | DisableInvokeFunction | EventSourceToken",),
    ),
    Family(
        "A role of the same account",
        (),
        "The role is named, and belongs to this account.",
        ("aws:role | InvokeFunction | no-conditions",),
    ),
    Family(
        "Lambda@Edge",
        (),
        "The statement has the principal of the statements that Lambda@Edge writes. The rules ignore these.",
        ("service:edgelambda.amazonaws.com | InvokeFunction | SourceArn=cloudfront[exact]",),
    ),
    Family(
        "Layers",
        (),
        "The statement belongs to the policy of a layer: it allows no access to a function.",
        ("principal:* | GetLayerVersion | PrincipalOrgID", "principal:* | GetLayerVersion | no-conditions"),
    ),
    Family(
        "A Deny",
        (),
        "A Deny grants nothing.",
        ("principal:* | UpdateFunctionUrlConfig | FunctionUrlAuthType=NONE",),
    ),
    # ── Who may invoke ──────────────────────────────────────────────────────────────────────────────────────────────
    Family(
        "Everyone",
        ("PG101",),
        "The principal is `*` and there is no condition: anyone with an AWS account can invoke the function.",
        ("principal:* | InvokeFunction | no-conditions",),
    ),
    Family(
        "A service without a condition",
        ("PG102",),
        "The service invokes the function for any account that configures it. Each of these services sends the ARN or "
        "the account of the source, so a condition can restrict it.",
        (
            f"{_API} | no-conditions",
            "service:appsync.amazonaws.com | InvokeFunction | no-conditions",
            "service:config.amazonaws.com | InvokeFunction | no-conditions",
            "service:elasticloadbalancing.amazonaws.com | InvokeFunction | no-conditions",
            "service:events.amazonaws.com | InvokeFunction | no-conditions",
            "service:iot.amazonaws.com | InvokeFunction | no-conditions",
            "service:sns.amazonaws.com | InvokeFunction | no-conditions",
        ),
    ),
    Family(
        "A service that is not in the list, without a condition",
        ("PG102",),
        "An unknown service is evaluated like any other: no condition restricts its source. The finding says that the "
        "service is not in the list. Some of these never invoke through a policy, and some are not services at all. "
        "Remove the statement then.",
        (
            "service:appconfig.amazonaws.com | InvokeFunction | no-conditions",
            "service:cloudformation.amazonaws.com | InvokeFunction | no-conditions",
            "service:dumbeldor | InvokeFunction | no-conditions",
            "service:foo.amazonaws.com | InvokeFunction | no-conditions",
            "service:lambda.amazonaws.com | InvokeFunction | no-conditions",
        ),
    ),
    Family(
        "A bucket without its account",
        ("PG103",),
        "The ARN of a bucket contains no account: anyone who takes the name when it is free can invoke the function.",
        ("service:s3.amazonaws.com | InvokeFunction | SourceArn=s3[no-account,exact]",),
    ),
    Family(
        "A service that never invokes through a policy",
        ("PG105",),
        "Lambda polls queues, streams and brokers with the execution role, and Step Functions and Firehose invoke with "
        "an IAM role. The statement has no effect but is misleading, so the severity is low.",
        (
            "service:dynamodb.amazonaws.com | InvokeFunction | SourceArn=dynamodb[exact]",
            "service:dynamodb.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
            "service:firehose.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
            "service:kinesis.amazonaws.com | InvokeFunction | SourceArn=kinesis[exact]",
            "service:mq.amazonaws.com | InvokeFunction | SourceArn=mq[exact]",
            "service:sqs.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
            "service:sqs.amazonaws.com | InvokeFunction | SourceArn=s3[no-account,exact]",
            "service:states.amazonaws.com | InvokeFunction | no-conditions",
        ),
    ),
    Family(
        "A service, restricted to an organization of callers",
        ("PG105",),
        "A service belongs to no organization and never sends `aws:PrincipalOrgID`, so it is never allowed. "
        "`aws:SourceOrgID` is the key for services.",
        ("service:config.amazonaws.com | InvokeFunction | PrincipalOrgID",),
    ),
    Family(
        "A source that is not an ARN",
        ("PG105",),
        "The value matches no ARN. The cause is the corpus: it contains Terraform references and parameters that only "
        "a deployment resolves to ARNs. Deployed unchanged, the value would never match.",
        (
            f"{_API} | SourceArn=not-an-arn",
            "service:cloudfront.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
            "service:sns.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
        ),
    ),
    Family(
        "A path parameter by its name",
        ("PG105",),
        "The ARN that a REST API sends has no name of a path parameter, so the statement allows no call; write `*`. Of "
        "an HTTP API it is disputed: in its template, and in the account, the outcome is unknown.",
        records=(
            "p-15d765850d7b645b",
            "p-183b882caefef732",
            "p-2f553fc44f7557e3",
            "p-50141473b8aa65d9",
            "p-8dfad032db0e3a00",
        ),
    ),
    Family(
        "An ARN that no source of the service has",
        ("PG105",),
        "The id of a user pool begins with its region, and the ARN that CloudWatch Logs sends ends in `:*`. The causes "
        "are the corpus, which resolves a reference to the name of the resource, and a placeholder.",
        records=("p-4d96274d9c570433", "p-eccac43a7e9abe39"),
    ),
    Family(
        "An invalid account id",
        ("PG105",),
        "The account id is a placeholder or has eleven digits: no caller and no source has it.",
        records=("p-7cbb885d9d1622fa", "p-7e60865275039dde"),
    ),
    Family(
        "A direct caller, restricted to a source",
        ("PG105",),
        "Only services send `aws:SourceArn` and `aws:SourceAccount`. An account with a condition on them is never "
        "allowed.",
        ("aws:account-root | InvokeFunction | SourceAccount; SourceArn=sns[exact]",),
    ),
    Family(
        "Another account, or a principal in it",
        ("PG106",),
        "The named account is not this account. If the access is intended, add the account to `trust.accounts`.",
        (
            "aws:account-root | InvokeFunction | no-conditions",
            "aws:role | InvokeFunctionUrl | FunctionUrlAuthType=AWS_IAM",
            "aws:user | InvokeFunction | no-conditions",
        ),
    ),
    Family(
        "A service for a source of another account",
        ("PG106",),
        "The named source belongs to another account: anyone who controls that account can invoke the function.",
        (
            "principal:* | InvokeFunction | SourceAccount; SourceArn=sns[exact]",
            "principal:* | InvokeFunction | SourceArn=events[exact]",
        ),
        records=("p-79d54e579b935ab8",),
    ),
    Family(
        "An organization",
        ("PG106",),
        "All accounts of an organization may invoke, and this account does not belong to it. In an account of that "
        "organization the same statement passes; in other accounts, add it to `trust.organizations`.",
        ("principal:* | InvokeFunction | PrincipalOrgID",),
    ),
    Family(
        "A public function URL",
        ("PG107",),
        "Anyone on the Internet can call. Tools write a pair of statements since 2025, and each is reported.",
        (
            "principal:* | InvokeFunction | lambda:invokedviafunctionurl(Bool)",
            "principal:* | InvokeFunctionUrl | FunctionUrlAuthType=NONE",
        ),
    ),
    Family(
        "A statement as the console shows it",
        (),
        "The statement has `StatementId`, as the console shows the `Sid`. No policy has this element: AWS rejects the "
        "document, and its effect is unknown.",
        records=("p-4ccb8c5080dd6f04",),
        unknown=("PG107",),
    ),
    Family(
        "Alexa without a skill",
        ("PG108",),
        "Any skill can use the function as its endpoint. SAM writes this for an `AlexaSkill` event without `SkillId`.",
        ("service:alexa-appkit.amazon.com | InvokeFunction | no-conditions",),
    ),
    Family(
        "More than invoking",
        ("PG109",),
        "The statement allows others to change the function or its URL.",
        (
            "aws:role | CreateFunctionUrlConfig,UpdateFunctionUrlConfig | FunctionUrlAuthType=AWS_IAM",
            "aws:role | UpdateFunctionUrlConfig | no-conditions",
            "principal:* | DeleteAlias | SourceAccount; SourceArn=sns[exact]",
        ),
    ),
    Family(
        "A service that has ended",
        ("PG111",),
        "Lex V1 ended in 2025 and IoT Events in 2026: these statements have no effect.",
        (
            "service:iotevents.amazonaws.com | InvokeFunction | no-conditions",
            "service:lex.amazonaws.com | InvokeFunction | SourceArn=lex[resource-wildcard]",
        ),
    ),
)


def family_of(record: str, pattern: str) -> Family:
    """Return the family of a record; raise KeyError if its pattern is in no family."""
    for family in FAMILIES:
        if record in family.records:
            return family
    for family in FAMILIES:
        if pattern in family.patterns:
            return family
    raise KeyError(f"{pattern} ({record}) is in no family")
