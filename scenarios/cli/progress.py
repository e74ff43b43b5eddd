"""What is seen on standard error while a run, or a sweep of many, takes its time."""

import sys
import time
from typing import Any

import click


class BarProgress:
    """A bar on standard error while a run takes its time; nothing where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that *done* of *total* steps of *stage* are over."""
        if self._quiet:
            return
        from rich.console import Console
        from rich.progress import Progress

        if self._bar is None:
            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(stage)
        self._bar.update(self._task, description=stage, completed=done, total=total)
        if done >= total:
            self._bar.stop()
            self._bar = None


class SweepProgress:
    """A line for each run that ends: how many are over, and how long the others may take."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._start_s = time.monotonic()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say that *done* of *total* runs are over."""
        if self._before is None:
            self._before = done
            found = (
                f"{done} of {total} {stage} are complete already" if done else f"{total} {stage}"
            )
            click.echo(found, err=True)
            return
        took_s = time.monotonic() - self._start_s
        left_s = took_s / max(done - self._before, 1) * (total - done)
        left = f", about {in_words(left_s)} left" if done < total else ""
        click.echo(f"{done} of {total} {stage} over{left}", err=True)


def in_words(time_s: float) -> str:
    """Return a time as people say it.

    >>> in_words(4), in_words(600), in_words(20_000)
    ('4 s', '10 min', '5.6 h')
    """
    if time_s < 90:
        return f"{time_s:.0f} s"
    return f"{time_s / 60:.0f} min" if time_s < 5400 else f"{time_s / 3600:.1f} h"
