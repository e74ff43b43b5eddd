"""Activities: what goes on in a run at the same time, on one clock.

An activity is an object whose process is a loop over its own fields. All that it knows lies there,
so that a process that is started anew goes on where the fields say.
"""

from collections.abc import Callable, Mapping
from functools import partial

import simpy

from droidloop.platform.engine import Engine, Process, Start
from droidloop.platform.state import Tree

ASIDE = frozenset({"churn", "faults"})
"""The names of the activities that a run does not wait for."""


class Activities:
    """The activities under way, by name; ``over`` happens when none is left that holds the run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._under_way: dict[str, simpy.Process] = {}
        self.over = engine.event()

    def begin(self, name: str, process: Process) -> None:
        """Have *process* go on from now, under a *name* of its own.

        Comings, goings and faults (``ASIDE``) hold no run open.
        """
        event = self._under_way[name] = self._engine.process(process)
        assert event.callbacks is not None
        event.callbacks.append(partial(self._ended, name))

    def _ended(self, name: str, event: simpy.Event) -> None:
        if not event.ok:  # the engine raises what went wrong
            return
        del self._under_way[name]
        if not self._under_way.keys() - ASIDE and not self.over.triggered:
            self.over.succeed()

    def state(self) -> Tree:
        """Return the names of what is under way, with the places of what each waits for."""
        places = self._engine.places()
        return {name: places.get(one.target, -1) for name, one in self._under_way.items()}

    def restore(self, tree: Tree, processes: Mapping[str, Callable[[], Process]]) -> list[Start]:
        """Return what starts the activities of *tree* again, by its place among events."""

        def again(name: str) -> None:
            self.begin(name, processes[name]())

        return [(place, partial(again, name)) for name, place in tree.items()]
