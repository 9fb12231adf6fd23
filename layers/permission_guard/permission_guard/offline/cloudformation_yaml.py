"""Read YAML as CloudFormation does, within bounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from permission_guard.errors import InputError, UnreadFileError, UnsupportedFileError
from permission_guard.offline.bounds import MAX_DEPTH, MAX_NODES, TOO_DEEP, TOO_MANY_NODES

if TYPE_CHECKING:
    _Parser = Any
else:
    try:
        from yaml.cyaml import CParser as _Parser
    except ImportError:  # PyYAML without libyaml
        from yaml.parser import Parser
        from yaml.reader import Reader
        from yaml.scanner import Scanner

        class _Parser(Reader, Scanner, Parser):
            """The same parser in Python."""

            def __init__(self, stream):
                Reader.__init__(self, stream)
                Scanner.__init__(self)
                Parser.__init__(self)


_INTEGER: Final = "tag:yaml.org,2002:int"
_NOT_RESOLVED: Final = frozenset({"tag:yaml.org,2002:timestamp", _INTEGER})


class _Loader(Composer, _Parser, SafeConstructor, Resolver):  # type: ignore[misc]
    """A safe loader: dates and numbers with leading zeros are strings, tags are functions.

    It counts the values of the document before it constructs any. An alias counts as what it stands for, so that a few
    lines of aliases of aliases cannot fill the memory.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class above
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_RESOLVED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, content: str) -> None:
        _Parser.__init__(self, content)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._depth = 0
        self._composed = 0
        self._measured: dict[int, tuple[int, int]] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, and measure it: the number of its values and its depth, with all aliases expanded."""
        self._depth += 1
        self._composed += 1
        if self._depth > MAX_DEPTH:
            raise UnreadFileError(TOO_DEEP)
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not is_alias:
            self._measured[id(node)] = self._measure(node)
        elif id(node) not in self._measured:
            raise InputError("neither JSON nor YAML: an alias refers to a value that contains it")
        size, depth = self._measured[id(node)]
        if max(size, self._composed) > MAX_NODES:
            raise UnreadFileError(TOO_MANY_NODES)
        if self._depth + depth > MAX_DEPTH:
            raise UnreadFileError(TOO_DEEP)
        return node

    def _measure(self, node: Any) -> tuple[int, int]:
        if isinstance(node, yaml.ScalarNode):
            return 1, 1
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        measured = [self._measured[id(child)] for child in children]
        return 1 + sum(size for size, _ in measured), 1 + max((depth for _, depth in measured), default=0)


def _construct(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Return the function that a tag is the short form of."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise yaml.YAMLError(f"!{suffix} has no value")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


def _is_null(node: yaml.Node | None) -> bool:
    """Return whether a document is empty, as after a separator at the end of a file."""
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


_Loader.add_implicit_resolver(_INTEGER, re.compile(r"-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_multi_constructor("!", _construct)


def parse(content: str) -> Any:
    """Return the document of a YAML file. InputError if it is not YAML, UnsupportedFileError if it has several."""
    try:
        loader = _Loader(content)
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
        found = [node for node in nodes if not _is_null(node)]
        if len(found) > 1:
            raise UnsupportedFileError("several YAML documents in one file: a template is one document")
        return loader.construct_document(found[0]) if found else None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"neither JSON nor YAML: {problem}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"neither JSON nor YAML: {error}") from error
