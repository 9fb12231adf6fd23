"""`make sbom`: writes the software bill of materials of what is deployed, as CycloneDX 1.6 in JSON.

It has the project, each distribution of the layers with its version, licence, purl, files and hashes, and which of them
needs which. All of that comes from `uv.lock`, the layers' requirements and the installed metadata, so the same commit
gives the same bytes: there is no timestamp, and the serial number is derived from the content.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tools.licenses import ROOT, layer_metadata, license_of, project

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCK_FILE: Final = ROOT / "uv.lock"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/permission-guard")


def sbom() -> str:
    """Return the document. LookupError if the installed distributions are not those of the layers."""
    settings = project()
    locked = {package["name"]: package for package in tomllib.loads(LOCK_FILE.read_text())["package"]}
    licenses = LicenseFactory()
    components = {
        name: Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=metadata["Version"],
            bom_ref=f"pkg:pypi/{name}@{metadata['Version']}",
            purl=PackageURL("pypi", name=name, version=metadata["Version"]),
            licenses=[licenses.make_from_string(str(license_of(metadata, settings["tool"]["licenses"]["declared"])))],
            external_references=[_reference(file) for file in _files(locked[name])],
        )
        for name, metadata in layer_metadata().items()
    }
    about = settings["project"]
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION,
        name=about["name"],
        version=about["version"],
        description=about["description"],
        bom_ref=f"pkg:generic/{about['name']}@{about['version']}",
        purl=PackageURL("generic", name=about["name"], version=about["version"]),
        licenses=[licenses.make_from_string(about["license"])],
    )
    bom.components.update(components.values())
    groups = locked[about["name"]]["dev-dependencies"]
    of_layers = [components[needed["name"]] for group in ("layer", "senders") for needed in groups[group]]
    bom.register_dependency(bom.metadata.component, of_layers)
    for name, component in components.items():
        needs = (needed["name"] for needed in locked[name].get("dependencies", ()))
        # What is not in a layer is for another platform or a command line, or in the Lambda runtime.
        bom.register_dependency(component, [components[needed] for needed in needs if needed in components])
    return _reproducible(json.loads(JsonV1Dot6(bom).output_as_string()))


def _files(package: Mapping[str, Any]) -> list[dict[str, str]]:
    return [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]


def _reference(file: Mapping[str, str]) -> ExternalReference:
    return ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(file["url"]),
        hashes=[HashTypeFactory().from_composite_str(file["hash"])],
    )


def _reproducible(document: dict[str, Any]) -> str:
    """Return a document as text, without its timestamp and with a serial number that is derived from the rest."""
    del document["metadata"]["timestamp"]
    document["serialNumber"] = ""
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write the document to the file that the command line names."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(sbom())
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
