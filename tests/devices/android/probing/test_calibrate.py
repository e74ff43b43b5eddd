"""A law that is fitted to some models predicts others, and becomes a profile."""

from dataclasses import replace

import pytest

from droidloop.devices.android.probing.calibrate import Calibration, Law, Point, fit
from droidloop.platform.draws import Draws
from droidloop.platform.errors import UsageError

TRUE = Law(start_us=9_000.0, us_per_load_byte=0.002, us_per_flop=0.0005)


def points(noise: float = 0.0) -> list[Point]:
    made = []
    for number, (items, steps) in enumerate((i, s) for i in (100, 1_000, 9_000) for s in (1, 50)):
        point = Point(items, 32, steps, 128 * items, 64 * items * steps, 0.0)
        wobble = 1.0 + noise * float(Draws(1, "noise").normal(number, 0))
        took_us = TRUE.predict_us(point) * wobble
        made.append(Point(items, 32, steps, point.load_bytes, point.flops, took_us))
    return made


def test_an_exact_law_is_found() -> None:
    law = fit(points())
    assert law.start_us == pytest.approx(TRUE.start_us)
    assert law.us_per_load_byte == pytest.approx(TRUE.us_per_load_byte)
    assert law.us_per_flop == pytest.approx(TRUE.us_per_flop)


def test_no_term_is_negative_whatever_was_measured() -> None:
    falling = [Point(1, 1, 1, 10**6 * k, 10**6 * k, 1000.0 / k) for k in (1, 2, 3)]
    law = fit(falling)
    assert min(law.start_us, law.us_per_load_byte, law.us_per_flop) >= 0


def calibration() -> Calibration:
    return Calibration(
        "127.0.0.1:5", "a phone", 20_000_000, 10_000_000, 2**30, 2**29, TRUE, tuple(points(0.1))
    )


def test_the_error_is_that_of_predictions() -> None:
    found = calibration()
    assert 0.01 < found.median_error < 0.25
    assert found.lines()[-1].endswith(f"{found.median_error:.1%}")
    assert len([line for line in found.lines() if " x 32 x " in line]) == len(found.held_out)


def test_a_profile_computes_as_the_law_does() -> None:
    profile = calibration().profile("2018-4gb")
    assert profile.name == "device-127-0-0-1-5"
    assert profile.flops_per_s == pytest.approx(1e6 / TRUE.us_per_flop, rel=1e-6)
    assert profile.process_start_us == 9_000
    assert profile.storage_mb_per_s == 500
    assert profile.ram_bytes == 2**30
    with pytest.raises(UsageError, match="--base nokia: choose one of 2017-2gb"):
        calibration().profile("nokia")


def test_profiles_of_devices_with_long_serials_are_told_apart() -> None:
    """Both names were cut at 24 characters to one."""
    addresses = [f"adb-R58M12345-{end}._adb-tls-connect._tcp" for end in ("abcdef", "abcdeg")]
    names = [replace(calibration(), serial=one).profile("2018-4gb").name for one in addresses]
    assert len(set(names)) == 2
    assert all(len(name) <= 24 and name.startswith("device-adb-r58m12") for name in names)
