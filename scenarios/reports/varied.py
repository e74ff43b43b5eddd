"""In which keys scenarios differ, and what tables therefore call them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_APART = ("seed", "title")


def keys_of(scenario: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of *scenario*, resolved, as ``section.key``, with its value."""
    for name, value in scenario.items():
        if isinstance(value, dict) and value:
            yield from keys_of(value, f"{above}{name}.")
        elif above + name not in _APART:
            yield above + name, value


def varied(scenarios: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the keys in which *scenarios* differ, each with its values; None: has no such key."""
    flat = [dict(keys_of(scenario)) for scenario in scenarios]
    every = dict.fromkeys(key for one in flat for key in one)
    values = {key: [one.get(key) for one in flat] for key in every}
    return {key: some for key, some in values.items() if any(one != some[0] for one in some)}


def labels_of(scenarios: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what tables call *scenarios*, no two of them alike.

    Those of different names: name, rule, and who talks to whom. Those of one name: the keys in
    which they differ from one another.
    """
    labels = []
    for scenario in scenarios:
        same = [one for one in scenarios if one["name"] == scenario["name"]]
        differ = dict(keys_of(scenario))
        keys = ", ".join(f"{key} = {shown(differ.get(key))}" for key in _telling(varied(same)))
        if len(same) < len(scenarios) or not keys:
            keys = f"{named(scenario)}; {keys}".removesuffix("; ")
        labels.append(keys)
    return _apart(labels, scenarios)


def _apart(labels: list[str], scenarios: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return *labels*, those of several scenarios with the keys in which just these differ."""
    out = []
    for label, scenario in zip(labels, scenarios, strict=True):
        alike = [one for one, other in zip(scenarios, labels, strict=True) if other == label]
        own = dict(keys_of(scenario))
        more = [f"{key} = {shown(own.get(key))}" for key in varied(alike)]
        out.append(", ".join([label, *more]))
    return out


def _telling(differ: Mapping[str, list[Any]]) -> list[str]:
    """Return the keys that tell scenarios apart: where choices differ, not the keys of one alone.

    The keys ``rule`` and ``kind`` are choices, and what only one choice has goes with it.
    """
    chosen = {key.rpartition(".")[0] for key in differ if key.endswith((".rule", ".kind"))}
    return [
        key
        for key, values in differ.items()
        if None not in values or not any(key.startswith(f"{one}.") for one in chosen)
    ]


def named(scenario: Mapping[str, Any]) -> str:
    """Return the name of *scenario*, its rule, and who talks to whom."""
    protocol = scenario["protocol"]
    over = f" over {protocol['topology']['kind']}" if "topology" in protocol else ""
    return f"{scenario['name']}: {scenario['training']['rule']}, {protocol['kind']}{over}"


def shown(value: Any) -> str:
    """Return *value* as a table shows it."""
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
