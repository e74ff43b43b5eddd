"""``import droidloop`` is free, and what is public is what ``dir`` lists."""

import subprocess
import sys

import pytest

import droidloop

CHEAP = """
import sys, droidloop
assert not {name for name in sys.modules if name.startswith("droidloop.")}, sys.modules
assert droidloop.UsageError.__name__ == "UsageError"
assert "numba" not in sys.modules
"""


def test_importing_it_imports_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CHEAP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", droidloop.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(droidloop, name) is not None


def test_dir_lists_the_public_names() -> None:
    assert dir(droidloop) == sorted(droidloop.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'droidloop' has no attribute 'simulate'"):
        droidloop.simulate  # noqa: B018  what is tested


def test_methods_and_keys_are_records() -> None:
    assert {one["kind"] for one in droidloop.methods("policy")} == {"policy"}
    assert {one["section"] for one in droidloop.keys("delivery")} == {
        "[delivery]",
        "[delivery.planted]",
    }
