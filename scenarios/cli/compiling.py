"""Says why a first run takes its time: kernels are compiled, once after an installation."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from numba.core import event

TOLD_AFTER_S = 1.0
"""Of compilation: a kernel or two for an unusual scenario need no words."""


class _Compilations(event.Listener):
    """Adds up how long kernels are compiled; one is compiled within another."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self.told = False
        self._depth = 0
        self._start_s = 0.0

    def on_start(self, event: Any) -> None:
        """A kernel is going to be compiled."""
        if self._depth == 0:
            self._start_s = time.perf_counter()
            if self.total_s >= TOLD_AFTER_S and not self.told:
                self.told = True
                click.echo(
                    "compiling kernels (once after an installation or a change of them) ...",
                    err=True,
                )
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """It is compiled."""
        self._depth -= 1
        if self._depth == 0:
            self.total_s += time.perf_counter() - self._start_s


@contextmanager
def compiling_told() -> Iterator[None]:
    """Say on standard error that kernels are compiled, and in the end how long it took."""
    compilations = _Compilations()
    with event.install_listener("numba:compile", compilations):
        yield
    if compilations.told:
        click.echo(f"compiled kernels in {compilations.total_s:.0f} s; they are kept", err=True)
