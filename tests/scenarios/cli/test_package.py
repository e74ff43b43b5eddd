"""``droidloop package``: from anybody's model to an installed version; one line for a mistake."""

import json
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages.export import convert
from droidloop.models.packages.exportable import scoring
from tests.devices.installing.conftest import table
from tests.scenarios.conftest import Command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """Two versions of somebody's model, golden inputs, keys and both packages."""
    here = tmp_path_factory.mktemp("maker")
    for version in (1, 2):
        model = convert(scoring(table(version)), ["float32"], 300)["float32"]
        (here / f"Model{version}.tflite").write_bytes(model)
    users = np.random.Generator(np.random.Philox(1)).normal(size=(3, 1, 16))
    np.savez(here / "golden.npz", user=users.astype(np.float32))
    assert command("package", "keys", here / "keys").exit_code == 0
    for version in (1, 2):
        answer = command(
            *("package", "build", here / f"Model{version}.tflite", "--keys", here / "keys"),
            *("--golden", here / "golden.npz", "--name", "mine", "--version", version),
            *("--out", here / f"{version}.pkg"),
        )
        assert answer.exit_code == 0, answer.output
    return here


def test_a_package_says_what_it_holds(folder: Path, command: Command) -> None:
    answer = command("package", "inspect", folder / "1.pkg", "--root", folder / "keys/root.json")
    assert answer.exit_code == 0
    assert answer.output.startswith("mine 1: ")
    assert "float32" in answer.output
    assert f"whole and signed by {folder / 'keys/root.json'}" in answer.output
    told = json.loads(command("package", "inspect", folder / "1.pkg", "--json").output)
    assert (told["name"], told["version"]) == ("mine", 1)
    assert set(told["variants"]) == {"float32", "int8"}


WAYS = {"whole", ".zst", ".zstd", ".bsdiff", ".sparse"}


def test_a_patch_takes_what_differs_and_prints_every_way(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    args = ("package", "diff", folder / "1.pkg", folder / "2.pkg", "--out", tmp_path / "p")
    told = json.loads(command(*args, "--json").output)
    assert told["bytes"] == (tmp_path / "p").stat().st_size < told["whole_bytes"]
    for one in told["files"].values():
        assert one["bytes"] == min(one["ways"].values())
    assert set(told["files"]["int8.tflite"]["ways"]) == WAYS


def test_a_phone_takes_a_package_a_patch_and_comes_back(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    root, phone, patch = folder / "keys/root.json", tmp_path / "phone", tmp_path / "12.patch"
    command(
        "package", "diff", folder / "1.pkg", folder / "2.pkg", "--variant", "int8", "--out", patch
    )
    first = command(
        "package", "apply", folder / "1.pkg", "--into", phone, "--root", root, "--variant", "int8"
    )
    assert first.output == "mine 1 int8: gave the golden outputs\nmine 1 int8: works now\n"
    second = command("package", "apply", patch, "--into", phone, "--root", root)
    assert second.output.endswith("mine 2 int8: works now\n")
    back = command("package", "apply", "--return", "--into", phone)
    assert back.output == "mine 1 int8: works again: asked to (2 int8 left)\n"
    again = command("package", "apply", "--return", "--into", phone)
    assert again.exit_code == 1
    assert "no version before the one that works is kept here" in again.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("inspect", "nix"), "nix: No such file or directory; name a package file"),
        (("build", "nix", "--golden", "g", "--keys", "k"), "k/root.json: No such file"),
        (
            ("build", "nix", "--golden", "g", "--keys", "KEYS"),
            "nix: No such file or directory; name",
        ),
        (
            ("build", "MODEL", "--golden", "nix", "--keys", "KEYS"),
            "--golden nix: no arrays by name",
        ),
        (("build", "GOLDEN", "--golden", "GOLDEN", "--keys", "KEYS"), "LiteRT refuses the model"),
        (
            ("build", "MODEL", "--golden", "GOLDEN", "--keys", "KEYS", "--name", "../x"),
            "--name '../x': small letters",
        ),
        (
            ("build", "MODEL", "--golden", "GOLDEN", "--keys", "KEYS", "--variants", "int2"),
            "variant 'int2': choose from float32, float16, int8, int8-dynamic, int4",
        ),
        (("keys", "KEYS"), "File exists; name a new folder for keys"),
        (("apply", "--into", "nix"), "give --root and files to install, or --return alone"),
        (
            ("apply", "--return", "--into", "nix"),
            "nix: nothing is installed; apply a package first",
        ),
        (("diff", "nix", "nix", "--out", "p"), "nix: No such file or directory"),
        (
            ("deliver", "1.pkg", "--root", "nix", "--attach", "all"),
            "nix: No such file or directory; name the maker's root.json",
        ),
        (
            ("deliver", "1.pkg", "--root", "keys/root.json", "--attach", "all", "--stages", "0.5"),
            "--stages '0.5': give shares that rise to 1.0, as 0.1,1.0",
        ),
        (("installed", "../x", "--attach", "all"), "NAME '../x': small letters"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    command: Command,
    args: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    places = {"KEYS": "keys", "MODEL": "Model1.tflite", "GOLDEN": "golden.npz"}
    answer = command("package", *(places.get(one, one) for one in args))
    assert answer.exit_code in (1, 2)
    assert answer.output.startswith("Error: ")
    assert answer.output.count("\n") == 1
    assert words in answer.output


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"item": np.zeros((1, 16), np.float32)}, "has item; the model's inputs are user"),
        (
            {"user": np.zeros((1, 17), np.float32)},
            "user is float32 of shape (1, 17); the model wants",
        ),
        (
            {"user": np.zeros((1, 16))},
            "user is float64 of shape (1, 1, 16); the model wants float32",
        ),
        ({"user": np.zeros((65, 1, 16), np.float32)}, "has [65] inputs; give 1 to 64 of each"),
    ],
)
def test_golden_inputs_that_do_not_fit_are_told_what_would(
    folder: Path, tmp_path: Path, command: Command, arrays: dict[str, object], words: str
) -> None:
    np.savez(tmp_path / "g.npz", **arrays)  # type: ignore[arg-type]
    answer = command(
        *("package", "build", folder / "Model1.tflite", "--golden", tmp_path / "g.npz"),
        *("--keys", folder / "keys", "--name", "mine"),
    )
    assert answer.exit_code == 2
    assert words in answer.output
