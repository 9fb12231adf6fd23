"""Execution environments of the functions, and their invocations, which stop at each call of AWS.

An invocation is a greenlet: at each call it hands over to the world, which decides what goes on. What a function keeps
between invocations, it keeps for each execution environment: the caches of the composition roots.
"""

from __future__ import annotations

import importlib.util
import pkgutil
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from greenlet import greenlet

from permission_guard import bootstrap
from permission_guard.aws import clients
from tests.paths import REPOSITORY
from tests.simulation.stopping import StopRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.calls import Call
    from tests.simulation.world import World

_MODULES: Final = [
    *(
        importlib.import_module(f"permission_guard.bootstrap.{one.name}")
        for one in pkgutil.iter_modules(bootstrap.__path__)
    ),
    clients,
]
"""The modules that keep what they make."""


class Crash(BaseException):
    """The process of a function ends: nothing it does after this has an effect."""


class Environment:
    """An execution environment of a function. It serves one invocation at a time."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.is_busy = False
        self.document = ""
        """The configuration that it was served last, empty if it was served none."""
        self._kept: dict[tuple[str, str], Any] = {}

    def kept(self, module: str, name: str, make: Callable[[], Any]) -> Any:
        """Return the environment's own copy of a function that keeps what it makes."""
        key = (module, name)
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


class Invocation:
    """One invocation. `event` is what Lambda passes; `ended` gets its result, or None after a crash."""

    def __init__(
        self,
        world: World,
        environment: Environment,
        event: dict[str, Any],
        *,
        timeout: float,
        ended: Callable[[dict[str, Any] | None], None],
        words: str,
    ) -> None:
        self.environment, self.words, self.is_dead = environment, words, False
        self.is_disturbed = False
        """Whether one of its calls had a fault, or it crashed."""
        self.has_sent = False
        """Whether it has sent something that it has not recorded yet."""
        self.attempt = ""
        """The attempt of a fix that it applies (`<finding>#<number>`), empty for none."""
        self.waiting: Call | None = None
        """The call that it makes next, None before the first one."""
        self.stop_read = StopRead()
        self.account_before = world.account.version()
        self.deadline = world.now + timeout
        self.wakes_at = world.now
        self._world, self._event, self._ended = world, event, ended
        self._greenlet = greenlet(self._run)
        environment.is_busy = True

    def go_on(self) -> None:
        """Run until the next call of AWS, or to the end."""
        if self._world.now > self.deadline and not self.is_dead:
            self.is_dead = self.is_disturbed = True
            self._world.tell(f"{self.words}: Lambda ends it at its timeout")
        self._greenlet.switch()

    def pause(self, seconds: float = 0.0) -> None:
        """Let the world decide what goes on. Crash if the process has ended meanwhile."""
        self.wakes_at = self._world.now + seconds
        self._world.hub.switch()
        if self.is_dead:
            raise Crash

    def crash(self) -> None:
        """End the process."""
        self.is_dead = self.is_disturbed = True
        raise Crash

    def _run(self) -> None:
        result: dict[str, Any] | None = None
        if not self.is_dead:
            try:
                result = self._handle()
            except Crash:
                self._world.tell(f"{self.words}: crashed")
            except Exception as error:  # noqa: BLE001 - Lambda goes on after an error of a handler
                self._world.tell(f"{self.words}: failed: {error!r:.300}")
        self.environment.is_busy = False
        self._world.end(self)
        self._ended(result)

    def _handle(self) -> dict[str, Any]:
        name = self.environment.function
        context = SimpleNamespace(
            function_name=name,
            memory_limit_in_mb=512,
            get_remaining_time_in_millis=lambda: int((self.deadline - self._world.now) * 1000),
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
            aws_request_id="5d3c1a52-2b3f-4d4e-9c5b-0a1b2c3d4e5f",
        )
        result: dict[str, Any] = app(name).handler(self._event, context)
        return result


def keep_for_each_environment(current: Callable[[], Environment]) -> None:
    """Let what the composition roots keep be kept for each execution environment, from now on."""
    for module in _MODULES:
        for name, part in list(_caches(module)):
            setattr(module, name, _for_each(module.__name__, name, part, current))


def _caches(module: Any) -> Iterator[tuple[str, Any]]:
    for name, part in vars(module).items():
        if hasattr(part, "cache_clear") and getattr(part, "__module__", "") == module.__name__:
            yield name, part


def _for_each(module: str, name: str, part: Any, current: Callable[[], Environment]) -> Callable[..., Any]:
    keep = cache if hasattr(part, "cache_info") else _latest()

    def kept(*args: Any, **options: Any) -> Any:
        return current().kept(module, name, lambda: keep(part.__wrapped__))(*args, **options)

    return kept


def _latest() -> Callable[..., Any]:
    from permission_guard.bootstrap.configuration import latest  # noqa: PLC0415 - the original

    return latest


@cache
def app(function: str) -> Any:
    """Load a function's module from its path, as Lambda does."""
    path = REPOSITORY / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"simulated_{function}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
