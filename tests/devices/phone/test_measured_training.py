"""Profiles against measured training on phones of their class: the order of magnitude."""

import csv
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.profiles import PROFILES

# Operations of one forward pass at 224 x 224, two a multiply-add: 0.71, 1.5 and 0.57 G
# multiply-adds (Krizhevsky et al. 2012, Szegedy et al. 2015, Howard et al. 2017). Training takes
# three times that: forward, and backward for inputs and for weights.
FORWARD = {"Alexnet": 1.42e9, "GoogLenet": 3.0e9, "Mobilenet": 1.14e9}


def measured(shared: Path, net: str, column: str) -> list[dict[str, str]]:
    """Return the rows of *net* in small batches that have a value in *column*."""
    with (shared / "data/devices/mnn_on_device_training.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == net and row[column]]
    return [row for row in rows if row["batch_size"] in ("1", "2", "4", "8", "16")]


def between_classes(name: str) -> float:
    """Return the geometric mean of a figure of our classes of 2018 and 2020."""
    older, newer = (float(getattr(PROFILES[one], name)) for one in ("2018-4gb", "2020-6gb"))
    return float((older * newer) ** 0.5)


@pytest.mark.parametrize("net", list(FORWARD))
def test_predicted_training_energies_are_of_the_order_of_metered_ones(
    shared: Path, net: str
) -> None:
    """Joules above idle at a meter; the source names no unit (``data/devices/README.md``)."""
    rows = measured(shared, net, "train_batch_energy")
    assert len(rows) == 5
    flop_j = between_classes("cpu_uw") / 1e6 / between_classes("flops_per_s")
    ratios = [
        3 * FORWARD[net] * int(row["batch_size"]) * flop_j / float(row["train_batch_energy"])
        for row in rows
    ]
    assert 1 / 5 < float(np.exp(np.log(ratios).mean())) < 5


@pytest.mark.parametrize("net", list(FORWARD))
def test_predicted_training_times_are_of_the_order_of_measured_ones(shared: Path, net: str) -> None:
    """Phones of 2018, between our classes of that year and 2020; up to four cores, ours is one."""
    rows = measured(shared, net, "train_batch_ms")
    assert len(rows) >= 10
    rate = between_classes("flops_per_s")
    ratios = np.array(
        [
            3 * FORWARD[net] * int(row["batch_size"]) / rate / (float(row["train_batch_ms"]) / 1e3)
            for row in rows
        ]
    )
    typical = float(np.exp(np.log(ratios).mean()))
    assert 1 / 10 < typical < 10
