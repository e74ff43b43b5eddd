"""The law of latency of a device: a process starts, reads its model, and takes its steps.

It is that of simulated phones, with what a training step costs in LiteRT beside: a fixed part, and
a part for each pair of a touched row and an example, as the exported step multiplies one-hot rows
(``training_step.LocalStep``). It is fitted to some models and has to predict others.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import FloatArray


@dataclass(frozen=True)
class Point:
    """One workload: what it takes by the law's terms, and what the device took.

    Attributes:
        name: of the workload for people.
        steps: inferences, or steps of training.
        load_bytes: of the model.
        flops: of all inferences; 0 for training.
        cells: of all steps of training, rows times examples; 0 for inference.
        samples_us: wall times of its processes.
    """

    name: str
    steps: int
    load_bytes: int
    flops: int
    cells: int
    samples_us: tuple[int, ...]

    @property
    def measured_us(self) -> float:
        """The fastest: what else runs on a device only ever adds."""
        return float(min(self.samples_us))

    @property
    def trains(self) -> bool:
        """Whether it is training."""
        return self.cells > 0


@dataclass(frozen=True)
class Law:
    """Shares of a latency, us: once, for each byte, operation, step of training and cell of it."""

    start_us: float
    us_per_load_byte: float
    us_per_flop: float
    us_per_step: float = 0.0
    us_per_cell: float = 0.0

    def predict_us(self, point: Point) -> float:
        """Return the latency of *point*."""
        took_us = self.start_us + self.us_per_load_byte * point.load_bytes
        if point.trains:
            return took_us + self.us_per_step * point.steps + self.us_per_cell * point.cells
        return took_us + self.us_per_flop * point.flops

    def median_error(self, points: Sequence[Point]) -> float:
        """Return the median relative error of what it predicts of *points*; nan: there is none."""
        errors = [abs(self.predict_us(p) / p.measured_us - 1.0) for p in points]
        return float(np.median(errors)) if errors else float("nan")


def fit(points: Sequence[Point]) -> Law:
    """Return the law with the least squares of relative errors; no term is negative.

    Inference decides what starting, reading and computing take; training what its steps take
    besides.
    """
    runs = [point for point in points if not point.trains]
    terms = np.array([(1.0, point.load_bytes, point.flops) for point in runs])
    took = np.array([point.measured_us for point in runs])
    law = Law(*_least(terms, took, np.zeros(len(runs))))
    trained = [point for point in points if point.trains]
    if not trained:
        return law
    terms = np.array([(point.steps, point.cells) for point in trained], float)
    took = np.array([point.measured_us for point in trained])
    return Law(
        law.start_us,
        law.us_per_load_byte,
        law.us_per_flop,
        *_least(terms, took, np.array([law.predict_us(point) for point in trained])),
    )


def _least(terms: FloatArray, took: FloatArray, known: FloatArray) -> list[float]:
    """Return rates >= 0 with the least squares of ``(terms @ rates + known) / took - 1``."""
    scaled, wanted = terms / took[:, None], 1.0 - known / took
    count = terms.shape[1]
    best, least = np.zeros(count), np.inf
    for size in range(1, count + 1):
        for chosen in itertools.combinations(range(count), size):
            rates: FloatArray = np.zeros(count)
            rates[list(chosen)] = np.linalg.lstsq(scaled[:, chosen], wanted)[0]
            error = float(np.square(scaled @ rates - wanted).sum())
            if (rates >= 0).all() and error < least:
                best, least = rates, error
    return [float(rate) for rate in best]
