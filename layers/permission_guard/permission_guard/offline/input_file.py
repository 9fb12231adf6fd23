"""Read files in JSON, or in YAML with CloudFormation's short forms."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from permission_guard.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

STDIN: Final = "-"


def read(path: Path) -> Any:
    """Return the content of a file, `-` for standard input. InputError if it is neither JSON nor YAML."""
    try:
        content = sys.stdin.read() if str(path) == STDIN else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text") from error
    try:
        return json.loads(content)
    except ValueError as error:
        if content.lstrip()[:1] in {"{", "["} and "\n" not in content.strip():
            raise InputError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise InputError("nested too deeply") from error
    return _yaml(content)


def _yaml(content: str) -> Any:
    """Read YAML as CloudFormation does: dates and numbers with leading zeros are strings, tags are functions."""
    try:
        import yaml  # noqa: PLC0415 - only YAML files need it
    except ModuleNotFoundError as error:
        raise InputError("YAML files need PyYAML: pip install 'permission-guard[cli]'") from error

    class Loader(yaml.SafeLoader):
        """A separate class, because its resolvers and constructors are changed."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class above
            first: [
                (tag, pattern)
                for tag, pattern in resolvers
                if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int"}
            ]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    def construct(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
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

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
    Loader.add_multi_constructor("!", construct)
    try:
        return yaml.load(content, Loader=Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"neither JSON nor YAML: {problem}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"neither JSON nor YAML: {error}") from error
