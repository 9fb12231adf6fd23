"""The version of the items in this stack's tables: each item carries it, so that a later version knows what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

VERSION: Final[AttributeValueTypeDef] = {"N": "1"}
ATTRIBUTE: Final = {"schema": VERSION}

NAMES: Final = {"#schema": "schema"}
"""For expressions: `schema` is a reserved word of DynamoDB."""
