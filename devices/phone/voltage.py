"""The voltage that a lithium-ion battery shows, by its level.

Energy is counted in joules at a constant voltage, as power profiles and battery sizes (mAh) are
both currents: 3.8 V, which is the curve's mean over a discharge. The curve is what a phone shows.
"""

from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray

NOMINAL_V = 3.8


def open_circuit_v(charge: Any) -> FloatArray:
    """Return the open-circuit voltage at a share *charge* (0..1) of the battery's charge.

    Chen and Rincon-Mora, Accurate electrical battery model capable of predicting runtime and I-V
    performance, IEEE Transactions on Energy Conversion 21(2), 2006: a polymer cell of 850 mAh.
    """
    s = np.asarray(charge, np.float64)
    voltage = -1.031 * np.exp(-35.0 * s) + 3.685 + 0.2156 * s - 0.1178 * s**2 + 0.3201 * s**3
    return np.asarray(voltage, np.float64)


_CHARGE = np.linspace(0.0, 1.0, 1001)
_V = open_circuit_v(_CHARGE)
_ENERGY = np.concatenate([[0.0], np.cumsum((_V[1:] + _V[:-1]) / 2.0)])
_ENERGY /= _ENERGY[-1]


def voltage_mv(battery_uj: Any, capacity_uj: Any) -> IntArray:
    """Return what batteries show at rest, in millivolts, by the energy left in them."""
    level = np.asarray(battery_uj, np.float64) / np.asarray(capacity_uj, np.float64)
    shown = 1000.0 * open_circuit_v(np.interp(level, _ENERGY, _CHARGE))
    return np.rint(shown).astype(np.int64)
