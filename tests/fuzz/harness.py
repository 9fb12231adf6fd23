"""Invokes a handler with batches of mutated and good messages, and checks what must hold for every batch.

- Nothing is raised, and only mutated messages are reported as failed.
- Every good message has its effect.
- Nothing is written that a valid event could not cause.
- No secret is in the log, in the metrics or in what is written, and no log line is lost.

A failure names the seed and the smallest batch that shows it: `make fuzz SEED=<seed> COUNT=<count>` repeats it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import os
import time
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from tests.fuzz.aws import SECRETS, FakeAws
from tests.fuzz.mutations import Mutator
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fuzz.aws import Write

SEED: Final = int(os.environ.get("FUZZ_SEED") or 1)
COUNT: Final = int(os.environ.get("FUZZ_COUNT") or 200)
"""How many mutated inputs each handler and each reader gets."""

_MUTATED, _GOOD = 17, 3
"""The messages of a batch."""
_SLOWEST: Final = 30.0
"""Seconds of processor time for one batch: half of the shortest timeout of a function."""
_SHARE: Final = 0.05
"""The least share of mutated inputs that is accepted, and that is not: otherwise they are too wild or too tame."""


@dataclass
class Fuzz:
    """How one function of the stack is fuzzed.

    `prepare` fills the account before each batch. `mutate` returns a mutated payload, `good` the valid payload of a
    number, and `event` an event with payloads by their identifiers. `is_handled` says whether a good payload had its
    effect, and `may_write` whether payloads, of which all but one kind are valid, may cause a call.
    """

    function: str
    mutate: Callable[[Mutator], Any]
    good: Callable[[int], Any]
    event: Callable[[dict[str, Any], Mutator, FakeAws], dict[str, Any]]
    is_handled: Callable[[FakeAws, int, str], bool]
    may_write: Callable[[Write, Sequence[Any]], bool]
    prepare: Callable[[FakeAws, Random], None] = lambda _aws, _random: None
    rejects: bool = True
    aws: FakeAws = field(default_factory=FakeAws)


class FuzzError(AssertionError):
    """A batch for which something that must hold did not."""


@dataclass
class Batch:
    """One batch: payloads by identifier, and which of them are good, by number."""

    payloads: dict[str, Any]
    good: dict[str, int]
    seed: str

    def only(self, identifier: str) -> Batch:
        """Return the batch with one mutated payload."""
        kept = {one: payload for one, payload in self.payloads.items() if one in self.good or one == identifier}
        return Batch(kept, self.good, self.seed)


def sqs_event(payloads: dict[str, Any]) -> dict[str, Any]:
    """Return a batch of messages as Lambda gets them."""
    return {"Records": [{"messageId": identifier, "body": body} for identifier, body in payloads.items()]}


def load(function: str) -> Any:
    """Load a function's module from its path, as Lambda does."""
    path = REPOSITORY / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"fuzz_{function}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_by_one(app: Any, invoke: Callable[[Any, Any, Any], bool]) -> SimpleNamespace:
    """Return a handler of all payloads of an event; those that `invoke` says were refused are its failures."""

    def handler(event: dict[str, Any], context: Any) -> Any:
        refused = [identifier for identifier, payload in event.items() if not invoke(app, payload, context)]
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in refused]}

    return SimpleNamespace(handler=handler, logger=app.logger)


def run(fuzz: Fuzz, app: Any, *, count: int = COUNT, seed: int = SEED) -> None:
    """Fuzz a handler with `count` mutated payloads; FuzzError names the smallest batch for which something broke."""
    accepted = 0
    for number in range(-(-count // _MUTATED)):
        batch = _batch(fuzz, f"{seed}/{fuzz.function}/{number}")
        try:
            accepted += _MUTATED - len(_invoke(fuzz, app, batch))
        except FuzzError as error:
            raise _smallest(fuzz, app, batch, error, seed) from error
    share = accepted / (-(-count // _MUTATED) * _MUTATED)
    assert share >= _SHARE, f"only {share:.0%} of the mutated inputs were accepted: the others reach no deep code"
    assert not fuzz.rejects or share <= 1 - _SHARE, f"{share:.0%} of the mutated inputs were accepted"


def _batch(fuzz: Fuzz, seed: str) -> Batch:
    random = Random(seed)
    mutator = Mutator(random)
    payloads = {f"mutated-{number}": fuzz.mutate(mutator) for number in range(_MUTATED)}
    good = {f"good-{number}": number for number in range(_GOOD)}
    payloads |= {identifier: fuzz.good(number) for identifier, number in good.items()}
    order = list(payloads)
    random.shuffle(order)
    return Batch({identifier: payloads[identifier] for identifier in order}, good, seed)


def _smallest(fuzz: Fuzz, app: Any, batch: Batch, error: FuzzError, seed: int) -> FuzzError:
    """Return the error for the one mutated payload that causes it by itself, or else for the whole batch."""
    for identifier in batch.payloads.keys() - batch.good.keys():
        smaller = batch.only(identifier)
        try:
            _invoke(fuzz, app, smaller)
        except FuzzError as found:
            error, batch = found, smaller
            break
    shown = {one: payload for one, payload in batch.payloads.items() if one not in batch.good}
    return FuzzError(
        f"{error}\nseed {batch.seed}: make fuzz SEED={seed}\n"
        + "\n".join(f"{one}: {ascii(payload)[:5_000]}" for one, payload in shown.items())
    )


def _invoke(fuzz: Fuzz, app: Any, batch: Batch) -> set[str]:
    """Invoke the handler with a batch; return the identifiers that failed. FuzzError if something does not hold."""
    aws, random = fuzz.aws, Random(f"{batch.seed}/state")
    aws.start()
    fuzz.prepare(aws, random)
    event = fuzz.event(batch.payloads, Mutator(random), aws)
    log = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    app.logger.registered_handler.setStream(log)
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()) as metrics, _no_line_lost():
        try:
            answer = app.handler(event, context(fuzz.function))
        except FuzzError:
            raise
        except Exception as error:
            raise FuzzError(f"{fuzz.function} raised {error!r:.500}") from error
    log.seek(0)
    texts = {"log": log.read(), "metrics": metrics.getvalue()}
    _require(time.process_time() - started < _SLOWEST, f"the batch took more than {_SLOWEST:.0f} seconds")
    failed = {one["itemIdentifier"] for one in answer.get("batchItemFailures", ())}
    _require(failed <= batch.payloads.keys() - batch.good.keys(), f"good messages failed: {sorted(failed)}", texts)
    for identifier, number in batch.good.items():
        _require(fuzz.is_handled(aws, number, identifier), f"{identifier} has no effect", texts)
    _require(not aws.strange, f"unknown calls: {aws.strange}")
    for write in aws.writes:
        _require(fuzz.may_write(write, list(batch.payloads.values())), f"written: {write!r:.2000}")
    texts["writes"] = json.dumps([write.params for write in aws.writes], default=str)
    for name, text in texts.items():
        _require(not any(secret in text for secret in SECRETS), f"a secret is in the {name}: {text[:2000]}")
    return failed


def _require(holds: bool, what: str, texts: dict[str, str] | None = None) -> None:
    if not holds:
        raise FuzzError(f"{what}\n{(texts or {}).get('log', '')[-5_000:]}".strip())


@contextlib.contextmanager
def _no_line_lost() -> Any:
    """Make a log line that cannot be written an error: `logging` would print a traceback and go on without it."""

    def fail(_handler: logging.Handler, record: logging.LogRecord) -> None:
        lost.append(f"{record.msg!r:.300}")

    lost: list[str] = []
    held = logging.Handler.handleError
    logging.Handler.handleError = fail  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        logging.Handler.handleError = held  # type: ignore[method-assign]
    _require(not lost, f"log lines were lost: {lost}")


def context(function: str) -> Any:
    """Return the context of an invocation."""
    return SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=512,
        get_remaining_time_in_millis=lambda: 180_000,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
        aws_request_id="5d3c1a52-2b3f-4d4e-9c5b-0a1b2c3d4e5f",
    )
