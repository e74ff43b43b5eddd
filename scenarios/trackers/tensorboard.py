"""Event files in the directory of the run: ``tensorboard --logdir runs`` shows all runs there."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from droidloop.platform.errors import DroidloopError, UsageError
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.curves import Tracked

FOLDER = "tensorboard"


class TensorBoardSection(Section):
    """Event files of TensorBoard in the directory of the run, in `tensorboard/`."""


class TensorBoard:
    """The tracker of one run."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                f"--track tensorboard: it cannot be imported ({error}); "
                "pip install 'droidloop[track]'"
            ) from error
        self._make, self._last = SummaryWriter, 0
        self._writer: Any = None  # its methods are not typed
        self._scenario: Mapping[str, Any] = {}

    def begin(self, run: Tracked) -> None:
        """Begin an event file; what a killed run told of later turns is to be forgotten."""
        self._scenario, self._last = run.manifest["scenario"], run.turns
        purge = {"purge_step": run.turns + 1} if run.turns else {}
        try:
            self._writer = self._make(str(run.folder / FOLDER), **purge)
        except OSError as error:
            raise DroidloopError(
                f"--track tensorboard: {run.folder / FOLDER} cannot be written "
                f"({error.strerror or error}); make room, or leave --track out"
            ) from error
        text = json.dumps(self._scenario, indent=2).replace("\n", "\n    ")
        self._writer.add_text("scenario", f"    {text}", run.turns)

    def turn(self, number: int, values: Mapping[str, float]) -> None:
        """Write *values* at step *number*."""
        assert self._writer is not None
        for name, value in values.items():
            self._writer.add_scalar(name, value, number)
        self._writer.flush()
        self._last = number

    def end(self, values: Mapping[str, float], files: Sequence[tuple[Path, str]]) -> None:
        """Write the last values at the last step, and the names of the files, which lie beside."""
        assert self._writer is not None
        for name, value in values.items():
            self._writer.add_scalar(f"end/{name}", value, self._last)
        self._writer.add_text("files", "\n".join(f"    {name}" for _, name in files), self._last)
        self._writer.close()

    def fail(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()


METHOD = Method(
    kind="tracker",
    name="tensorboard",
    section=TensorBoardSection,
    build=lambda section: TensorBoard(),
    source="TensorBoard, by torch.utils.tensorboard",
)
