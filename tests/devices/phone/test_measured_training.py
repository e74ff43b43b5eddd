"""The law of training against tables of measured training: 69 runs of networks, 180,000 of layers.

The law of a step has the terms of ``compute_us``: a part for each step (operators, and the weights
that are read and written once), and a part that grows with the work. Every engine has rates of its
own, so they are fitted to some rows and have to give the others.
"""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.profiles import PROFILES
from droidloop.platform.arrays import Array

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


FITTED = "MEIZU_Freq_1708800", ("1", "16")
"""Setup and batch sizes of the MNN table that the law is fitted to."""


def mnn(shared: Path) -> tuple[list[dict[str, str]], dict[str, tuple[float, float]]]:
    """Return the rows that are not fitted on, and seconds a step and a sample of each network."""
    with (shared / "data/devices/mnn_on_device_training.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["train_batch_ms"]]
    seen = [row for row in rows if row["setup"] == FITTED[0] and row["batch_size"] in FITTED[1]]
    law = {}
    for one in seen[::2]:
        many = next(r for r in seen if r["model"] == one["model"] and r["batch_size"] == "16")
        first_s, last_s = (float(row["train_batch_ms"]) / 1000 for row in (one, many))
        sample_s = (last_s - first_s) / 15
        law[one["model"]] = (first_s - sample_s, sample_s)
    return [row for row in rows if row not in seen], law


def predicted_s(row: dict[str, str], law: dict[str, tuple[float, float]]) -> float:
    """Return how long a step with the batch of *row* takes."""
    step_s, sample_s = law[row["model"]]
    return step_s + sample_s * int(row["batch_size"])


def test_steps_of_networks_that_the_law_was_not_fitted_on_are_met_within_30_percent(
    shared: Path,
) -> None:
    """Other batch sizes, and three setups on two phones; the worst is a batch that swaps."""
    rows, law = mnn(shared)
    ratios = np.array([predicted_s(row, law) * 1000 / float(row["train_batch_ms"]) for row in rows])
    assert (len(law), len(ratios)) == (5, 59)
    assert np.median(np.abs(ratios - 1)) < 0.12
    assert np.quantile(np.abs(ratios - 1), 0.95) < 0.3


def test_their_energies_are_met_within_a_factor_of_one_and_a_half(shared: Path) -> None:
    """The cores that were busy, each at the current that a phone of 2018 declares."""
    rows, law = mnn(shared)
    watts = PROFILES["2018-4gb"].cpu_uw / 1e6
    ratios = np.array(
        [
            predicted_s(row, law) * float(row["cpu_percent_train"]) / 100 * watts
            / float(row["train_batch_energy"])
            for row in rows
            if row["train_batch_energy"]
        ]
    )  # fmt: skip
    assert len(ratios) == 15
    assert 1 / 1.5 < np.median(ratios) < 1.5
    assert ratios.max() < 1.8


def flash(shared: Path) -> dict[tuple[str, str], Array]:
    """Return input size, output size, batch, sequence and seconds by phone and layer."""
    rows: dict[tuple[str, str], list[list[float]]] = {}
    names = ("in_size", "out_size", "batch_size", "seq_len", "time")
    with gzip.open(shared / "data/devices/flash_layer_train_time.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            numbers = [float(row[name]) for name in names]
            rows.setdefault((row["phone"], row["layer"]), []).append(numbers)
    return {key: np.array(values) for key, values in rows.items()}


def terms(layer: str, rows: Array) -> Array:
    """Return what a step consists of: itself, its operators, its operations, numbers it moves."""
    rows_in, out, batch, steps = rows.T[:4]
    one, words = np.ones(len(rows)), batch * steps
    match layer:
        case "embedding":
            return np.stack([one, words * out, rows_in * out], 1)
        case "lstm":
            gates = out * (rows_in + out)
            return np.stack([one, steps, words * gates, gates, words * (rows_in + out)], 1)
    return np.stack([one, words * rows_in * out, rows_in * out, words * out], 1)


def test_layers_that_the_law_was_not_fitted_on_are_met_within_30_percent(shared: Path) -> None:
    """A fit to 1 setting of 97 gives the other 178,137; Nexus 6, Redmi Note 8, Galaxy Note10."""
    medians, errors = {}, []
    for (phone, layer), rows in flash(shared).items():
        seen = np.zeros(len(rows), np.bool_)
        seen[::97] = True  # prime: settings lie on a grid
        parts = terms(layer, rows)
        scaled = parts[seen] / rows[seen, 4:]
        rates = np.linalg.lstsq(scaled, np.ones(seen.sum()), rcond=None)[0]
        error = np.abs(parts[~seen] @ rates / rows[~seen, 4] - 1)
        medians[phone, layer] = float(np.median(error))
        errors.append(error)
    assert sum(map(len, errors)) == 178_137
    assert np.median(np.concatenate(errors)) < 0.12
    assert max(medians.values()) < 0.3
