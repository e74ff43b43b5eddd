"""A laboratory for on-device recommender systems on simulated and real phones.

``load`` a scenario, change it ``with_`` other values, ``run`` it, look at the ``Result``:
docs/library.md shows how. What is listed here is public, everything below is not.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from droidloop.platform.errors import (
        DataError,
        DeviceError,
        DroidloopError,
        LedgerError,
        PackageError,
        ScenarioError,
        UsageError,
    )
    from droidloop.scenarios.front.catalogue import keys, methods
    from droidloop.scenarios.front.comparing import Comparison, compare
    from droidloop.scenarios.front.devices import Devices
    from droidloop.scenarios.front.result import Result
    from droidloop.scenarios.front.running import Progress, run
    from droidloop.scenarios.front.scenario import Scenario, load, scenario_names
    from droidloop.scenarios.front.sweeping import Sweep, sweep

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "DataError",
    "DeviceError",
    "Devices",
    "DroidloopError",
    "LedgerError",
    "PackageError",
    "Progress",
    "Result",
    "Scenario",
    "ScenarioError",
    "Sweep",
    "UsageError",
    "__version__",
    "compare",
    "keys",
    "load",
    "methods",
    "run",
    "scenario_names",
    "sweep",
]

_HOMES = {
    **dict.fromkeys(("Scenario", "load", "scenario_names"), "scenarios.front.scenario"),
    **dict.fromkeys(("Progress", "run"), "scenarios.front.running"),
    **dict.fromkeys(("Comparison", "compare"), "scenarios.front.comparing"),
    **dict.fromkeys(("Sweep", "sweep"), "scenarios.front.sweeping"),
    **dict.fromkeys(("keys", "methods"), "scenarios.front.catalogue"),
    "Devices": "scenarios.front.devices",
    "Result": "scenarios.front.result",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: ``import droidloop`` itself is free."""
    if name not in __all__:
        raise AttributeError(f"module 'droidloop' has no attribute {name!r}")
    home = importlib.import_module(f"droidloop.{_HOMES.get(name, 'platform.errors')}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    return __all__
