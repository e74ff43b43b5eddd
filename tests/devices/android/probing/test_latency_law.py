"""A law that is fitted to some models predicts others, inference and training alike."""

import pytest

from droidloop.devices.android.probing.latency_law import Law, Point, fit
from droidloop.platform.draws import Draws

TRUE = Law(9_000.0, 0.002, 0.0005, us_per_step=300.0, us_per_cell=0.004)


def points(noise: float = 0.0, law: Law = TRUE) -> list[Point]:
    """Return what a device that follows *law* takes: inferences, then steps of training."""
    made = []
    for number, (items, steps) in enumerate((i, s) for i in (100, 1_000, 9_000) for s in (1, 50)):
        made.append(Point(f"i{number}", steps, 128 * items, 64 * items * steps, 0, (1,)))
        made.append(Point(f"t{number}", steps, 900, 0, 320 * items * steps, (1,)))
    draws = Draws(1, "noise")
    wobbles = [1.0 + noise * float(draws.normal(k, 0)) for k in range(len(made))]
    return [
        Point(
            one.name,
            one.steps,
            one.load_bytes,
            one.flops,
            one.cells,
            (round(1e3 * wobble * law.predict_us(one)), round(1e6 * law.predict_us(one))),
        )
        for one, wobble in zip(made, wobbles, strict=True)
    ]


def test_an_exact_law_is_found_in_the_fastest_of_samples() -> None:
    law = fit(points())
    assert law.start_us == pytest.approx(1e3 * TRUE.start_us, rel=1e-4)
    assert law.us_per_load_byte == pytest.approx(1e3 * TRUE.us_per_load_byte, rel=1e-3)
    assert law.us_per_flop == pytest.approx(1e3 * TRUE.us_per_flop, rel=1e-4)
    assert law.us_per_step == pytest.approx(1e3 * TRUE.us_per_step, rel=1e-2)
    assert law.us_per_cell == pytest.approx(1e3 * TRUE.us_per_cell, rel=1e-4)
    assert law.median_error(points()) < 1e-4


def test_the_error_is_that_of_predictions() -> None:
    shifted = Law(1.1 * 1e3 * TRUE.start_us, 2.2, 0.55, 1.1 * 3e5, 4.4)
    assert shifted.median_error(points()) == pytest.approx(0.1, rel=1e-3)


def test_no_term_is_negative_whatever_was_measured() -> None:
    falling = [Point("i", 1, 10**6 * k, 10**6 * k, 0, (1000 // k,)) for k in (1, 2, 3)]
    rising = [Point("t", k, 1, 0, 10**6 * k, (10 // k,)) for k in (1, 2, 3)]
    law = fit([*falling, *rising])
    assert min(vars(law).values()) >= 0


def test_a_device_that_did_not_train_has_a_law_of_inference() -> None:
    law = fit([point for point in points() if not point.trains])
    assert (law.us_per_step, law.us_per_cell) == (0.0, 0.0)
    assert law.us_per_flop > 0
