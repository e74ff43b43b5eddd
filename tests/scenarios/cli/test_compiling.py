"""A first run says that it compiles; one that compiles next to nothing is silent."""

import re

import pytest
from numba import njit

from droidloop.scenarios.cli import compiling


def compile_one() -> None:
    with compiling.compiling_told():
        assert njit(lambda x: x + 1)(1) == 2


def test_compiling_is_told_once_and_so_is_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiling, "TOLD_AFTER_S", 0.0)
    compile_one()
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("compiling kernels (once after an installation")
    assert re.fullmatch(r"compiled kernels in \d+ s; they are kept", last)


def test_one_kernel_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    compile_one()
    assert capsys.readouterr().err == ""
