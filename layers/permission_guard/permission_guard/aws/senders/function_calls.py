"""Invoke functions of the stack, and wait for their answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from permission_guard.errors import DeliveryError, error_code

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from permission_guard.model.targets import JSON

_NOT_IN_A_TYPE = re.compile(r"[^A-Za-z0-9_.]")


class FunctionCalls:
    """Invokes functions synchronously, once each."""

    def __init__(self, client: LambdaClient) -> None:
        self._lambda = client

    def answer(self, function: str, event: JSON) -> JSON:
        """Return the answer of a function. DeliveryError if it could not be invoked, or failed."""
        try:
            reply = self._lambda.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            answer = json.loads(reply["Payload"].read() or b"null")
        except ReadTimeoutError:
            raise DeliveryError("it took too long. See its log") from None
        except (ClientError, BotoCoreError) as error:
            code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
            raise DeliveryError(f"Invoke failed with {code}") from error
        except ValueError:
            raise DeliveryError("its answer is not JSON") from None
        if reply.get("FunctionError"):
            # Its text can have what the function works with: only the type is shown.
            kind = str(answer.get("errorType", "")) if isinstance(answer, dict) else ""
            raise DeliveryError(f"it failed with {_NOT_IN_A_TYPE.sub('', kind)[:100] or 'an error'}. See its log")
        return answer
