"""Frozen records: `dataclasses` without what importing it costs.

Importing `dataclasses` loads `inspect`, which takes longer than the whole of this package; and a Lambda function that
decides a policy should not wait for it. A type checker sees `dataclasses.dataclass` itself; what is made here has the
same fields, equality, order of arguments and immutability, and works with `dataclasses.replace` and `copy`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import field
else:
    _REQUIRED = object()

    class _Field:
        __slots__ = ("compare", "default", "factory", "hash", "repr")

        def __init__(self, default, factory, repr_, hash_, compare):
            self.default, self.factory = default, factory
            self.repr, self.compare = repr_, compare
            self.hash = compare if hash_ is None else hash_

    def field(*, default=_REQUIRED, default_factory=None, repr=True, hash=None, compare=True):  # noqa: A002 - as there
        """Describe a field as `dataclasses.field` does."""
        return _Field(default, default_factory, repr, hash, compare)

    class _DataclassFields:
        """What `dataclasses.replace` and the like look at, made when they look."""

        def __get__(self, instance, owner):
            from dataclasses import make_dataclass  # noqa: PLC0415 - the import this module avoids

            return make_dataclass(owner.__name__, [(name, object) for name in owner.__slots__]).__dataclass_fields__

    def record(*, frozen, slots):
        """Return a decorator that makes a class a record; it is always frozen and slotted."""
        assert frozen  # noqa: S101 - there is no other kind
        assert slots  # noqa: S101 - likewise

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
            body |= _methods(cls.__qualname__, fields)
            body["__slots__"] = names
            body["__match_args__"] = names
            return type(cls)(cls.__name__, cls.__bases__, body)

        return decorate

    def _methods(qualname, fields):
        """Return the methods of a record; only `__init__`, which runs often, is worth generating."""
        compared = tuple(name for name, item in fields.items() if item.compare)
        hashed = tuple(name for name, item in fields.items() if item.compare and item.hash)
        shown = tuple(name for name, item in fields.items() if item.repr)
        names = tuple(fields)

        def equal(self, other):
            if type(other) is not type(self):
                return NotImplemented
            return all(getattr(self, name) == getattr(other, name) for name in compared)

        def hashed_value(self):
            return hash(tuple(getattr(self, name) for name in hashed))

        def represent(self):
            return f"{qualname}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

        def refuse(self, name, *_value):
            raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be changed")

        def reduce(self):
            return type(self), tuple(getattr(self, name) for name in names)

        return {
            "__init__": _initializer(fields),
            "__eq__": equal,
            "__hash__": hashed_value,
            "__repr__": represent,
            "__setattr__": refuse,
            "__delattr__": refuse,
            "__reduce__": reduce,
            "__dataclass_fields__": _DataclassFields(),
        }

    def _initializer(fields):
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
        source = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines)
        exec(source, scope)  # noqa: S102 - of names that this package wrote
        return scope["__init__"]


__all__ = ["field", "record"]
