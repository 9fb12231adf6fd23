"""The software bill of materials: it is valid CycloneDX, complete, and the same for the same commit."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import sbom as module
from tools.licenses import REQUIREMENTS, ROOT, deployed, project
from tools.sbom import main, sbom

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the document."""
    read: dict[str, Any] = json.loads(sbom())
    return read


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """By CycloneDX's own strict schema, which a wrong document violates."""
    assert VALIDATOR.validate_str(json.dumps(document)) is None
    wrong = deepcopy(document)
    wrong["components"][0]["type"] = "wheel"
    assert VALIDATOR.validate_str(json.dumps(wrong)) is not None


def test_every_distribution_of_the_layers_is_in_it_with_its_hashes(document: dict[str, Any]) -> None:
    """The hashes are those that the build requires."""
    text = "".join(file.read_text() for file in REQUIREMENTS)
    assert {one["name"]: one["version"] for one in document["components"]} == deployed()
    assert sorted(
        digest["content"]
        for one in document["components"]
        for reference in one["externalReferences"]
        for digest in reference["hashes"]
    ) == sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))
    for one in document["components"]:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"]


def test_the_project_itself_needs_what_the_layers_list(document: dict[str, Any]) -> None:
    """And every other distribution is there because one of those needs it."""
    about = document["metadata"]["component"]
    assert (about["name"], about["licenses"]) == ("permission-guard", [{"license": {"id": "Apache-2.0"}}])
    needs = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in document["dependencies"]}
    assert {re.sub("@.*", "", ref) for ref in needs[about["bom-ref"]]} == {
        "pkg:pypi/apprise",
        "pkg:pypi/aws-lambda-powertools",
        "pkg:pypi/httpx",
        "pkg:pypi/slack-sdk",
    }
    assert set().union(*needs.values()) == {one["bom-ref"] for one in document["components"]}


def test_the_same_commit_gives_the_same_bytes() -> None:
    """Without a time, a random number or a path of the machine."""
    assert sbom() == sbom()
    assert "timestamp" not in sbom()
    assert str(ROOT) not in sbom()


def test_another_content_has_another_serial_number(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A serial number names one document."""
    settings = project()
    settings["project"]["version"] = "0.1.1"
    monkeypatch.setattr(module, "project", lambda: settings)
    other = json.loads(sbom())
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", other["serialNumber"])
    assert other["serialNumber"] != document["serialNumber"]


def test_the_command_writes_the_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that it creates."""
    target = tmp_path / "dist" / "sbom.json"
    monkeypatch.setattr("sys.argv", ["sbom", str(target)])
    assert main() == 0
    assert target.read_text() == sbom()
