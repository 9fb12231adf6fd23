"""The forms of names are those of AWS's API models."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from botocore.session import get_session

from permission_guard.model import names
from permission_guard.model.names import NameForm

if TYPE_CHECKING:
    from botocore.model import Shape

FORMS = {
    name: form for name, form in vars(names).items() if isinstance(form, NameForm) and name not in ("REGION", "IAM_ARN")
}
SHAPES = {
    "ACTION": "lambda.Action",
    "ARN": "lambda.Arn",
    "DESTINATION": "lambda.DestinationArn",
    "EVENT_SOURCE_TOKEN": "lambda.EventSourceToken",
    "FUNCTION_NAME": "lambda.NamespacedFunctionName",
    "ORGANIZATION_ID": "lambda.PrincipalOrgID",
    "PATH": "iam.pathType",
    "POLICY_NAME": "iam.policyNameType",
    "QUEUE": "lambda.Queue",
    "ROLE_ARN": "lambda.RoleArn",
    "ROLE_NAME": "iam.roleNameType",
    "SCHEMA_REGISTRY_URI": "lambda.SchemaRegistryUri",
    "SERVER": "lambda.Endpoint",
    "STATEMENT_ID": "lambda.NamespacedStatementId",
    "SUBNET_ID": "lambda.SubnetId",
    "TARGET_ARN": "lambda.ResourceArn",
    "TOPIC": "lambda.Topic",
    "URI": "lambda.URI",
}
"""The shape of each form in the models of the SDK."""


@cache
def shape_of(name: str) -> Shape:
    """Return a shape by the names of its service and of the shape."""
    service, shape = name.split(".")
    return get_session().get_service_model(service).shape_for(shape)


def test_every_form_has_its_shape() -> None:
    """A new form is compared too."""
    assert FORMS.keys() == SHAPES.keys()


@pytest.mark.parametrize("name", FORMS)
def test_a_form_has_the_pattern_and_the_lengths_of_its_shape(name: str) -> None:
    """Except for the names of groups."""
    form, limits = FORMS[name], shape_of(SHAPES[name]).metadata
    assert re.sub(r"\?P<\w+>", "?P<>", form.pattern).replace("?P<>", "") == limits["pattern"]
    assert (form.shortest, form.longest) == (limits.get("min", 0), limits["max"])


def test_the_forms_without_a_shape_of_their_own_are_parts_of_shapes() -> None:
    """Lambda repeats the pattern of a region; IAM limits only the length of an ARN."""
    assert names.REGION.pattern in shape_of("lambda.FunctionArn").metadata["pattern"]
    assert shape_of("lambda.FunctionName").metadata["max"] == names.LONGEST_FUNCTION_NAME
    assert shape_of("lambda.Qualifier").metadata["max"] == names.LONGEST_QUALIFIER
    limits = shape_of("iam.arnType").metadata
    assert (limits["min"], limits["max"], limits.get("pattern")) == (
        names.IAM_ARN.shortest,
        names.IAM_ARN.longest,
        None,
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_name_of_another_length_is_rejected_without_a_search(form: NameForm) -> None:
    """Also if its characters are valid."""
    assert form.match("a" * (form.longest + 1)) is None
    assert form.match("") is None or form.shortest == 0


@pytest.mark.parametrize("name", ["orders\n", "örders", "\u0661\u0662", "$(id)", "a b"])
def test_only_ascii_is_accepted_and_nothing_after_the_name(name: str) -> None:
    """As AWS reads its patterns."""
    assert names.ROLE_NAME.match("orders")
    assert names.ROLE_NAME.match(name) is None
    assert names.FUNCTION_NAME.match(name) is None
