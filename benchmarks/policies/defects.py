"""Statements with a defect, each with the ids of the rules that are to find it.

What is to be found is what the rules' pages promise; how the rules find it is nobody's business here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from benchmarks.policies.sampling import (
    FOREIGN,
    FOREIGN_ORGANIZATION,
    OWN,
    OWN_ORGANIZATION,
    TRUSTED,
    Sampler,
    Statement,
)
from benchmarks.policies.services import (
    POLLED,
    SKILLS,
    WITH_ROLES,
    Service,
    own_source,
    principal_of,
    services_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ARN: Final = "aws:SourceArn"
ACCOUNT: Final = "aws:SourceAccount"
TOKEN: Final = "lambda:EventSourceToken"  # noqa: S105 - the name of a condition key
URL: Final = "lambda:InvokeFunctionUrl"


def _everyone(draw: Sampler) -> Any:
    return draw.pick("*", {"AWS": "*"}, {"AWS": ["*"]})


def _irrelevant(draw: Sampler) -> Statement:
    """Return a condition that everybody's call satisfies."""
    return dict(
        draw.pick(
            {},
            {},
            {"Bool": {"aws:SecureTransport": "true"}},
            draw.condition("StringEquals", "aws:RequestedRegion", draw.region),
            {"Null": {"aws:UserAgent": "false"}},
        )
    )


def _with_account(draw: Sampler) -> Service:
    """Return a service that sends the account, and whose ARN has one in it."""
    found = [item for item in services_in(draw) if item.sends_account and item.principal != "s3.amazonaws.com"]
    service: Service = draw.pick(*found)
    return service


def public(draw: Sampler) -> Statement:
    """PG101: anyone may call."""
    condition = draw.pick(
        _irrelevant(draw),
        draw.condition("StringEqualsIfExists", "aws:PrincipalOrgID", OWN_ORGANIZATION),
        draw.condition("StringNotEquals", "aws:PrincipalAccount", FOREIGN[0]),
        draw.condition("StringLike", "aws:PrincipalOrgID", "*"),
        draw.condition("StringLike", "aws:PrincipalAccount", "*"),
        draw.condition("ArnLike", "aws:PrincipalArn", f"arn:{draw.partition}:iam::*:role/ci-*"),
        draw.condition("ForAllValues:StringLike", "aws:PrincipalOrgPaths", f"{OWN_ORGANIZATION}/*"),
        draw.condition("IpAddress", "aws:SourceIp", "0.0.0.0/0"),
    )
    return draw.statement(_everyone(draw), condition, action=draw.pick(None, "lambda:Invoke*", "lambda:InvokeFunction"))


def public_and_more(draw: Sampler) -> Statement:
    """PG101 and PG109: anyone may do anything."""
    return draw.statement(_everyone(draw), action=draw.pick("lambda:*", "*", ["lambda:*"]))


def source_missing(draw: Sampler) -> Statement:
    """PG102: a service for anybody's source."""
    condition = _irrelevant(draw)
    if draw.chance(0.15):
        return draw.for_service(f"{draw.pick('newservice', 'backup', 'ssm')}.amazonaws.com", condition)
    if draw.chance(0.15):
        services = ["sns.amazonaws.com", "events.amazonaws.com", "s3.amazonaws.com"]
        return draw.statement({"Service": services[: draw.pick(2, 3)]}, condition)
    return draw.for_service(principal_of(draw.pick(*services_in(draw)), draw), condition)


def account_missing(draw: Sampler) -> Statement:
    """PG103: a bucket by its name alone."""
    bucket = draw.arn("s3", f"uploads-{draw.id()}", account="", region="")
    operator = draw.pick("ArnLike", "ArnEquals", "StringEquals", "StringLike")
    condition = draw.condition(operator, ARN, bucket)
    principal = draw.pick({"Service": "s3.amazonaws.com"}, {"Service": ["s3.amazonaws.com"]}, "*", {"AWS": "*"})
    return draw.statement(principal, condition)


def too_broad(draw: Sampler) -> Statement:
    """PG104: a condition on the source that anybody's source satisfies."""
    service = _with_account(draw)
    sent = own_source(service, draw).sent
    anybody = sent.replace(OWN, "*")
    condition = draw.pick(
        draw.condition("ArnLike", ARN, anybody),
        draw.condition("StringLike", ARN, anybody),
        draw.condition("ArnLike", ARN, sent, anybody),
        draw.condition("StringLike", ARN, sent.split(":", 4)[0] + ":*"),
        draw.condition(draw.pick("StringLike", "ArnLike"), ARN, "*"),
        draw.condition("ArnLikeIfExists", ARN, sent),
        draw.condition("ForAllValues:ArnLike", ARN, sent),
        draw.condition("ArnNotLike", ARN, sent.replace(OWN, FOREIGN[0])),
        draw.condition("StringLike", ACCOUNT, draw.pick("*", "12345678901?", "1*")),
        draw.condition("StringEqualsIfExists", ACCOUNT, OWN),
        draw.condition("ForAllValues:StringEquals", ACCOUNT, OWN),
        draw.condition("StringNotEquals", ACCOUNT, *FOREIGN[:2]),
        draw.condition("StringEqualsIfExists", "aws:SourceOrgID", OWN_ORGANIZATION),
    )
    return draw.for_service(principal_of(service, draw), condition)


def too_broad_bucket(draw: Sampler) -> Statement:
    """PG104: whatever bucket's name begins like this."""
    pattern = draw.arn("s3", draw.pick("*", "logs-*", "*-uploads"), account="", region="")
    return draw.for_service("s3.amazonaws.com", draw.condition(draw.pick("ArnLike", "StringLike"), ARN, pattern))


def never_polled(draw: Sampler) -> Statement:
    """PG105: a principal that never calls by a policy."""
    principal = draw.pick(*POLLED, *WITH_ROLES)
    account = draw.condition("StringEquals", ACCOUNT, OWN)
    source = draw.condition("ArnLike", ARN, draw.arn(principal.split(".")[0], draw.name()))
    return draw.for_service(principal, draw.pick({}, account, source))


def never_matches(draw: Sampler) -> Statement:
    """PG105: a condition that is never true for the service."""
    service = _with_account(draw)
    sent = own_source(service, draw).sent
    elsewhere = "aws-cn" if draw.partition == "aws" else "aws"
    condition = draw.pick(
        draw.condition("StringEquals", ARN, draw.arn("sns" if "events:" in sent else "events", "rule/live-*")),
        draw.condition("ArnLike", ARN, draw.arn("kinesis", f"stream/{draw.name()}")),
        draw.condition("ArnLike", ARN, draw.arn("lambda", f"function:{draw.name()}")),
        draw.condition("ArnLike", ARN, f"arn:{elsewhere}:{sent.split(':', 2)[2]}"),
        draw.condition("ArnLike", ARN, draw.name()),
        draw.condition("StringEquals", ARN, sent.replace(OWN, "*")) if not sent.endswith(":*") else {},
        {**draw.condition("ArnLike", ARN, sent), "StringEquals": {ACCOUNT: TRUSTED[0]}},
        draw.condition("StringEquals", ACCOUNT, draw.pick("1234567890", f"{OWN} ", "*", "12345678901*")),
        draw.condition("StringEquals", "aws:PrincipalOrgID", OWN_ORGANIZATION),
        draw.condition("StringEquals", "aws:SourceOrgPaths", f"{OWN_ORGANIZATION}/r-{draw.id(4)}/"),
        draw.condition("StringEquals", TOKEN, f"amzn1.ask.skill.{draw.id(32)}"),
        {**draw.condition("StringEquals", ACCOUNT, OWN), "Null": {ACCOUNT: "true"}},
    )
    condition = condition or draw.condition("StringEquals", "aws:PrincipalOrgID", OWN_ORGANIZATION)
    return draw.for_service(principal_of(service, draw), condition)


def never_matches_bucket(draw: Sampler) -> Statement:
    """PG105: no bucket has this ARN, or S3 is not the one who sends it."""
    bucket = draw.arn("s3", f"uploads-{draw.id()}", account="", region="")
    topic = draw.for_service("sns.amazonaws.com", draw.condition("ArnLike", ARN, bucket))
    named = draw.for_service("s3.amazonaws.com", draw.condition("StringEquals", ARN, f"{bucket}-*"))
    of_topic = draw.for_service("s3.amazonaws.com", draw.condition("ArnLike", ARN, draw.arn("sns", draw.name())))
    return dict(draw.pick(topic, named, of_topic))


def never_matches_skill(draw: Sampler) -> Statement:
    """PG105: Alexa sends neither an ARN nor an account."""
    condition = draw.pick(
        draw.condition("StringEquals", ACCOUNT, OWN), draw.condition("ArnLike", ARN, draw.arn("ask", "skill/x"))
    )
    return draw.for_service(draw.pick(*SKILLS), condition)


def never_matches_person(draw: Sampler) -> Statement:
    """PG105: no such caller, or one who never sends the key."""
    nobody = draw.statement({"AWS": draw.iam("role/deploy", draw.pick("ACCOUNT-ID", "12345", ""))})
    role = {"AWS": draw.iam(f"role/{draw.name()}", draw.pick(OWN, *TRUSTED))}
    held = draw.statement(role, draw.condition("StringEquals", ACCOUNT, OWN))
    return dict(draw.pick(nobody, held))


def untrusted(draw: Sampler) -> Statement:
    """PG106: somebody outside, in person."""
    account = draw.pick(*FOREIGN)
    name = draw.name()
    resource = draw.pick("root", f"role/{name}", f"user/{name}")
    outsider = draw.pick(account, draw.iam(resource, account))
    return dict(
        draw.pick(
            draw.statement({"AWS": draw.listed(outsider)}),
            draw.statement({"AWS": [draw.iam("role/ours"), outsider]}),
            draw.statement(
                {"AWS": draw.iam("role/theirs", account)},
                draw.condition("StringEquals", "lambda:FunctionUrlAuthType", "AWS_IAM"),
                action=URL,
            ),
            draw.statement(_everyone(draw), draw.condition("StringEquals", "aws:PrincipalOrgID", FOREIGN_ORGANIZATION)),
            draw.statement(
                _everyone(draw),
                draw.condition("StringEquals", "aws:PrincipalOrgID", OWN_ORGANIZATION, FOREIGN_ORGANIZATION),
            ),
            draw.statement(_everyone(draw), draw.condition("StringLike", "aws:PrincipalAccount", account)),
            draw.statement(_everyone(draw), draw.condition("ArnLike", "aws:PrincipalArn", draw.iam("role/*", account))),
            draw.statement({"Federated": "accounts.google.com"}),
        )
    )


def untrusted_source(draw: Sampler) -> Statement:
    """PG106: a service for somebody else's source."""
    service = _with_account(draw)
    account = draw.pick(*FOREIGN)
    sent = service.source(draw, account).sent
    condition = draw.pick(
        draw.condition("ArnLike", ARN, sent),
        draw.condition("StringEquals", ACCOUNT, account),
        draw.condition("StringEquals", ACCOUNT, OWN, account),
        {**draw.condition("ArnLike", ARN, sent), "StringEquals": {ACCOUNT: account}},
        draw.condition("StringEquals", "aws:SourceOrgID", FOREIGN_ORGANIZATION),
        draw.condition("ForAnyValue:StringLike", "aws:SourceOrgPaths", f"{FOREIGN_ORGANIZATION}/*"),
    )
    return draw.for_service(principal_of(service, draw), condition)


def public_url(draw: Sampler) -> Statement:
    """PG107: anyone, through the URL; it is for functions and aliases, which alone have URLs."""
    kind = draw.pick("NONE", "NONE", "AWS_IAM")
    by_type = draw.condition("StringEquals", "lambda:FunctionUrlAuthType", kind)
    pair = draw.statement(_everyone(draw), {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}})
    return dict(draw.pick(draw.statement(_everyone(draw), by_type, action=URL), pair))


def token_missing(draw: Sampler) -> Statement:
    """PG108: anybody's skill."""
    condition = draw.pick(
        _irrelevant(draw),
        draw.condition("StringLike", TOKEN, draw.pick("*", "amzn1.ask.skill.*")),
        draw.condition("StringEqualsIfExists", TOKEN, f"amzn1.ask.skill.{draw.id(32)}"),
        draw.condition("StringNotEquals", TOKEN, f"amzn1.ask.skill.{draw.id(32)}"),
    )
    return draw.for_service(draw.pick(*SKILLS), condition)


def management(draw: Sampler) -> Statement:
    """PG109: those who are trusted may do more than invoke."""
    account = draw.pick(OWN, *TRUSTED)
    principal = {"AWS": draw.pick(account, draw.iam(f"role/{draw.name()}", account))}
    actions = draw.pick(
        "lambda:*",
        "*",
        "lambda:Update*",
        "lambda:updatefunctioncode",
        ["lambda:InvokeFunction", "lambda:AddPermission"],
        ["lambda:PublishVersion", "lambda:UpdateAlias"],
        "lambda:Put*",
    )
    if draw.chance(0.15):
        statement = draw.statement(principal, action="lambda:InvokeFunction")
        return {**{k: v for k, v in statement.items() if k != "Action"}, "NotAction": "lambda:DeleteFunction"}
    return draw.statement(principal, action=actions)


def management_of_a_service(draw: Sampler) -> Statement:
    """PG109: a service, held well, that is given more than it uses."""
    condition = draw.condition("StringEquals", ACCOUNT, OWN)
    return draw.for_service("events.amazonaws.com", condition, action=draw.pick("lambda:*", "lambda:Delete*"))


def management_outside(draw: Sampler) -> Statement:
    """PG109: outsiders who read the code or change it, and do not invoke."""
    actions = draw.pick("lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:UpdateFunctionCode")
    return draw.statement({"AWS": draw.iam("root", draw.pick(*FOREIGN))}, action=actions)


def everything_outside(draw: Sampler) -> Statement:
    """PG106 and PG109: other accounts that may do anything."""
    return draw.statement({"AWS": draw.pick(*FOREIGN)}, action=draw.pick("lambda:*", ["lambda:*"], "*"))


def deleted(draw: Sampler) -> Statement:
    """PG111: the id of a deleted user or role, or a service that ended."""
    deleted_id = draw.pick("AIDA", "AROA") + draw.id(17).upper()
    ended = draw.pick("lex.amazonaws.com", f"pinpoint.{draw.region}.amazonaws.com")
    intent = draw.condition("ArnLike", ARN, draw.arn("lex", "intent:Order:*"))
    return dict(
        draw.pick(
            draw.statement({"AWS": draw.listed(deleted_id)}),
            draw.statement({"AWS": [draw.iam(f"role/{draw.name()}"), deleted_id]}),
            draw.for_service(ended),
            draw.for_service("lex.amazonaws.com", intent),
        )
    )


DEFECTS: Final[Mapping[Callable[[Sampler], Statement], tuple[str, ...]]] = {
    public: ("PG101",),
    public_and_more: ("PG101", "PG109"),
    source_missing: ("PG102",),
    account_missing: ("PG103",),
    too_broad: ("PG104",),
    too_broad_bucket: ("PG104",),
    never_polled: ("PG105",),
    never_matches: ("PG105",),
    never_matches_bucket: ("PG105",),
    never_matches_skill: ("PG105",),
    never_matches_person: ("PG105",),
    untrusted: ("PG106",),
    untrusted_source: ("PG106",),
    public_url: ("PG107",),
    token_missing: ("PG108",),
    management: ("PG109",),
    management_of_a_service: ("PG109",),
    management_outside: ("PG109",),
    everything_outside: ("PG106", "PG109"),
    deleted: ("PG111",),
}
"""Each kind of defect, with what is to be found."""
