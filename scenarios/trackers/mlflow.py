"""Runs in an MLflow store: parameters, curves as they come, and files at the end.

Which store and which experiment is said to MLflow itself, by MLFLOW_TRACKING_URI and
MLFLOW_EXPERIMENT_NAME; else it is ``mlflow.db`` here, and the scenario's name.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from droidloop.platform.errors import DroidloopError, UsageError
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.curves import Tracked

_TAG = "droidloop.run"
_PARAMETERS, _VALUES = 100, 1000
"""How many a call may take: MLflow's REST API."""
_LONGEST = 6000
"""Of a parameter's value, in characters, likewise."""
_NAME = re.compile(r"[^\w\-./: ]")


class MLflowSection(Section):
    """Runs in an MLflow store: MLFLOW_TRACKING_URI says which; `mlflow.db` here if unset."""


class MLflow:
    """The tracker of one run; the store is there, and of the newest form, once it is made."""

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow import MlflowClient
        except ImportError as error:
            raise UsageError(
                f"--track mlflow: it cannot be imported ({error}); pip install 'droidloop[track]'"
            ) from error
        for name in ("mlflow", "alembic"):  # of tables that are made, on standard error
            logging.getLogger(name).setLevel(logging.WARNING)
        self._run = ""
        self._known = 0
        with _said("reached"):
            self._client = MlflowClient()
            self._client.search_experiments(max_results=1)

    def begin(self, run: Tracked) -> None:
        """Begin a run of that name, or find the one that was begun."""
        scenario, client = run.manifest["scenario"], self._client
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or scenario["name"]
        mark = f"{run.folder.resolve()} of {run.manifest['started']}"
        with _said("written"):
            experiment = self._experiment(name)
            if run.turns and self._found(experiment, mark):
                return
            tags = {_TAG: mark, "droidloop.version": str(run.manifest.get("droidloop", ""))}
            made = client.create_run(experiment, run_name=run.folder.name, tags=tags)
            self._run = made.info.run_id
            self._parameters(dict(_flat(scenario)))

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _found(self, experiment: str, mark: str) -> bool:
        """Go on with the run that was begun under *mark*; return whether there is one."""
        runs = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{mark}'", max_results=1)
        if not runs:
            return False
        self._run = runs[0].info.run_id
        told = self._client.get_metric_history(self._run, "hours")
        self._known = max((point.step for point in told), default=0)
        self._client.update_run(self._run, status="RUNNING")
        return True

    def _parameters(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        every = [Param(_NAME.sub("_", key), value[:_LONGEST]) for key, value in values.items()]
        for first in range(0, len(every), _PARAMETERS):
            self._client.log_batch(self._run, params=every[first : first + _PARAMETERS])

    def turn(self, number: int, values: Mapping[str, float]) -> None:
        """Write *values* at step *number*, but for what was told before the run was killed."""
        if number > self._known:
            with _said("written"):
                self._write(number, values)
        self._known = max(self._known, number)

    def _write(self, number: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now_ms = round(1000 * time.time())
        every = [Metric(_NAME.sub("_", k), value, now_ms, number) for k, value in values.items()]
        for first in range(0, len(every), _VALUES):
            self._client.log_batch(self._run, metrics=every[first : first + _VALUES])

    def end(self, values: Mapping[str, float], files: Sequence[tuple[Path, str]]) -> None:
        """Write the last values at the last step, and the files."""
        with _said("written"):
            self._write(self._known, {f"end/{name}": value for name, value in values.items()})
            for path, place in files:
                above = str(Path(place).parent)
                self._client.log_artifact(self._run, str(path), None if above == "." else above)
            self._client.set_terminated(self._run)

    def fail(self) -> None:
        """Have the run stand as one that failed."""
        with _said("written"):
            if self._run:
                self._client.set_terminated(self._run, "FAILED")


@contextmanager
def _said(what: str) -> Iterator[None]:
    """Tell in one line what MLflow's store raises."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        from mlflow import get_tracking_uri

        first = str(error).strip().partition("\n")[0]
        raise DroidloopError(
            f"--track mlflow: {get_tracking_uri()} cannot be {what} ({first}); set "
            "MLFLOW_TRACKING_URI to a store that can, such as sqlite:///mlflow.db"
        ) from error


def _flat(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key of a scenario, with those above it, and its value as text."""
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, str(value)


METHOD = Method(
    kind="tracker",
    name="mlflow",
    section=MLflowSection,
    build=lambda section: MLflow(),
    source="MLflow, mlflow.org",
)
