"""The voltage of a battery: a curve whose mean is what energy is counted at."""

import numpy as np

from droidloop.devices.phone.voltage import NOMINAL_V, open_circuit_v, voltage_mv


def test_the_mean_over_a_discharge_is_the_nominal_voltage() -> None:
    mean = float(open_circuit_v(np.linspace(0, 1, 100_001)).mean())
    assert abs(mean / NOMINAL_V - 1) < 0.002


def test_the_voltage_rises_with_the_level_from_empty_to_full() -> None:
    shown = voltage_mv(np.arange(1001), 1000)
    assert (np.diff(shown) >= 0).all()
    assert (shown[0], shown[-1]) == (2654, 4103)


def test_half_the_energy_is_a_little_more_than_half_the_charge() -> None:
    """The upper half is given off at a higher voltage, so less charge of it is the same energy."""
    half_mv = int(voltage_mv(1, 2))
    assert 1000 * float(open_circuit_v(0.5)) < half_mv < 1000 * float(open_circuit_v(0.53))
