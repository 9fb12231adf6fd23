"""Frozen records: a replacement for `dataclasses` that is faster to import and to define.

Importing `dataclasses` imports `inspect`, which takes longer than importing the whole policy engine. Defining a
dataclass takes several times as long as defining a record, and a cold start of a Lambda function defines dozens of
them. For type checkers a record is a dataclass (PEP 681). It has the same fields, equality, order of arguments and
immutability, and works with `dataclasses.replace`, `copy` and `pickle`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import field
    from typing import TypeVar, dataclass_transform, overload

    T = TypeVar("T")

    @overload
    def record(cls: type[T], /) -> type[T]: ...

    @overload
    def record(*, order: bool = False, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...

    @dataclass_transform(frozen_default=True, field_specifiers=(field,))
    def record(
        cls: type[T] | None = None, /, *, order: bool = False, kw_only: bool = False
    ) -> type[T] | Callable[[type[T]], type[T]]:
        """Make a class a record: frozen, with slots, and compared by its fields; with `order`, also sorted by them."""
        raise NotImplementedError
else:
    from operator import attrgetter

    _REQUIRED = object()

    class _Field:
        __slots__ = ("compare", "default", "factory", "hash", "repr")

        def __init__(self, default, factory, repr_, hash_, compare):
            self.default, self.factory = default, factory
            self.repr, self.compare = repr_, compare
            self.hash = compare if hash_ is None else hash_

        def as_dataclass_field(self, dataclasses):
            """Return the field as a field of `dataclasses`."""
            arguments = {} if self.default is _REQUIRED else {"default": self.default}
            arguments |= {} if self.factory is None else {"default_factory": self.factory}
            return dataclasses.field(**arguments, repr=self.repr, hash=self.hash, compare=self.compare)

    def field(*, default=_REQUIRED, default_factory=None, repr=True, hash=None, compare=True):  # noqa: A002 - the parameters of `dataclasses.field`
        """Define a field as `dataclasses.field` does."""
        return _Field(default, default_factory, repr, hash, compare)

    class _AsDataclass:
        """An attribute that `dataclasses` reads. The first read creates it and the other one."""

        def __init__(self, name, fields, kw_only):
            self._name, self._fields, self._kw_only = name, fields, kw_only

        def __get__(self, instance, owner):
            import dataclasses  # noqa: PLC0415 - the import this module avoids

            made = dataclasses.make_dataclass(
                owner.__name__,
                [
                    (name, owner.__annotations__[name], item.as_dataclass_field(dataclasses))
                    for name, item in self._fields.items()
                ],
                init=False,
                repr=False,
                eq=False,
                frozen=True,
                kw_only=self._kw_only,
            )
            for name in ("__dataclass_fields__", "__dataclass_params__"):
                setattr(owner, name, getattr(made, name))
            return getattr(made, self._name)

    def record(cls=None, /, *, order=False, kw_only=False):
        """Make a class a record: frozen, with slots, and compared by its fields; with `order`, also sorted by them."""

        def decorate(cls):
            names = tuple(cls.__annotations__)
            given = {name: cls.__dict__.get(name, _REQUIRED) for name in names}
            fields = {
                name: value if isinstance(value, _Field) else _Field(value, None, True, None, True)
                for name, value in given.items()
            }
            body = {
                name: value for name, value in cls.__dict__.items() if name not in {*names, "__dict__", "__weakref__"}
            }
            body |= _methods(cls.__qualname__, fields, kw_only=kw_only)
            if order:
                body |= _comparisons(names)
            body["__slots__"] = names
            body["__match_args__"] = names
            made = type(cls)(cls.__name__, cls.__bases__, body)
            made.__init__ = _first_initializer(made, fields, kw_only=kw_only)
            return made

        return decorate if cls is None else decorate(cls)

    def _methods(qualname, fields, *, kw_only):
        """Return the methods of a record, except `__init__`."""
        compared = tuple(name for name, item in fields.items() if item.compare)
        hashed = tuple(name for name, item in fields.items() if item.compare and item.hash)
        shown = tuple(name for name, item in fields.items() if item.repr)
        names = tuple(fields)
        compared_values, hashed_values, every_value = map(_values_of, (compared, hashed, names))

        def equal(self, other):
            if type(other) is not type(self):
                return NotImplemented
            return compared_values(self) == compared_values(other)

        def hashed_value(self):
            return hash(hashed_values(self))

        def represent(self):
            return f"{qualname}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

        def reject_change(self, name, *_value):
            raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be changed")

        def reduce(self):
            if kw_only:
                return _of_keywords, (type(self), dict(zip(names, every_value(self), strict=True)))
            return type(self), every_value(self)

        return {
            "__eq__": equal,
            "__hash__": hashed_value,
            "__repr__": represent,
            "__setattr__": reject_change,
            "__delattr__": reject_change,
            "__reduce__": reduce,
            "__dataclass_fields__": _AsDataclass("__dataclass_fields__", fields, kw_only),
            "__dataclass_params__": _AsDataclass("__dataclass_params__", fields, kw_only),
        }

    def _of_keywords(cls, values):
        """Return the record of a copy or a pickle whose arguments have names only."""
        return cls(**values)

    def _values_of(names):
        """Return a function that returns a record's values as a tuple: thousands of records are compared and sorted."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda self: tuple(getattr(self, name) for name in names)

    def _comparisons(names):
        """Return the comparison methods, which compare the fields in their order."""
        values = _values_of(names)

        def compared_by(operator):
            def compare(self, other):
                if type(other) is not type(self):
                    return NotImplemented
                return operator(values(self), values(other))

            return compare

        return {f"__{name}__": compared_by(getattr(tuple, f"__{name}__")) for name in ("lt", "le", "gt", "ge")}

    def _first_initializer(cls, fields, *, kw_only):
        """Return an `__init__` that generates the class's own at its first call: a cold start uses few classes."""

        def initialize(self, *values, **named):
            cls.__init__ = _initializer(fields, kw_only=kw_only)
            cls.__init__(self, *values, **named)

        return initialize

    def _initializer(fields, *, kw_only):
        """Return the generated `__init__`, which runs often."""
        scope = {"_set": object.__setattr__, "_REQUIRED": _REQUIRED}
        parameters, lines = [], []
        for name, item in fields.items():
            if item.factory is not None:
                scope[f"_make_{name}"] = item.factory
                parameters.append(f"{name}=_REQUIRED")
                lines.append(f" _set(self, {name!r}, _make_{name}() if {name} is _REQUIRED else {name})")
                continue
            if item.default is not _REQUIRED:
                scope[f"_default_{name}"] = item.default
                parameters.append(f"{name}=_default_{name}")
            else:
                parameters.append(name)
            lines.append(f" _set(self, {name!r}, {name})")
        if kw_only and parameters:
            parameters.insert(0, "*")
        source = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines)
        exec(source, scope)  # noqa: S102 - the source contains only names from this package
        return scope["__init__"]


__all__ = ["field", "record"]
