"""A release: what a commit needs for its tag, and a workflow that can do no more than it must."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.paths import REPOSITORY
from tools import release
from tools.release import main, problems

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW: Final = REPOSITORY / ".github" / "workflows" / "release.yml"
PERMISSIONS: Final[dict[str, dict[str, str]]] = {
    "build": {"contents": "read"},
    "test": {"contents": "read"},
    "install": {},
    "attest": {"attestations": "write", "id-token": "write"},
    "publish": {"id-token": "write"},
}
"""What the token of each job may do."""

PROJECT: Final = {"version": "1.2.3", "urls": {"Repository": "https://github.com/acme/permission-guard"}}
CHANGELOG: Final = """\
# Changelog

## [Unreleased]

## [1.2.3] - 2026-12-31

### Added

- A scan.

## [1.2.2] - 2026-12-01
"""


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    """Return the workflow."""
    read: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text())
    return read


@pytest.fixture(scope="module")
def jobs(workflow: dict[Any, Any]) -> dict[str, Any]:
    """Return the jobs of the workflow, by their ids."""
    found: dict[str, Any] = workflow["jobs"]
    return found


def test_only_the_tag_of_a_version_starts_a_release(workflow: dict[Any, Any]) -> None:
    """No branch, no pull request and no person without a tag. YAML 1.1 reads the key `on` as true."""
    assert workflow[True] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}


def test_each_job_has_the_least_permissions(workflow: dict[Any, Any], jobs: dict[str, Any]) -> None:
    """What is not listed is denied. There is no secret: PyPI trusts the workflow in its environment."""
    assert workflow["permissions"] == {}
    assert {name: job["permissions"] for name, job in jobs.items()} == PERMISSIONS
    assert "secrets." not in WORKFLOW.read_text()
    assert {name: job["environment"]["name"] for name, job in jobs.items() if "environment" in job} == {
        "publish": "pypi"
    }


def test_no_job_that_may_write_runs_code_of_the_repository_or_of_its_dependencies(jobs: dict[str, Any]) -> None:
    """It gets the distributions, and nothing else."""
    for name, granted in PERMISSIONS.items():
        if "write" in granted.values():
            actions = [step["uses"].partition("@")[0] for step in jobs[name]["steps"]]
            assert actions[0] == "actions/download-artifact"
            assert len(actions) == 2
            assert "actions/checkout" not in actions


def test_nothing_is_published_that_was_not_built_tested_installed_and_attested(jobs: dict[str, Any]) -> None:
    """In this order, and all of the same artifact."""
    needed: set[str] = set()
    waiting = {"publish"}
    while waiting:
        needs = jobs[waiting.pop()].get("needs", [])
        waiting |= {needs} if isinstance(needs, str) else set(needs)
        needed |= waiting
    assert needed == {"build", "test", "install", "attest"}
    assert not any("if" in job or "continue-on-error" in job for job in jobs.values())
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert not any("if" in step or "continue-on-error" in step for step in steps)
    settings = {step["uses"].partition("@")[0]: step.get("with", {}) for step in steps if "uses" in step}
    downloads = [step["with"] for step in steps if "download-artifact" in step.get("uses", "")]
    assert downloads == [{"name": settings["actions/upload-artifact"]["name"], "path": "published"}] * 4
    assert settings["actions/attest-build-provenance"] == {"subject-path": "published/*"}
    assert settings["pypa/gh-action-pypi-publish"] == {"packages-dir": "published"}


def test_the_tests_compare_what_they_tested_with_what_is_published(jobs: dict[str, Any]) -> None:
    """The folder of `make dist` but for the file with which uv hides it from git."""
    commands = [step["run"] for step in jobs["test"]["steps"] if "run" in step]
    assert commands[0] == "make pr"
    assert commands[-1] == "diff --recursive --exclude=.gitignore dist/packages published"


def test_every_action_is_pinned_by_its_commit() -> None:
    """A tag can be moved. The comment says which version it is; an action has one version everywhere."""
    uses = re.findall(r"uses: (.+)", WORKFLOW.read_text())
    assert len(uses) > 10
    pins = {re.sub("@.*", "", use): use for use in uses}
    for use in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use), use
        assert pins[re.sub("@.*", "", use)] == use


def test_the_checkout_leaves_no_token_behind(jobs: dict[str, Any]) -> None:
    """Everything that the build and the tests run could read it."""
    for job in jobs.values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


def test_no_command_contains_an_expression_and_every_job_ends(jobs: dict[str, Any]) -> None:
    """An expression becomes part of the shell's program, and a tag can have any name."""
    for job in jobs.values():
        assert 0 < job["timeout-minutes"] <= 90
        assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_the_commands_exist(jobs: dict[str, Any]) -> None:
    """The targets of make and the module that checks the tag."""
    makefile = (REPOSITORY / "Makefile").read_text()
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = [target for command in commands if command.startswith("make ") for target in command.split()[1:]]
    assert set(targets) >= {"dist", "pr"}
    for target in targets:
        assert f"\n.PHONY: {target}\n" in makefile, target
    assert commands[0] == 'python -m tools.release "$GITHUB_REF_NAME"'


def test_a_complete_commit_can_be_released() -> None:
    """Its tag is its version, and its changelog is written."""
    assert list(problems("v1.2.3", PROJECT, CHANGELOG)) == []


@pytest.mark.parametrize(
    ("tag", "project", "changelog", "problem"),
    [
        ("v1.2.4", PROJECT, CHANGELOG, "The tag is v1.2.4, and the version in pyproject.toml is 1.2.3"),
        ("1.2.3", PROJECT, CHANGELOG, "The tag is 1.2.3, and"),
        ("v1.2.3", {"version": "1.2.3"}, CHANGELOG, "The package has no link to its repository"),
        (
            "v1.2.3",
            PROJECT,
            CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- Something.\n"),
            "CHANGELOG.md has unreleased changes",
        ),
        (
            "v1.2.3",
            PROJECT,
            CHANGELOG.replace("- A scan.\n", "").replace("### Added\n", ""),
            "CHANGELOG.md does not say",
        ),
        ("v1.2.3", PROJECT, CHANGELOG.replace(" - 2026-12-31", ""), "CHANGELOG.md does not say"),
        ("v1.2.3", PROJECT, CHANGELOG.replace("[1.2.3]", "[1.2.0]"), "CHANGELOG.md does not say"),
        ("v1.2.3", PROJECT, "# Changelog\n", "CHANGELOG.md does not say"),
    ],
)
def test_what_is_missing_is_named(tag: str, project: dict[str, Any], changelog: str, problem: str) -> None:
    """One problem each, with what to do."""
    found = list(problems(tag, project, changelog))
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_the_command_prints_the_problems_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the commit that it is in."""
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n[project.urls]\nRepository = "https://x"\n')
    monkeypatch.setattr("sys.argv", ["release", "v1.2.3"])
    assert (main(), capsys.readouterr().err) == (0, "")
    monkeypatch.setattr("sys.argv", ["release", "v9.9.9"])
    assert main() == 1
    assert "tag v1.2.3" in capsys.readouterr().err
