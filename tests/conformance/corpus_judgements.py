"""What is to be said of each pattern of the corpus of statements, and why that is right.

A family is what deserves the same answer for the same reason. A record that differs from the rest of its pattern is
named by its id. Nothing of the corpus is in here but names of patterns and ids of records. `tools/corpus` writes
`docs/corpus.md` from this table, so that the sentences are written for users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """Statements of which the same is said.

    `said` are the ids of the rules that find fault, `unknown` of those that cannot tell. A record of `records` belongs
    here whatever its pattern.
    """

    title: str
    said: tuple[str, ...]
    why: str
    patterns: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


_ALARMS: Final = "service:lambda.alarms.cloudwatch.amazonaws.com"
_API: Final = "service:apigateway.amazonaws.com | InvokeFunction"

FAMILIES: Final = (
    # ── Nothing to say ──────────────────────────────────────────────────────────────────────────────────────────────
    Family(
        "API Gateway for an API of the own account",
        (),
        "The ARN names the account and the API. Stars for the stage, the method and the path admit no other account, "
        "and most tools write them so that one statement serves every stage.",
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
        "A service for one source of the own account",
        (),
        "The ARN has the account in it, so that `aws:SourceAccount` would add nothing: AppSync, CloudFront, Cognito, "
        "load balancers, EventBridge, IoT and SNS.",
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
        "A service for one source, with the account besides",
        (),
        "Both keys agree. For a bucket the account is needed, because its ARN has none; elsewhere it does no harm.",
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
        "a region in it is the same service.",
        (
            "service:logs.<region>.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=logs[exact]",
            "service:logs.<region>.amazonaws.com | InvokeFunction | SourceArn=logs[resource-wildcard]",
            "service:logs.amazonaws.com | InvokeFunction | SourceAccount; SourceArn=logs[resource-wildcard]",
            "service:logs.amazonaws.com | InvokeFunction | SourceArn=logs[resource-wildcard]",
        ),
    ),
    Family(
        "A service with the own account alone",
        (),
        "Any source of the own account may call, and no other. SAM writes this for buckets and CDK for Config and SES, "
        "because the function is made before its source.",
        (
            "service:bedrock.amazonaws.com | InvokeFunction | SourceAccount",
            "service:config.amazonaws.com | InvokeFunction | SourceAccount",
            "service:s3.amazonaws.com | InvokeFunction | SourceAccount",
            "service:ses.amazonaws.com | InvokeFunction | SourceAccount",
        ),
    ),
    Family(
        "Everybody, for a source of the own account",
        (),
        "Only services send `aws:SourceAccount`, so that nobody is let in in person, and services for the own account "
        "only.",
        ("principal:* | InvokeFunction | SourceAccount",),
    ),
    Family(
        "Alexa with the id of the skill",
        (),
        "Alexa sends no ARN and no account. The token is the one thing that can hold it, also where the principal is "
        "`*`.",
        (
            "principal:* | InvokeFunction | EventSourceToken",
            "service:alexa-appkit.amazon.com | InvokeFunction | EventSourceToken",
        ),
    ),
    Family(
        "A service in no table, with a token",
        (),
        "Whether it sends the token is not known. If it does not, the statement lets nobody in; it is open in neither "
        "case.",
        ("service:foo.amazonaws.com | InvokeFunction | EventSourceToken",),
    ),
    Family(
        "Alexa, switched off by the Serverless Framework",
        (),
        "`lambda:DisableInvokeFunction` is no action of Lambda's: the statement grants nothing, which is what "
        "`enabled: false` is for.",
        ("service:alexa-appkit.amazon.com | DisableInvokeFunction | EventSourceToken",),
    ),
    Family(
        "A role of the own account",
        (),
        "It is named, and it is one's own.",
        ("aws:role | InvokeFunction | no-conditions",),
    ),
    Family(
        "Lambda@Edge",
        (),
        "The principal is the one that Lambda@Edge's own statements are for; its permissions are left alone.",
        ("service:edgelambda.amazonaws.com | InvokeFunction | SourceArn=cloudfront[exact]",),
    ),
    Family(
        "Layers",
        (),
        "The statement is of a layer's policy: it lets nobody near a function.",
        ("principal:* | GetLayerVersion | PrincipalOrgID", "principal:* | GetLayerVersion | no-conditions"),
    ),
    Family(
        "A Deny",
        (),
        "It grants nothing.",
        ("principal:* | UpdateFunctionUrlConfig | FunctionUrlAuthType=NONE",),
    ),
    # ── Who may invoke ──────────────────────────────────────────────────────────────────────────────────────────────
    Family(
        "Everybody",
        ("PG101",),
        "The principal is `*` and there is no condition: anyone with an AWS account can call the function.",
        ("principal:* | InvokeFunction | no-conditions",),
    ),
    Family(
        "A service with no condition at all",
        ("PG102",),
        "The service calls for whoever sets it up, in any account. Each of these sends the ARN of what calls, or the "
        "account of it, and could be held to it.",
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
        "A service in no table, with no condition at all",
        ("PG102",),
        "What is not known is judged like any other service: nothing tells for whom it calls. The finding says that "
        "the service is in no table. Some of these never call by a policy and some are not services at all; then the "
        "statement can go.",
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
        "A bucket's ARN does not say whose it is: whoever takes the name once it is free has the function called.",
        ("service:s3.amazonaws.com | InvokeFunction | SourceArn=s3[no-account,exact]",),
    ),
    Family(
        "A service that never calls by a policy",
        ("PG105",),
        "Lambda polls queues, streams and brokers with the execution role, and Step Functions and Firehose call with a "
        "role of their own. The statement is dead weight that misleads, so that the severity is low.",
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
        "A service, held to an organization of callers",
        ("PG105",),
        "A service is in no organization and never sends `aws:PrincipalOrgID`: it is never let in. `aws:SourceOrgID` "
        "is the key for services.",
        ("service:config.amazonaws.com | InvokeFunction | PrincipalOrgID",),
    ),
    Family(
        "A source that is no ARN",
        ("PG105",),
        "What stands there can equal no ARN. Here that is the collection's doing: it holds references of Terraform and "
        "parameters that only a deployment turns into ARNs. Deployed as it stands, it would never match.",
        (
            f"{_API} | SourceArn=not-an-arn",
            "service:cloudfront.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
            "service:sns.amazonaws.com | InvokeFunction | SourceArn=not-an-arn",
        ),
    ),
    Family(
        "An account that is none",
        ("PG105",),
        "A placeholder, or an account of eleven digits, stands where the account should: no caller and no source has "
        "it.",
        records=("p-7cbb885d9d1622fa", "p-7e60865275039dde"),
    ),
    Family(
        "A caller in person, held to a source",
        ("PG105",),
        "Only services send `aws:SourceArn` and `aws:SourceAccount`. An account that is let in on condition of them is "
        "never let in.",
        ("aws:account-root | InvokeFunction | SourceAccount; SourceArn=sns[exact]",),
    ),
    Family(
        "Another account, or somebody in it",
        ("PG106",),
        "It is named, and it is not one's own. If it is meant, `TrustedAccounts` says so.",
        (
            "aws:account-root | InvokeFunction | no-conditions",
            "aws:role | InvokeFunctionUrl | FunctionUrlAuthType=AWS_IAM",
            "aws:user | InvokeFunction | no-conditions",
        ),
    ),
    Family(
        "A service for a source of another account",
        ("PG106",),
        "The source is named, and it is somebody else's: whoever controls that account has the function called.",
        (
            "principal:* | InvokeFunction | SourceAccount; SourceArn=sns[exact]",
            "principal:* | InvokeFunction | SourceArn=events[exact]",
        ),
        records=("p-79d54e579b935ab8",),
    ),
    Family(
        "An organization",
        ("PG106",),
        "All accounts of an organization may call, and it is not one's own here. In an account of that organization "
        "the same statement passes; elsewhere `TrustedOrganizations` has to name it.",
        ("principal:* | InvokeFunction | PrincipalOrgID",),
    ),
    Family(
        "A function URL for everybody",
        ("PG107",),
        "Anyone on the Internet can call. Of the pair that is written since 2025, each statement is found.",
        (
            "principal:* | InvokeFunction | lambda:invokedviafunctionurl(Bool)",
            "principal:* | InvokeFunctionUrl | FunctionUrlAuthType=NONE",
        ),
    ),
    Family(
        "A statement as the console shows it",
        (),
        "It has `StatementId`, which no policy has: the console shows the `Sid` so. AWS would refuse the document, and "
        "what it would mean by it is not known.",
        records=("p-4ccb8c5080dd6f04",),
        unknown=("PG107",),
    ),
    Family(
        "Alexa without a skill",
        ("PG108",),
        "Anyone's skill can name the function as its endpoint. SAM writes this for an `AlexaSkill` event without "
        "`SkillId`.",
        ("service:alexa-appkit.amazon.com | InvokeFunction | no-conditions",),
    ),
    Family(
        "More than invoking",
        ("PG109",),
        "The statement lets others change the function or its URL.",
        (
            "aws:role | CreateFunctionUrlConfig,UpdateFunctionUrlConfig | FunctionUrlAuthType=AWS_IAM",
            "aws:role | UpdateFunctionUrlConfig | no-conditions",
            "principal:* | DeleteAlias | SourceAccount; SourceArn=sns[exact]",
        ),
    ),
    Family(
        "A service that is no more",
        ("PG111",),
        "Lex V1 ended in 2025 and IoT Events in 2026: nothing calls by these statements any more.",
        (
            "service:iotevents.amazonaws.com | InvokeFunction | no-conditions",
            "service:lex.amazonaws.com | InvokeFunction | SourceArn=lex[resource-wildcard]",
        ),
    ),
)


def family_of(record: str, pattern: str) -> Family:
    """Return the family of a record; KeyError when nobody has judged its pattern."""
    for family in FAMILIES:
        if record in family.records:
            return family
    for family in FAMILIES:
        if pattern in family.patterns:
            return family
    raise KeyError(f"{pattern} ({record}) is in no family")
