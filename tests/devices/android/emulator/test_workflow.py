"""The emulator's workflow as far as it goes without KVM, an SDK and a hosted runner."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from droidloop.devices.android.emulator.avd import Hardware, avd_folder, configure
from droidloop.scenarios.cli.main import main

ROOT = Path(__file__).parents[4]
FILE = ROOT / ".github/workflows/emulator.yml"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="an sdist has no workflows")

SDKMANAGER = """#!/bin/sh
echo "$@" >>"$ANDROID_HOME/asked"
[ "$1" != --licenses ] || { read -r answer && [ "$answer" = y ]; }
"""
# As the real one it lays the AVD where ANDROID_AVD_HOME says, and asks about a hardware profile.
AVDMANAGER = """#!/bin/sh
[ "$1 $2 $3 $4 $6 $8" = "create avd --force --name --package --device" ] || exit 2
read -r answer && [ "$answer" = no ] || exit 3
mkdir -p "$ANDROID_AVD_HOME/$5.avd"
echo "path=$ANDROID_AVD_HOME/$5.avd" >"$ANDROID_AVD_HOME/$5.ini"
printf 'disk.dataPartition.size=6G\\nhw.ramSize=1536\\n' >"$ANDROID_AVD_HOME/$5.avd/config.ini"
"""


def steps() -> list[dict[str, Any]]:
    """Return the steps of its one job."""
    job: dict[str, Any] = yaml.safe_load(FILE.read_text())["jobs"]["avd"]
    found: list[dict[str, Any]] = job["steps"]
    return found


def step(name: str) -> str:
    """Return the commands of the step *name*."""
    (text,) = (str(one["run"]) for one in steps() if one.get("name") == name)
    return text


def test_actions_are_pinned_to_commits() -> None:
    """With the version that each is beside it, which is what people read."""
    used = re.findall(r"uses: (\S+)(.*)", FILE.read_text())
    assert len(used) == 4
    for action, said in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v[0-9]+\.[0-9]+\.[0-9]+", said)


def test_the_avds_that_it_creates_are_found_and_get_their_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner has XDG_CONFIG_HOME set, under which some tools look; AVDs lie elsewhere."""
    tools = tmp_path / "sdk/cmdline-tools/latest/bin"
    tools.mkdir(parents=True)
    for name, text in (("sdkmanager", SDKMANAGER), ("avdmanager", AVDMANAGER)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    monkeypatch.setenv("ANDROID_AVD_HOME", str(tmp_path / ".avd"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    image = "system-images;android-34;google_apis;x86_64"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step("Create two AVDs")],
        cwd=ROOT,
        env=os.environ | {"IMAGE": image},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "sdk/asked").read_text().splitlines()
    assert asked == ["--licenses", f"--install emulator platform-tools {image}"]
    for name in ("ci", "ci-2"):
        configure(avd_folder(name), Hardware(storage_bytes=2048 << 20))
        text = (tmp_path / f".avd/{name}.avd/config.ini").read_text()
        assert "disk.dataPartition.size=2048M" in text


def commands() -> list[list[str]]:
    """Return the words of every call of droidloop in it."""
    text = "\n".join(str(one.get("run", "")) for one in steps()).replace("\\\n", " ")
    return [shlex.split(words) for words in re.findall(r"\.venv/bin/droidloop ([^)\n]+)", text)]


@pytest.mark.parametrize("words", commands() if FILE.exists() else [], ids=" ".join)
def test_its_commands_are_those_of_the_program(words: list[str]) -> None:
    """What click takes: options that are there, values of their kinds."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, words = found, words[1:]
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context)
    command.make_context("droidloop", list(words), parent=context)
