"""The bill of materials holds what is installed, in CycloneDX's words, and is always the same."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "sbom.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="an sdist ships no .ci/")
def test_the_bill_names_what_is_installed() -> None:
    texts = {subprocess.check_output([sys.executable, SCRIPT], text=True) for _ in range(2)}
    [text] = texts
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    assert bill["metadata"]["component"]["name"] == "droidloop"
    found = {one["name"]: one["version"] for one in bill["components"]}
    assert found["numpy"] == importlib.metadata.version("numpy")
    refs = {one["bom-ref"] for one in (*bill["components"], bill["metadata"]["component"])}
    assert {one["ref"] for one in bill["dependencies"]} == refs
    assert {ref for one in bill["dependencies"] for ref in one["dependsOn"]} <= refs
