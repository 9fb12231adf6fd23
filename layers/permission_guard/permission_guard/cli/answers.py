"""How the commands print the answer to a request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class AnswerFormat(StrEnum):
    """The output format of an answer."""

    TEXT = "text"
    JSON = "json"


Format = Annotated[AnswerFormat, typer.Option("--format", help="The output format.")]
