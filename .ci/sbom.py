"""Print the bill of materials of this environment as CycloneDX 1.5, JSON.

Usage: sbom.py > sbom.json. One component for each installed distribution, with version, licence and
the hash of its list of files, and what each needs. The same environment gives the same bytes.
"""

import hashlib
import importlib.metadata
import json
import re
import sys
import uuid
from typing import Any

PROJECT = "droidloop"
NEEDED = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def name_of(name: str) -> str:
    """Return *name* as registries write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def reference(name: str, version: str) -> str:
    """Return the package URL of a distribution."""
    return f"pkg:pypi/{name}@{version}"


def component(one: importlib.metadata.Distribution) -> dict[str, Any]:
    """Return what is known of a distribution."""
    name, told = name_of(one.metadata["Name"]), one.metadata
    record = one.read_text("RECORD") or ""
    keys = [key for key in ("License-Expression", "License") if key in told]
    licence = told[keys[0]].partition("\n")[0] if keys else ""
    found = {
        "type": "library",
        "bom-ref": reference(name, one.version),
        "name": name,
        "version": one.version,
        "purl": reference(name, one.version),
        "properties": [
            {"name": "record:sha256", "value": hashlib.sha256(record.encode()).hexdigest()}
        ],
    }
    return found | ({"licenses": [{"license": {"name": licence[:200]}}]} if licence else {})


def main() -> int:
    """Print the bill; return a process exit status."""
    every = {name_of(one.metadata["Name"]): one for one in importlib.metadata.distributions()}
    if PROJECT not in every:
        print(f"sbom: {PROJECT} is not installed here; run `make install`", file=sys.stderr)
        return 1
    parts = {name: component(every[name]) for name in sorted(every)}
    refs = {name: part["bom-ref"] for name, part in parts.items()}
    needs = []
    for name in sorted(every):
        wanted = {
            name_of(match[0])
            for one in every[name].requires or ()
            if "extra ==" not in one and (match := NEEDED.match(one))
        }
        needs.append(
            {"ref": refs[name], "dependsOn": sorted(refs[w] for w in wanted & refs.keys())}
        )
    root = parts.pop(PROJECT) | {"type": "application"}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": root},
        "components": list(parts.values()),
        "dependencies": needs,
    }
    text = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    print(json.dumps(bill, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
