"""What there is to choose and to set, as records that become a data frame."""

from typing import Any

from droidloop.scenarios.catalogue import keys as all_keys
from droidloop.scenarios.catalogue import methods as all_methods


def methods(kind: str | None = None) -> list[dict[str, Any]]:
    """Return all that scenarios can choose by name, or that of *kind*; one record each.

    Raises:
        UsageError: there is no such kind.
    """
    return [all_methods.facts(one) for one in all_methods.methods(kind)]


def keys(section: str | None = None) -> list[dict[str, str]]:
    """Return every key of a scenario, or those of *section* and those within; one record each.

    Raises:
        UsageError: there is no such section.
    """
    return all_keys.records(all_keys.parts(section))
