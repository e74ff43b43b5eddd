import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.models.packages.manifest import Manifest, TensorSpec, runtime_code
from droidloop.models.packages.package import (
    ITEMS,
    Package,
    golden_sample,
    golden_stride,
    read_npy,
    write_labels,
    write_npy,
)
from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError


def make(version: int = 1, model: bytes = b"TFL3 of float32") -> Package:
    golden = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    record = {"golden_outputs": {"scores": "golden/scores.npy"}, "ram_bytes": 10, "tolerance": 0.5}
    return Package.build(
        files={
            "float32.tflite": model,
            "int8.tflite": b"int8",
            "golden/user.npy": write_npy(golden),
            "golden/scores.npy": write_npy(golden[:, 0]),
        },
        name="mf",
        version=version,
        signature="score",
        inputs=(TensorSpec(name="user", shape=(1, 3), dtype="float32"),),
        outputs=(TensorSpec(name="scores", shape=(1, 3), dtype="float32"),),
        golden_inputs={"user": "golden/user.npy"},
        golden_stride=1,
        variants={
            "float32": {**record, "model": "float32.tflite", "min_runtime": 14},
            "int8": {**record, "model": "int8.tflite", "min_runtime": 100},
        },
    )


def named(labels: bytes) -> Package:
    """Return the package with a file of names of its items."""
    plain = make()
    fields = {name: getattr(plain.manifest, name) for name in type(plain.manifest).model_fields}
    fields |= {"items": ITEMS}
    del fields["files"]
    return Package.build(files={**plain.files, ITEMS: labels}, **fields)


def test_items_have_names_which_are_delivered_with_the_model(tmp_path: Path) -> None:
    package = named(write_labels(["one", "a\nline", "três"]))
    package.save(tmp_path / "mf-1")
    assert Package.load(tmp_path / "mf-1").item_labels() == ["one", "a line", "três"]
    assert package.delivery_bytes("int8") > make().delivery_bytes("int8") + 15
    assert make().item_labels() == []


@pytest.mark.parametrize(
    ("labels", "message"), [(b"one\ntwo\n", "2 names for 3 items"), (b"\xff\n", "not UTF-8")]
)
def test_names_that_are_not_one_an_item_are_refused(labels: bytes, message: str) -> None:
    with pytest.raises(PackageError, match=message):
        named(labels).item_labels()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make().save(tmp_path / "mf-1")
    return tmp_path / "mf-1"


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    path = folder / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def test_a_package_read_back_is_the_package_written(folder: Path) -> None:
    assert Package.load(folder) == make()


def test_the_same_content_has_the_same_hash_and_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make().save(tmp_path / name)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        twin = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == twin.read_bytes()
    assert make().sha256 == make().sha256


def test_every_change_of_content_changes_the_hash() -> None:
    assert len({make().sha256, make(version=2).sha256, make(model=b"other").sha256}) == 3


def test_a_package_knows_its_width_and_its_items() -> None:
    assert (make().dim, make().n_items) == (3, 3)


def test_a_delivery_is_the_manifest_the_model_and_the_golden_values(folder: Path) -> None:
    paths = ("manifest.json", "int8.tflite", "golden/user.npy", "golden/scores.npy")
    assert sum((folder / path).stat().st_size for path in paths) == make().delivery_bytes("int8")


def test_golden_values_come_back_as_arrays() -> None:
    assert make().golden_inputs()["user"].tolist() == [[[0, 1, 2]], [[3, 4, 5]]]
    assert make().golden_outputs("int8")["scores"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_variant_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PackageError, match="package mf 1: no variant 'int4'; it has float32, int8"):
        make().variant("int4")


def test_a_variant_is_refused_on_a_runtime_below_its_lowest() -> None:
    make().require_runtime("int8", 100)
    with pytest.raises(PackageError, match="int8 needs runtime 100, not 99; use float32"):
        make().require_runtime("int8", 99)
    with pytest.raises(PackageError, match="needs runtime 14, not 13; update the runtime"):
        make().require_runtime("float32", 13)


@pytest.mark.parametrize(
    "path", ["float32.tflite", "int8.tflite", "golden/user.npy", "golden/scores.npy"]
)
def test_a_file_with_one_wrong_bit_is_refused_by_name(folder: Path, path: str) -> None:
    data = bytearray((folder / path).read_bytes())
    data[-1] ^= 1
    (folder / path).write_bytes(data)
    with pytest.raises(PackageError, match=f"{path}: changed since it was packed; fetch"):
        Package.load(folder)


@pytest.mark.parametrize("grow", [-1, 1])
def test_a_file_of_another_length_is_refused(folder: Path, grow: int) -> None:
    data = (folder / "int8.tflite").read_bytes()
    (folder / "int8.tflite").write_bytes((data + b"+")[: len(data) + grow])
    with pytest.raises(PackageError, match=r"int8.tflite: changed since it was packed"):
        Package.load(folder)


@pytest.mark.parametrize("path", ["manifest.json", "int8.tflite"])
def test_a_missing_file_is_named(folder: Path, path: str) -> None:
    (folder / path).unlink()
    with pytest.raises(PackageError, match=rf"{path}: No such file or directory; fetch"):
        Package.load(folder)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    outside = folder.parent / "secret"
    outside.write_bytes((folder / "int8.tflite").read_bytes())
    (folder / "int8.tflite").unlink()
    (folder / "int8.tflite").symlink_to(outside)
    with pytest.raises(PackageError, match=r"int8.tflite: no file of the package; remove it"):
        Package.load(folder)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder: Path) -> None:
    (folder / "int8.tflite").unlink()
    os.mkfifo(folder / "int8.tflite")
    with pytest.raises(PackageError, match=r"int8.tflite: no file of the package; remove it"):
        Package.load(folder)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a/../../secret", "golden//user.npy", "a\\b", "", ".x"]
)
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, path: str) -> None:
    def point(fields: dict[str, dict[str, dict[str, str]]]) -> None:
        fields["variants"]["int8"]["model"] = path

    edit(folder, point)  # type: ignore[arg-type]
    with pytest.raises(PackageError, match=r"manifest.json: variants.int8.model: String should"):
        Package.load(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.update(extra=1), "extra: Extra inputs are not permitted"),
        (lambda f: f.update(format=2), "format: Input should be 1"),
        (lambda f: f.update(version=-1), "version: Input should be greater"),
        (lambda f: f.update(version="1"), "version: Input should be a valid integer"),
        (lambda f: f.update(variants={}), "variants: Dictionary should have at least 1 item"),
        (lambda f: f["variants"]["int8"].pop("min_runtime"), "min_runtime: Field required"),
        (lambda f: f["variants"]["int8"].update(tolerance=-1.0), "tolerance: Input should be"),
        (lambda f: f["inputs"][0].update(dtype="object"), "inputs.0.dtype: Input should be"),
        (lambda f: f["files"]["int8.tflite"].update(size_bytes=2**40), "size_bytes: Input should"),
        (lambda f: f["files"]["int8.tflite"].update(sha256="0" * 63), "sha256: String should"),
    ],
)
def test_a_manifest_with_a_wrong_value_is_refused_by_key(
    folder: Path, change: Callable[[dict[str, object]], object], reason: str
) -> None:
    edit(folder, change)
    with pytest.raises(PackageError, match=rf"manifest.json: .*{reason}.*; fetch or export"):
        Package.load(folder)


def test_a_file_that_the_manifest_uses_must_have_a_hash(folder: Path) -> None:
    def forget(fields: dict[str, dict[str, object]]) -> None:
        fields["files"].pop("int8.tflite")

    edit(folder, forget)  # type: ignore[arg-type]
    with pytest.raises(PackageError, match=r"names 'int8.tflite' without hash"):
        Package.load(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 10_000])
def test_what_is_no_manifest_is_refused_in_one_line(folder: Path, data: bytes) -> None:
    (folder / "manifest.json").write_bytes(data)
    with pytest.raises(PackageError, match=r"manifest.json: .*; fetch or export it") as caught:
        Package.load(folder)
    assert "\n" not in str(caught.value)


def test_a_manifest_without_end_is_not_read_to_its_end(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(PackageError, match=r"manifest.json: over 1048576 bytes"):
        Package.load(folder)


def test_another_package_than_the_one_expected_is_refused(folder: Path) -> None:
    assert Package.load(folder, sha256=make().sha256) == make()
    with pytest.raises(PackageError, match=r"not the package \w{12}\.\.\.; fetch it again"):
        Package.load(folder, sha256=make(version=2).sha256)


def test_saving_again_is_harmless_and_saving_another_there_is_refused(folder: Path) -> None:
    make().save(folder)
    with pytest.raises(PackageError, match="exists and is not package mf 2; remove it or name"):
        make(version=2).save(folder)
    assert Package.load(folder) == make()


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PackageError, match="No space left on device; free or name another place"):
        make().save(tmp_path / "mf-1")
    assert list(tmp_path.iterdir()) == []


def test_files_in_memory_are_verified_too() -> None:
    package = make()
    with pytest.raises(PackageError, match=r"int8.tflite: not what the manifest promises"):
        Package(package.manifest, {**package.files, "int8.tflite": b"int9"})


def test_a_moved_package_still_holds(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "elsewhere")
    assert Package.load(tmp_path / "elsewhere") == make()


@given(version=st.integers(0, 2**31 - 1))
def test_a_manifest_is_the_same_after_reading_and_writing(version: int) -> None:
    data = make(version).manifest.encode()
    assert Manifest.decode(data, "here").encode() == data


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize("shape", [(3,), (2, 0), (2, 3, 4)])
def test_an_array_comes_back_from_its_file(dtype: type, shape: tuple[int, ...]) -> None:
    array: Array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    back = read_npy(write_npy(array), "x.npy")
    assert back.dtype == array.dtype
    assert (back == array).all()
    assert back.shape == shape


def header(text: str) -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x09\x00",
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}") + b"1234",
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"1234",
        header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}") + b"1234",
        header("__import__('os').system('true')"),
    ],
)
def test_a_hostile_array_file_is_refused(data: bytes) -> None:
    with pytest.raises(PackageError, match=r"x.npy: not a "):
        read_npy(data, "x.npy")


@given(st.integers(1, 5000))
def test_golden_samples_are_bounded_and_begin_at_the_first_value(size: int) -> None:
    outputs = {"scores": np.zeros((2, 1, size), np.float32)}
    outputs["scores"][:, 0, 0] = 1
    sample = golden_sample(outputs["scores"], golden_stride(outputs))
    assert sample.shape[1] <= 128
    assert 2 * sample.shape[1] > min(size, 128)
    assert sample[:, 0].tolist() == [1, 1]


def test_runtimes_are_ordered_by_what_they_can_do() -> None:
    versions = [
        ("tflite-runtime", "2.5.0"),
        ("tflite-runtime", "2.14.0"),
        ("ai-edge-litert", "1.0.1"),
        ("ai-edge-litert", "1.4.0"),
        ("ai-edge-litert", "2.3.0"),
    ]
    assert [runtime_code(*pair) for pair in versions] == [5, 14, 100, 104, 203]
    with pytest.raises(ValueError, match=r"onnxruntime 1.2.0 has no number"):
        runtime_code("onnxruntime", "1.2.0")
