"""What a run was given beside its scenario, as sums: by these it is known again when it goes on."""

import zlib

import numpy as np

from droidloop.platform.errors import UsageError
from droidloop.platform.rundir import RunDirectory

from .experiment import Experiment

_NOTE = "given"


def sums_of(study: Experiment) -> dict[str, dict[str, str]]:
    """Return what the manifest says of the events and the phones of *study*: a CRC-32 of each."""
    events, population = study.task.interactions, study.population
    arrays = (events.users, events.items, events.ratings, events.times_s)
    data = 0
    for array in arrays:
        data = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, data)
    phones = zlib.crc32(np.ascontiguousarray(population.traits).view(np.uint8).data)
    return {_NOTE: {"data": f"{data:08x}", "phones": f"{phones:08x}"}}


def require_same(directory: RunDirectory, study: Experiment) -> None:
    """Raise UsageError where files say others than when the run in *directory* was begun."""
    noted = directory.manifest().get(_NOTE)
    if noted is None:  # it was killed before that was written
        return
    for name, found in sums_of(study)[_NOTE].items():
        if not isinstance(noted, dict) or noted.get(name) != found:
            place = study.scenario.data.path or "the data"
            what = place if name == "data" else "what the scenario's files say of the phones"
            raise UsageError(
                f"{directory.path}: {what} is not as it was when the run was begun; restore it, "
                "or run again"
            )
