"""The wheel and the source distribution: complete, and enough for the whole command line in a fresh environment.

The environment has what pip would install beside the wheel, in the versions of the lock file, and nothing of this
repository. Without these tests a missing dependency or data file would be noticed only by users.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from permission_guard import __version__
from tests.paths import LAYER, REPOSITORY
from tools.licenses import project

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    Run = Callable[..., subprocess.CompletedProcess[str]]

UV: Final = REPOSITORY / ".venv-tools" / "bin" / "uv"
DISTRIBUTIONS: Final = REPOSITORY / "dist" / "packages"
NAME: Final = f"permission_guard-{__version__}"
PACKAGE: Final = LAYER / "permission_guard"
METADATA: Final = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
BESIDE_THE_PACKAGE: Final = {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "docs/package.md", "pyproject.toml"}

OPEN_STATEMENT: Final = {
    "Sid": "AnyBucket",
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Resource": "arn:aws:lambda:us-east-1:123456789012:function:orders",
}
SAM_TEMPLATE: Final = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.handler
      InlineCode: pass
  AnyTopic:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Orders
      Principal: sns.amazonaws.com
"""
COMPLETE: Final = """\
source ~/.bashrc
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_permission_guard_completion permission-guard
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when a person presses Tab after these words."""


def distribution(name: str) -> Path:
    """Return a distribution that `make dist` has built."""
    path = DISTRIBUTIONS / name
    if not path.exists():
        pytest.fail("The distributions are not there: run make dist first.")
    return path


@pytest.fixture(scope="module")
def wheel() -> Path:
    """Return the wheel."""
    return distribution(f"{NAME}-py3-none-any.whl")


@pytest.fixture(scope="module")
def source_distribution() -> Path:
    """Return the source distribution."""
    return distribution(f"{NAME}.tar.gz")


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Return the metadata of the wheel, with the page of the package as its payload."""
    return HeaderParser().parsestr(zipfile.ZipFile(wheel).read(f"{NAME}.dist-info/METADATA").decode())


def uv(*arguments: str | Path) -> str:
    """Run uv with the settings of the machine: they say where distributions come from."""
    done = subprocess.run([UV, *arguments], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the versions of the lock file, as constraints."""
    export = ("export", "--locked", "--quiet", "--no-default-groups", "--no-emit-project", "--no-hashes")
    file = tmp_path_factory.mktemp("locked") / "constraints.txt"
    file.write_text(uv(*export))
    return file


@pytest.fixture(scope="module")
def environment(wheel: Path, locked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment in which only the wheel was installed, with what its metadata requires."""
    folder = tmp_path_factory.mktemp("installed")
    uv("venv", "--quiet", "--python", getattr(sys, "_base_executable", sys.executable), folder)
    uv("pip", "install", "--quiet", "--python", folder, "--constraint", locked, wheel)
    return folder


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Return a function that runs a command of the environment, in an empty folder that is also the home folder."""

    def run_command(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env={"PATH": f"{environment / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin", "HOME": str(tmp_path)},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run_command


def package_files() -> dict[str, bytes]:
    """Return the files of the package in this repository, by their paths in the wheel."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(LAYER)): path.read_bytes() for path in files}


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    """With its types, and with the data that `check` and `notify preview` read."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    about = {name.partition(".dist-info/")[2] for name in found if ".dist-info/" in name}
    assert about == METADATA
    own = {name: content for name, content in found.items() if ".dist-info/" not in name}
    assert own == package_files(), "the build is old: run make dist first"
    assert {"permission_guard/py.typed", "permission_guard/offline/sample_findings.json.xz"} < own.keys()


def test_the_source_distribution_has_what_the_wheel_is_built_from_and_nothing_else(source_distribution: Path) -> None:
    """No tests with their placeholder secrets, no builds, and no settings of a machine."""
    with tarfile.open(source_distribution) as archive:
        files = {member.name.removeprefix(f"{NAME}/") for member in archive.getmembers() if member.isfile()}
    folder = LAYER.relative_to(REPOSITORY)
    assert files == BESIDE_THE_PACKAGE | {str(folder / name) for name in package_files()}


def test_the_source_distribution_installs_as_the_wheel_does(
    source_distribution: Path, wheel: Path, tmp_path: Path
) -> None:
    """Pip and uv build it on the user's machine, where the rest of the repository is not."""
    uv("pip", "install", "--quiet", "--no-deps", "--target", tmp_path, source_distribution)
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        expected = {name for name in archive.namelist() if not name.endswith("RECORD")}
        assert expected <= installed | {f"{NAME}.dist-info/{name}" for name in METADATA}
        for name in expected:
            assert (tmp_path / name).read_bytes() == archive.read(name), name


def test_the_metadata_is_what_an_index_shows(metadata: Message) -> None:
    """An index rejects classifiers that do not exist; the build does, too."""
    settings = project()["project"]
    assert settings["version"] == __version__
    assert (metadata["Name"], metadata["Version"]) == ("permission-guard", __version__)
    assert metadata["Summary"] == settings["description"]
    assert metadata["Requires-Python"] == settings["requires-python"]
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
    assert metadata.get_all("Classifier") == settings["classifiers"]
    assert "Typing :: Typed" in settings["classifiers"]
    assert metadata["Keywords"] == ",".join(settings["keywords"])


def test_the_page_of_the_package_stands_alone(metadata: Message) -> None:
    """An index shows it without the files of the repository: a link or picture must have a whole address."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = str(metadata.get_payload())
    assert page == (REPOSITORY / "docs" / "package.md").read_text()
    assert "](" not in page.replace("](https://", "")


def test_the_whole_command_line_is_installed_by_default(metadata: Message) -> None:
    """Without an extra to name."""
    assert metadata.get_all("Provides-Extra") is None
    assert sorted(metadata.get_all("Requires-Dist", [])) == sorted(project()["project"]["dependencies"])


def imported_by(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("permission_guard"):
            inside = LAYER.joinpath(*str(node.module).split("."))
            names = [one.name for one in node.names if (inside / f"{one.name}.py").exists()]
            found |= {f"{node.module}.{name}" for name in names} or {str(node.module)}
    return found


def test_every_module_that_a_command_can_import_is_there(run: Run) -> None:
    """Also what a command imports only when it runs. What sends alerts is not part of the command line."""
    modules = set().union(*map(imported_by, (PACKAGE / "cli").glob("*.py")))
    assert {"permission_guard.bootstrap.deployment", "permission_guard.offline.configuration_file"} <= modules
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = run("python", "-c", program, *sorted(modules))
    assert done.returncode == 0, done.stderr
    absent = run("python", "-c", program, "apprise")
    assert "No module named 'apprise'" in absent.stderr, "the environment has more than the package requires"


def test_the_installed_command_says_its_version_and_its_commands(run: Run, environment: Path) -> None:
    """From the environment, and not from this repository."""
    assert run("permission-guard", "--version").stdout == f"permission-guard {__version__}\n"
    place = run("python", "-c", "import permission_guard; print(permission_guard.__file__)").stdout
    assert Path(place).is_relative_to(environment)
    done = run("permission-guard", "--help")
    assert done.returncode == 0, done.stderr
    assert {"check", "evaluate", "rules", "findings", "fixes", "config", "notify"} <= set(done.stdout.split())


def test_the_installed_command_checks_files(run: Run, tmp_path: Path) -> None:
    """A policy in JSON, and a SAM template in YAML, which AWS's translator deploys as a whole template."""
    (tmp_path / "template.yaml").write_text(SAM_TEMPLATE)
    done = run("permission-guard", "check", "--format", "json", "-", "template.yaml", stdin=json.dumps(OPEN_STATEMENT))
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert [(one["rule_id"], one["subject"]) for one in found["findings"]] == [
        ("PG102", "statement/AnyBucket"),
        ("PG102", "statement/AnyTopic"),
    ]


def test_the_installed_command_has_its_data(run: Run) -> None:
    """The rules and the AWS managed policies, the sample findings and the configuration to begin with."""
    rules = run("permission-guard", "rules", "list")
    assert (rules.returncode, "PG214" in rules.stdout) == (0, True), rules.stderr
    assert "AWS managed policies" in rules.stdout
    preview = run("permission-guard", "notify", "preview", "PG201", "--channel", "slack")
    assert (preview.returncode, "PG201" in preview.stdout) == (0, True), preview.stderr
    for command in ("init", "validate"):
        done = run("permission-guard", "config", command, "guard.yaml")
        assert done.returncode == 0, done.stderr


def test_uvx_runs_the_wheel(wheel: Path, locked: Path) -> None:
    """The program has the name of the package, so `uvx permission-guard` needs no other word."""
    tool = ("tool", "run", "--quiet", "--isolated", "--constraints", locked, "--from", wheel)
    assert uv(*tool, "permission-guard", "--version") == f"permission-guard {__version__}\n"


def test_bash_completes_what_was_installed(run: Run) -> None:
    """Commands, options and values, in a new shell."""
    installed = run("bash", "-c", "permission-guard --install-completion; exit $?")
    assert (installed.returncode, "bash completion installed" in installed.stdout) == (0, True), installed.stderr
    for words, expected in (("ru", "rules"), ("findings list --sev", "--severity"), ("check --rule PG101", "PG101")):
        done = run("bash", "-c", COMPLETE, "bash", "permission-guard", *words.split())
        assert done.stdout.split() == [expected], (words, done.stderr)
