"""Each handler works as deployed: with its built layers, boto3 and the standard library only.

The development environment has more packages, so without these tests a missing dependency would be noticed only
in AWS.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from apprise.manager_plugins import NotificationManager

from permission_guard.delivery.alerts.apprise.targets import FORMS
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    Import = Callable[[str, str], subprocess.CompletedProcess[str]]

BUILD = REPOSITORY / ".aws-sam" / "build"
PACKAGE = REPOSITORY / "layers" / "permission_guard" / "permission_guard"

FUNCTIONS = sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py"))

# What Lambda's Python runtime includes: boto3 and its dependencies.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")

MEGABYTE = 1_000_000

LAYERS = {"PermissionGuardLayer": 8 * MEGABYTE, "SendersLayer": 25 * MEGABYTE}
"""The most bytes of each layer, unzipped."""

SENDING = ("open_ticket", "send_alert")
LIBRARIES = ("apprise", "httpx", "slack_sdk")
"""The libraries of the senders' layer. Each is imported at first use."""

# Runs in an interpreter without packages, so it only imports the standard library.
IMPORT_HANDLER = """
import importlib, json, sys
sys.path[0:0] = json.loads(sys.argv[1])
for name in sys.argv[2].split():
    module = importlib.import_module(name)
package = sys.modules.get("permission_guard")
print(json.dumps({
    "file": getattr(module, "__file__", None),
    "handler": callable(getattr(module, "handler", None)),
    "package": getattr(package, "__file__", None),
    "modules": sorted(sys.modules),
}))
"""


class _Loader(yaml.SafeLoader):
    """A YAML loader that ignores CloudFormation's tags."""


yaml.add_multi_constructor("!", lambda _loader, _tag, _node: None, _Loader)


@pytest.fixture(scope="session")
def built() -> dict[str, Any]:
    """Return the built template."""
    path = BUILD / "template.yaml"
    if not path.exists():
        pytest.fail("The bundles are not there: run make build first.")
    template: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return template


@pytest.fixture(scope="session")
def layers(built: dict[str, Any]) -> dict[str, Path]:
    """Return the folder of each layer, which Lambda unpacks to /opt."""
    folders = {
        name: (BUILD / resource["Properties"]["ContentUri"]).resolve()
        for name, resource in built["Resources"].items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    if folders.keys() != LAYERS.keys() or not all((folder / "python").is_dir() for folder in folders.values()):
        pytest.fail("The layers are not there: run make build first.")
    return folders


@pytest.fixture(scope="session")
def layer(layers: dict[str, Path]) -> Path:
    """Return the folder of the layer that every function has."""
    return layers["PermissionGuardLayer"]


@pytest.fixture(scope="session")
def code(built: dict[str, Any]) -> dict[str, Path]:
    """Return the folder of each function that is deployed, by its name in `functions/`."""
    folders = [
        (BUILD / resource["Properties"]["CodeUri"]).resolve()
        for resource in built["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    missing = [str(folder) for folder in folders if not (folder / "app.py").exists()]
    if missing:
        pytest.fail(f"The code of {', '.join(missing)} is not there: run make build first.")
    return {folder.name: folder for folder in folders}


@pytest.fixture(scope="session")
def bare_boto3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with only boto3 and its dependencies."""
    folder = tmp_path_factory.mktemp("runtime")
    installed = Path(boto3.__file__).parents[1]
    for name in RUNTIME:
        (folder / name).symlink_to(installed / name)
    return folder


@pytest.fixture(scope="session")
def import_module(built: dict[str, Any], code: dict[str, Path], layers: dict[str, Path], bare_boto3: Path) -> Import:
    """Return a function that imports modules with only a function's bundle, in an empty environment."""
    own = {
        Path(resource["Properties"]["CodeUri"]).name: resource["Properties"].get("Layers", [])
        for resource in built["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }

    def run(function: str, module: str) -> subprocess.CompletedProcess[str]:
        # In Lambda's order: the function's code, its layers, the runtime.
        attached = [layers[layer["Ref"]] / "python" for layer in built["Globals"]["Function"]["Layers"] + own[function]]
        path = [str(folder) for folder in (code[function], *attached, bare_boto3)]
        return subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", IMPORT_HANDLER, json.dumps(path), module],
            env={},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_imports_with_what_lambda_has(
    import_module: Import, code: dict[str, Path], layer: Path, function: str
) -> None:
    """No environment variable is set: settings and the region are read only when an event arrives."""
    done = import_module(function, "app")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["handler"], "app.handler is not callable"
    assert found["file"] == str(code[function] / "app.py")
    assert found["package"] == str(layer / "python" / "permission_guard" / "__init__.py")


@pytest.mark.parametrize("module", ["rich", "yaml", "moto", "pydantic", "pytest", "samcli", "no_such_module"])
def test_the_development_environment_cannot_be_imported(import_module: Import, module: str) -> None:
    """Otherwise the test above would pass without a layer."""
    done = import_module(FUNCTIONS[0], module)
    assert done.returncode == 1
    assert f"ModuleNotFoundError: No module named '{module}'" in done.stderr


@pytest.mark.parametrize("module", ["boto3", "aws_lambda_powertools", "permission_guard"])
def test_the_packages_of_the_runtime_and_the_layer_can_be_imported(import_module: Import, module: str) -> None:
    """Otherwise the test above would pass with an empty environment."""
    assert import_module(FUNCTIONS[0], module).returncode == 0


@pytest.mark.parametrize("module", [*LIBRARIES, "apprise.plugins.slack", "apprise.config.base", "markdown", "yaml"])
def test_only_the_functions_that_send_can_import_the_libraries_of_the_senders(
    import_module: Import, layers: dict[str, Path], module: str
) -> None:
    """From the layer. PyYAML and charset-normalizer work without their compiled files."""
    for function in SENDING:
        done = import_module(function, module)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["file"].startswith(str(layers["SendersLayer"]))
    other = next(name for name in FUNCTIONS if name not in SENDING)
    assert f"No module named '{module.partition('.')[0]}'" in import_module(other, module).stderr


@pytest.mark.parametrize("function", SENDING)
def test_everything_that_sends_can_be_imported(import_module: Import, function: str) -> None:
    """The modules of each channel and each ticket system, and the services of Apprise that a URL can name."""
    files = [file for file in (PACKAGE / "delivery").rglob("*.py") if file.name != "__init__.py"]
    modules = {".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files}
    known = NotificationManager()  # type: ignore[no-untyped-call] # its constructor has no types
    services = {known[scheme].__module__ for scheme in FORMS}
    done = import_module(function, " ".join(sorted(modules | services)))
    assert done.returncode == 0, done.stderr
    assert modules | services <= set(json.loads(done.stdout)["modules"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_handler_loads_the_libraries_of_the_senders_or_the_command_line(
    import_module: Import, function: str
) -> None:
    """An unused import slows down every cold start."""
    modules = set(json.loads(import_module(function, "app").stdout)["modules"])
    assert modules.isdisjoint({"permission_guard.cli", "requests", "asyncio", *LIBRARIES})


NOT_AT_ONCE = {
    "apply_fix": {
        "rules.invoke_policy",
        "rules.execution_role",
        "fixes.narrow_statement",
        "invokers",
        "checks.checker",
    },
    "check_execution_role": {"invokers", "rules.invoke_policy", "config.read"},
    "check_invoke_policy": {"needs.event_sources", "needs.features", "rules.execution_role", "config.read"},
    "decide_fix": {"fixes.attach_managed_policy", "invokers", "rules.invoke_policy"},
}
"""Packages and modules that a handler imports when a message needs them, not in its cold start."""


@pytest.mark.parametrize("function", NOT_AT_ONCE)
def test_a_handler_loads_what_few_messages_need_at_first_use(import_module: Import, function: str) -> None:
    """Half of the package is not read in a cold start. `make bench-cold-start` measures what is."""
    modules = set(json.loads(import_module(function, "app").stdout)["modules"])
    assert {name for name in NOT_AT_ONCE[function] if f"permission_guard.{name}" in modules} == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_prepares_its_import_first(function: str) -> None:
    """`bootstrap` makes the imports after it cheaper, and imports Powertools and boto3 itself."""
    lines = (REPOSITORY / "functions" / function / "app.py").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("from aws_lambda_powertools", "from boto", "import boto"))]
    assert [line for line in lines if line.startswith("from permission_guard.bootstrap.")]


def test_every_function_is_in_the_build(code: dict[str, Path]) -> None:
    """Each folder of `functions/` has one bundle."""
    assert sorted(code) == FUNCTIONS


def test_a_functions_code_is_one_module(code: dict[str, Path]) -> None:
    """Everything else is in the layer. Bytecode of an interpreter is ignored."""
    for name, folder in code.items():
        assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["app.py"], name


def test_the_layer_carries_the_whole_package(layer: Path) -> None:
    """Every file of the package must be up to date in the build, except data that only checks of files read."""
    source = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.suffix not in ("", ".pyc")}
    source = {path for path in source if path.suffix != ".xz"}
    carried = layer / "python" / "permission_guard"
    found = {path.relative_to(carried) for path in carried.rglob("*") if path.is_file()}
    assert found == source, "the build is old: run make build first"


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_stays_small(layers: dict[str, Path], name: str) -> None:
    """Every cold start unpacks it."""
    assert sum(path.stat().st_size for path in layers[name].rglob("*") if path.is_file()) <= LAYERS[name]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_pure_python_without_bytecode(layers: dict[str, Path], name: str) -> None:
    """A layer must not depend on the architecture or interpreter of the build machine."""
    suffixes = (".pyc", ".so", ".pyd", ".dylib", ".a")
    files = [path for path in layers[name].rglob("*") if path.name == "__pycache__" or path.suffix in suffixes]
    assert files == []
    assert list(layers[name].rglob("*.dist-info/WHEEL"))


def test_a_distribution_is_in_one_layer_and_not_in_the_runtime(layers: dict[str, Path]) -> None:
    """A second version would replace the first one: botocore would get another urllib3 than AWS tested it with."""
    of_first, of_second = ({path.name for path in folder.glob("python/*")} for folder in layers.values())
    assert of_first.isdisjoint(of_second)
    assert (of_first | of_second).intersection(RUNTIME) == {"jmespath"}  # which Powertools needs
