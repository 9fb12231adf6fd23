"""The logger of each Lambda function."""

from __future__ import annotations

import json
from functools import partial

from aws_lambda_powertools import Logger


def function_logger(name: str) -> Logger:
    """Return the logger of a function. It escapes what is not ASCII.

    Names and messages come from others. A line with an unpaired surrogate cannot be encoded, and would be lost.
    """
    return Logger(service=name, json_serializer=partial(json.dumps, default=str, separators=(",", ":")))
