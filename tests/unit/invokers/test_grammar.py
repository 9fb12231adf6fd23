"""The names in the ARNs of sources: expressions, patterns, and the patterns of the service models."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import pytest
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.iam.glob import compile_glob
from permission_guard.invokers import INVOKERS, invoker_of
from permission_guard.invokers.grammar import Expression

MODELS: Final = {
    ("bedrock.amazonaws.com", "AGENT-ID"): ("bedrock-agent", "Id"),
    ("codecommit.amazonaws.com", "REPOSITORY-NAME"): ("codecommit", "RepositoryName"),
    ("cognito-idp.amazonaws.com", "USER-POOL-ID"): ("cognito-idp", "UserPoolIdType"),
    ("events.amazonaws.com", "RULE-NAME"): ("events", "RuleName"),
    ("iot.amazonaws.com", "AUTHORIZER-NAME"): ("iot", "AuthorizerName"),
    ("iot.amazonaws.com", "PROVIDER-NAME"): ("iot", "CertificateProviderName"),
    ("iot.amazonaws.com", "RULE-NAME"): ("iot", "RuleName"),
    ("iot.amazonaws.com", "TEMPLATE-NAME"): ("iot", "TemplateName"),
    ("lexv2.amazonaws.com", "BOT-ALIAS-ID"): ("lexv2-models", "BotAliasId"),
    ("lexv2.amazonaws.com", "BOT-ID"): ("lexv2-models", "Id"),
    ("logs.amazonaws.com", "LOG-GROUP-NAME"): ("logs", "LogGroupName"),
    ("vpc-lattice.amazonaws.com", "TARGET-GROUP-ID"): ("vpc-lattice", "TargetGroupId"),
}
"""The shapes of the service models that describe a name, by principal and name."""

EXPRESSIONS: Final = ["[a-c]{1,3}", "a[^b]*c", "a?b+c", r"[a-b]{2}\*", "a{0,2}b?a", "[abc]*-[ab]{2}", r"a.{1,2}\."]
TEXTS: Final = st.text("abc-*.", max_size=6)


@cache
def shape_of(service: str, name: str) -> dict[str, Any]:
    """Return a shape of a service model."""
    found: dict[str, Any] = Loader().load_service_model(service, "service-2")["shapes"][name]
    return found


@pytest.mark.parametrize(("principal", "name"), MODELS)
@pytest.mark.parametrize("text", ["a", "A1", "a-b", "a_b", "a.b", "a b", "a/b", "a:b", "a@b", "a=b", "a#b", "{a}", "é"])
def test_a_name_is_what_the_service_model_allows(principal: str, name: str, text: str) -> None:
    """Each character that the model's pattern allows is allowed, and no other."""
    shape = shape_of(*MODELS[principal, name])
    pattern = shape["pattern"].replace(r"\b", "")
    longest = shape.get("max", 0)
    for candidate in (text, text.ljust(10, "0"), f"tg-{text.ljust(17, '0')}", f"us-east-1_{text}", "x" * longest + "x"):
        allowed = bool(re.fullmatch(pattern, candidate, re.ASCII)) and (
            shape.get("min", 0) <= len(candidate) <= longest or name == "USER-POOL-ID" or not longest
        )
        assert Expression(invoker_of(principal).names[name]).matches_any(candidate) is allowed, candidate


@pytest.mark.parametrize("invoker", INVOKERS, ids=lambda invoker: invoker.principal)
def test_every_name_in_a_form_has_an_expression(invoker: Any) -> None:
    """An ARN is compared name by name. No expression is unused."""
    forms = " ".join((invoker.source_arn, *invoker.other_source_arns, *invoker.disputed_source_arns))
    assert set(re.findall(r"[A-Z][A-Z-]+", forms)) == invoker.names.keys()
    assert all(Expression(one) for names in invoker.names.values() for one in names.split("|"))


@pytest.mark.parametrize("text", EXPRESSIONS)
@given(candidate=st.text("abc-.", max_size=6))
def test_an_expression_matches_a_text_as_a_regular_expression_does(text: str, candidate: str) -> None:
    """Without a wildcard a pattern matches itself alone."""
    assert Expression(text).matches_any(candidate) is bool(re.fullmatch(text, candidate))


@pytest.mark.parametrize("text", EXPRESSIONS)
@given(pattern=st.text("abc-*?.", max_size=6), candidate=TEXTS)
def test_a_pattern_that_matches_one_of_the_texts_is_found(text: str, pattern: str, candidate: str) -> None:
    """Whatever IAM's wildcards match."""
    if re.fullmatch(text, candidate) and compile_glob(pattern).matches(candidate):
        assert Expression(text).matches_any(pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "found"),
    [
        ("[ab]{2}", "?", False),
        ("[ab]{2}", "???", False),
        ("[ab]{2}", "?*?", True),
        ("[ab]{1,3}", "*c*", False),
        ("[ab]{1,3}", "a????*", False),
        ("[ab]+", "a????*", True),
        (r"x:\*", "x:*", True),
        (r"x:\*", "x:*:*", False),
        ("[a-z]{3}-[0-9]{2}", "a*-*9", True),
        ("[a-z]{3}-[0-9]{2}", "a*-*x", False),
    ],
)
def test_a_pattern_that_matches_none_of_the_texts_is_not_found(text: str, pattern: str, found: bool) -> None:
    """A wildcard stands for what the expression allows at its place."""
    assert Expression(text).matches_any(pattern) is found


@pytest.mark.parametrize("text", ["a(b)", "[a", "a|b", "a\\", "a{2"])
def test_what_is_not_an_expression_is_rejected(text: str) -> None:
    """A group would silently be compared character by character."""
    with pytest.raises(ValueError, match="not an expression"):
        Expression(text)
