"""AWS IoT Core: topic rules, custom authorizers, provisioning template hooks and certificate providers.

A topic rule invokes the functions of its actions, and those that its SQL statement calls.
https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-functions.html#iot-func-aws-lambda
"""

from __future__ import annotations

import re
from typing import Final

from permission_guard.invokers.base import Invoker

INVOKER = Invoker(
    "iot.amazonaws.com",
    "IoT rule",
    "arn:{partition}:iot:{region}:{account}:rule/RULE-NAME",
    "https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html",
    article="an",
    other_source_arns=(
        "arn:{partition}:iot:{region}:{account}:authorizer/AUTHORIZER-NAME",
        "arn:{partition}:iot:{region}:{account}:provisioningtemplate/TEMPLATE-NAME",
        "arn:{partition}:iot:{region}:{account}:certificateprovider:PROVIDER-NAME",
    ),
    names={
        "RULE-NAME": "[a-zA-Z0-9_]{1,128}",
        "AUTHORIZER-NAME": r"[\w=,@\-]{1,128}",
        "TEMPLATE-NAME": r"[0-9A-Za-z_\-]{1,36}",
        "PROVIDER-NAME": r"[\w=,@\-]{1,128}",
    },
)

_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_CALL: Final = re.compile(
    rf"(?P<text>{_QUOTED}|[\"'].*\Z)|\baws_lambda\s*\(\s*(?P<argument>{_QUOTED}|)", re.IGNORECASE | re.DOTALL
)


def functions_in_sql(sql: str) -> tuple[str | None, ...]:
    """Return the functions that the SQL statement of a topic rule calls with `aws_lambda`, each once.

    None stands for a function that is not named by a literal text.
    """
    calls = (match for match in _CALL.finditer(sql) if match["text"] is None)
    return tuple(dict.fromkeys(match["argument"][1:-1] or None for match in calls))
