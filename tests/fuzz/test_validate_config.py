"""Mutated documents to the function that validates configurations for AppConfig."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from permission_guard.config.document import GuardConfig
from permission_guard.config.read import read_config
from permission_guard.errors import ConfigurationDocumentError
from tests.fuzz.harness import Fuzz, FuzzError, one_by_one, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.mutations import Mutator

_EXCEPTION: Final = {
    "id": "payments-url",
    "rules": ["PG107"],
    "functions": ["payments-*"],
    "reason": "a partner calls it",
    "owner": "payments@example.com",
    "expires": f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}",
}
_DOCUMENT: Final = {
    "version": 1,
    "trust": {"accounts": ["111122223333"], "organizations": ["o-exampleorgid"]},
    "grace_period_seconds": 60,
    "rules": {"PG113": {"enabled": False}, "PG102": {"severity": "medium"}},
    "exceptions": [_EXCEPTION],
    "alerts": {"min_severity": "medium"},
    "tickets": {"min_severity": "high"},
}

accepted: set[str] = set()


def mutate(mutator: Mutator) -> str:
    """Return a mutated document, or one with a mutated part."""
    if mutator.random.random() < 0.5:
        return mutator.text(_DOCUMENT)
    part = mutator.random.choice([key for key in _DOCUMENT if key != "version"])
    return mutator.text({"version": 1, part: _DOCUMENT[part]})


def good(number: int) -> str:
    """Return a valid document."""
    return json.dumps({**_DOCUMENT, "grace_period_seconds": number})


def validated(app: Any, text: str, context: Any) -> bool:
    """Return whether a document is accepted. FuzzError if a reader then refuses it, or the reason is not plain."""
    content = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    try:
        app.handler({"content": content, "configurationVersion": "1"}, context)
    except ConfigurationDocumentError as error:
        if not str(error).strip() or not error.problems:
            raise FuzzError("a document is refused without a reason") from error
        return False
    if not isinstance(read_config(text, now=datetime.now(UTC)), GuardConfig):
        raise FuzzError("a document is accepted that no function can read")
    accepted.add(text)
    return True


FUZZ = Fuzz(
    function="validate_config",
    mutate=mutate,
    good=good,
    event=lambda payloads, _mutator, _aws: payloads,
    is_handled=lambda _aws, number, _identifier: good(number) in accepted,
    may_write=lambda _write, _payloads: False,
)


def test_a_document_is_accepted_only_if_every_function_can_read_it(loaded: Callable[[Fuzz], Any]) -> None:
    """Whatever else it is, it is refused with the reason."""
    app = loaded(FUZZ)
    run(FUZZ, one_by_one(app, validated))
