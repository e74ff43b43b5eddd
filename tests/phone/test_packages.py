"""A release to two phones: over a link that is cut, tried, and taken back where it is bad."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from droidloop.devices.android.adb.adb import Adb
from droidloop.platform.ledger import read, texts
from droidloop.scenarios.cli.main import main

from .conftest import Attached
from .export_models import DIM, ITEMS
from .made import bundle, models
from .packages import NAME, brought, cleaned, delivered, install_s

pytestmark = pytest.mark.phone


@pytest.fixture
def clean(pair: tuple[Attached, Attached]) -> Iterator[tuple[Attached, Attached]]:
    """Both phones, with nothing installed before and after."""
    cleaned(pair)
    yield pair
    cleaned(pair)


def trained_on(kept: int) -> bytes:
    """Return the scorer with other rows but for the first *kept*: pieces of it stay as they are."""
    data = bytearray((models() / "scorer.tflite").read_bytes())
    angles = torch.arange(ITEMS * DIM, dtype=torch.float64)
    at = data.index(torch.sin(angles * 0.7).float().numpy().tobytes())
    table = np.frombuffer(data, np.float32, ITEMS * DIM, at)
    table[kept * DIM :] *= -0.5
    return bytes(data)


def test_a_release_is_resumed_after_a_cut_proved_and_taken_back_where_it_is_bad(
    clean: tuple[Attached, Attached], tmp_path: Path
) -> None:
    files = [tmp_path / f"{version}.tflite" for version in (1, 2, 3)]
    for file, kept in zip(files, (ITEMS, ITEMS // 2, 0), strict=True):
        file.write_bytes(trained_on(kept))
    one, two, three = (brought(file, version) for version, file in enumerate(files, 1))
    install_s(clean, one)
    found = delivered(clean, two, three, tmp_path, cut=3)
    assert 0 < found["sent_after_the_cut"] < found["sent_whole"] < found["bytes"] - 2**20
    assert found["works"] == [(2, "float32")] * 2
    assert found["bad"].startswith("1 of 2 devices refused it: gives scores")
    assert found["error"] == 0
    rows = read(tmp_path / "ledger/1", "installs")
    [switched] = rows[rows["event"] == b"switched"]
    assert (switched["fetched_bytes"], switched["version"]) == (found["sent_after_the_cut"], 2)
    assert switched["fetched_bytes"] < switched["whole_bytes"]
    assert texts(read(tmp_path / "ledger/0", "installs")["event"]).count("switched") == 1


def test_typed_commands_deliver_a_package_tell_what_works_and_return(
    clean: tuple[Attached, Attached], tmp_path: Path, adb: Adb
) -> None:
    def typed(*words: object) -> str:
        done = CliRunner().invoke(main, ["package", *map(str, words)])
        assert done.exit_code == 0, done.output
        return done.stdout

    serial = clean[0].phone.serial
    server = ("--adb-server", f"127.0.0.1:{adb.port}")
    there = ("--attach", serial, *server, "--bundle", bundle("x86_64").path)
    typed("keys", tmp_path / "keys")
    for version, kept in enumerate((ITEMS, 0), 1):
        file = tmp_path / f"{version}.tflite"
        file.write_bytes(trained_on(kept))
        brought(file, version)  # which writes golden inputs beside it
        maker = ("--keys", tmp_path / "keys", "--name", NAME, "--version", version)
        golden = ("--golden", file.with_suffix(".npz"), "--variants", "float32")
        package = tmp_path / f"{version}.pkg"
        typed("build", file, *golden, *maker, "--out", package)
        said = typed("deliver", package, "--root", tmp_path / "keys/root.json", *there)
        assert said.splitlines()[-1] == f"{serial}: {NAME} {version} float32: works now"
    assert typed("installed", NAME, *there) == (
        f"{serial}: {NAME} 2 float32 works, {NAME} 1 float32 is kept\n"
    )
    assert typed("installed", NAME, "--return", *there).splitlines() == [
        f"{serial}: {NAME} 1 float32: works again: asked to (2 float32 left)",
        f"{serial}: {NAME} 1 float32 works, nothing is kept",
    ]
