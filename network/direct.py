"""Links from phone to phone, without an operator or an access point: WiFi Direct and Bluetooth.

Powers are declared, not measured: medians over phones whose ``power_profile.xml`` (251 of them in
TrebleDroid/vendor_hardware_overlay ea7d816) gives ``wifi.controller.tx`` and ``.rx`` (118 and 115
phones: 232 and 130 mA) and ``bluetooth.controller.tx`` and ``.rx`` (58: 22.5 and 15 mA), at 3.8 V.
Half of the phones lie between 0.7 and 1.5 of the WiFi sender's median, and between 0.4 and 2.1 of
the Bluetooth sender's. Rates, reaches and times to connect are recalled figures, named below, right
to a factor of two.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.errors import ScenarioError

DIRECT_DTYPE = np.dtype(
    [
        ("rate", np.int64),  # bytes per second, of applications
        ("reach_m", np.int64),
        ("setup_us", np.int64),  # discovery and connection, on both sides
        ("setup_uw", np.int64),
        ("sender_uw", np.int64),
        ("receiver_uw", np.int64),
    ]
)

_V = 3.8
WIFI_MA = {"tx": 232.359, "rx": 130.0}
BLUETOOTH_MA = {"tx": 22.5, "rx": 15.0}
"""Declared currents of senders and receivers in mA, medians over phones."""


@dataclass(frozen=True)
class DirectLink:
    """One technology that links two phones; powers in milliwatts, what else the phones do aside."""

    mbps: float
    reach_m: int
    setup_s: float
    setup_mw: float
    sender_mw: float
    receiver_mw: float

    def __post_init__(self) -> None:
        if self.mbps <= 0.0 or self.reach_m <= 0:
            raise ValueError(f"a link needs a rate and a reach: {self}")
        if min(self.setup_s, self.setup_mw, self.sender_mw, self.receiver_mw) < 0.0:
            raise ValueError(f"times and powers must not be negative: {self}")

    def row(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the link as one row of ``DIRECT_DTYPE``: bytes, microseconds, microwatts."""
        row = np.zeros(1, DIRECT_DTYPE)
        row["rate"] = round(self.mbps * 125_000)
        row["reach_m"] = self.reach_m
        row["setup_us"] = round(self.setup_s * 1e6)
        for name in ("setup", "sender", "receiver"):
            row[f"{name}_uw"] = round(getattr(self, f"{name}_mw") * 1000)
        return row


DIRECT = {
    # 802.11n at 2.4 GHz, one stream: 72 Mbit/s on air leave some 25 between two phones; the
    # 200 m of the Wi-Fi Alliance are for free sight, 50 assumed; finding one another and forming
    # a group takes 4 to 10 s (Camps-Mur, Garcia-Saavedra, Serrano, IEEE Wireless Communications
    # 20(3), 2013, as recalled): 5 s, listening
    "wifi-direct": DirectLink(
        mbps=25.0,
        reach_m=50,
        setup_s=5.0,
        setup_mw=WIFI_MA["rx"] * _V,
        sender_mw=WIFI_MA["tx"] * _V,
        receiver_mw=WIFI_MA["rx"] * _V,
    ),
    # Bluetooth 2.1 with EDR: 2.18 Mbit/s at most (3-DH5), some two thirds of it in use; class 2
    # reaches 10 m; paired phones page one another in 1.28 s, an inquiry of strangers takes 10.24 s
    # (core specification)
    "bluetooth": DirectLink(
        mbps=1.4,
        reach_m=10,
        setup_s=1.28,
        setup_mw=BLUETOOTH_MA["rx"] * _V,
        sender_mw=BLUETOOTH_MA["tx"] * _V,
        receiver_mw=BLUETOOTH_MA["rx"] * _V,
    ),
    # Bluetooth Low Energy 4.2: of 1 Mbit/s on air phones leave applications 0.2 to 0.5; found
    # within an advertising interval or two; reach as classic Bluetooth's, doubled by longer codes
    "bluetooth-le": DirectLink(
        mbps=0.3,
        reach_m=20,
        setup_s=0.5,
        setup_mw=BLUETOOTH_MA["rx"] * _V,
        sender_mw=BLUETOOTH_MA["tx"] * _V,
        receiver_mw=BLUETOOTH_MA["rx"] * _V,
    ),
}


def direct(name: str) -> DirectLink:
    """Return the link technology *name*.

    Raises:
        ScenarioError: there is no such technology.
    """
    if name not in DIRECT:
        raise ScenarioError(f"direct link {name!r}: no such link; there are {', '.join(DIRECT)}")
    return DIRECT[name]
