"""Radios by the year of their measurements: 2009, 2011, 2012, 2021. Years are never mixed.

Each number stands beside its source; what a source does not print is derived on the spot, and said
to be. Round-trip times are in none of the papers' power models: where a paper has none, they are
the medians of pings in Ireland 2019-20 (Raca et al., Beyond throughput, MMSys 2020).
"""

from droidloop.platform.errors import ScenarioError

from .rrc import Drx, Powers, Radio, Timers, join

_RTT_3G_MS = 123.0  # Raca 2020, HSPA+, median
_RTT_LTE_MS = 84.0  # Raca 2020, LTE, median
_RTT_WIFI_MS = 20.0  # not measured here: a home network and a line to a server nearby

# --- 2009: Balasubramanian, Balasubramanian, Venkataramani: Energy consumption in mobile phones,
# IMC 2009; Nokia N95. A transfer of x kB costs R(x) = slope * x + ramp at any rate: the slope is
# per byte (1 J/kB = 125,000 mW per Mbit/s), the base is 0, and the ramp is the promotion.
_J_PER_KB = 125_000.0
BALASUBRAMANIAN_2009 = {
    # R(x) = 0.025 x + 3.5, of which the ramp takes about 2 s; tail 12.5 s at 0.62 W
    "3g": join(
        Timers(promotion_ms=2000.0, tail_ms=12_500.0, rtt_ms=_RTT_3G_MS),
        Powers(
            promotion_mw=3500.0 / 2.0,
            base_mw=0.0,
            down_mw_per_mbps=0.025 * _J_PER_KB,
            up_mw_per_mbps=0.025 * _J_PER_KB,
            tail_mw=620.0,
            idle_mw=20.0,
        ),
    ),
    # R(x) = 0.03 x + 1.7; tail 6 s at 0.25 W; the ramp's duration is not printed: 1 s
    "gsm": join(
        Timers(promotion_ms=1000.0, tail_ms=6000.0, rtt_ms=_RTT_3G_MS),
        Powers(
            promotion_mw=1700.0,
            base_mw=0.0,
            down_mw_per_mbps=0.03 * _J_PER_KB,
            up_mw_per_mbps=0.03 * _J_PER_KB,
            tail_mw=250.0,
            idle_mw=30.0,
        ),
    ),
    # R(x) = 0.007 x + 5.9, the 5.9 J for scan and association: not paid by an associated phone
    "wifi": join(
        Timers(promotion_ms=0.0, rtt_ms=_RTT_WIFI_MS),
        Powers(
            promotion_mw=0.0,
            base_mw=0.0,
            down_mw_per_mbps=0.007 * _J_PER_KB,
            up_mw_per_mbps=0.007 * _J_PER_KB,
            tail_mw=0.0,
            idle_mw=50.0,
        ),
    ),
    # the same with scan and association in each promotion; their duration is not printed: 5 s
    "wifi-scan": join(
        Timers(promotion_ms=5000.0, rtt_ms=_RTT_WIFI_MS),
        Powers(
            promotion_mw=5900.0 / 5.0,
            base_mw=0.0,
            down_mw_per_mbps=0.007 * _J_PER_KB,
            up_mw_per_mbps=0.007 * _J_PER_KB,
            tail_mw=0.0,
            idle_mw=50.0,
        ),
    ),
}

# --- 2011: the RRC profiles of AT&T's Application Resource Optimizer: one operator, two phones.
# FACH to idle after 10 s, DCH to FACH after 4 s; promotions are the averages of its ranges
# (1.5 to 4.0 s, and 0.8 to 3.0 s). A state has one power whatever the rate; idle is not given.
ATT_3G_TIMERS = Timers(
    promotion_ms=2000.0, tail_ms=4000.0, tail2_ms=10_000.0, resume_ms=1500.0, rtt_ms=_RTT_3G_MS
)
HTC_INSPIRE_3G = Powers(
    promotion_mw=300.0,
    base_mw=600.0,
    down_mw_per_mbps=0.0,
    up_mw_per_mbps=0.0,
    tail_mw=600.0,
    tail2_mw=380.0,
    resume_mw=490.0,
)
SAMSUNG_I997_3G = Powers(
    promotion_mw=650.0,
    base_mw=1300.0,
    down_mw_per_mbps=0.0,
    up_mw_per_mbps=0.0,
    tail_mw=1300.0,
    tail2_mw=300.0,
    resume_mw=800.0,
)
# ARO's WiFi is one active power, printed as a range (403 to 1160 mW): its geometric mean
ARO_WIFI = Powers(
    promotion_mw=0.0,
    base_mw=(403.0 * 1160.0) ** 0.5,
    down_mw_per_mbps=0.0,
    up_mw_per_mbps=0.0,
    tail_mw=0.0,
)

# --- 2012: Huang, Qian, Gerber, Mao, Sen, Spatscheck: A close examination of performance and power
# characteristics of 4G LTE networks, MobiSys 2012, tables 3 and 4. Its totals for one packet,
# 12.76, 7.38 and 0.04 J, leave no room for more power in continuous reception than in long cycles.
HUANG_2012_3G_TIMERS = Timers(
    promotion_ms=582.1,
    tail_ms=8088.2,
    tail2_ms=824.2,
    resume_ms=1500.0,  # ARO's average FACH-to-DCH promotion: Huang has none
    paging_ms=5112.4,
    rtt_ms=_RTT_3G_MS,
)
HUANG_2012_3G_PHONE = Powers(
    promotion_mw=659.4,
    base_mw=817.88,
    down_mw_per_mbps=122.12,
    up_mw_per_mbps=868.98,
    tail_mw=803.9,
    tail2_mw=601.3,
    resume_mw=490.0,  # ARO
    paging_mw=374.2,
    paging_on_ms=45.5,
)
HUANG_2012_LTE_TIMERS = Timers(
    promotion_ms=260.1,
    rtt_ms=_RTT_LTE_MS,
    paging_ms=1280.2,
    drx=Drx(
        inactivity_ms=100.0,
        short_ms=20.0,
        short_cycle_ms=20.0,
        long_cycle_ms=40.0,
        on_ms=1.0,
        release_ms=11_576.0,
    ),
)
HUANG_2012_LTE_PHONE = Powers(
    promotion_mw=1210.7,
    base_mw=1288.04,
    down_mw_per_mbps=51.97,
    up_mw_per_mbps=438.39,
    tail_mw=1060.0,
    drx_on_mw=1680.1,
    paging_mw=594.3,
    paging_on_ms=43.2,
)
HUANG_2012_WIFI_TIMERS = Timers(
    promotion_ms=79.1, tail_ms=238.1, paging_ms=308.2, rtt_ms=_RTT_WIFI_MS
)
HUANG_2012_WIFI_PHONE = Powers(
    promotion_mw=124.4,
    base_mw=132.86,
    down_mw_per_mbps=137.01,
    up_mw_per_mbps=283.17,
    tail_mw=119.3,
    paging_mw=77.2,  # beacons
    paging_on_ms=7.6,
)

# --- 2021: Narayanan et al.: A variegated look at 5G in the wild, SIGCOMM 2021; Galaxy S20 Ultra.
# Slopes: uplink as printed; downlink from the straight lines through the authors' published
# measurements (Verizon, Minneapolis), whose uplink lines are the printed numbers.
# Base: the downlink lines' intercepts, from which the paper has its crossings (187 and 189 Mbit/s);
# those of the uplink lie 45, 279 and 488 mW higher. They are of the whole phone: the radio is said
# (in notes on the paper) to take 21 to 53 % of all on 4G and 48 to 76 % on mmWave, and the ends 21,
# 53 and 76 % put the rest of the phone at 2141, 2217 and 2124 mW: 2141 is taken off.
# Timers: the steps in the authors' RRC probes; promotion to LTE 0.32 s, mean of the three examples
# beside their power logs. NSA 5G starts on LTE and moves to 5G after 1.7 s: left out.
# Promotion power: not in what could be read; the base, as of a radio that is on and idle.
# Tails: table 2, as recalled; 66 to 178 mW on 4G and 1092 mW on mmWave are quoted elsewhere.
# Low band in motion: straight lines through the medians, by bins of the rate, of the authors'
# walking logs (T-Mobile NSA, Minneapolis, January 2021; what the phone takes without the radio is
# taken off there). The lines of a phone that lies still are kept beside them, as ``5g-still``.
# Idle: not in what could be read.
_S20_REST_MW = 2141.0
_NARAYANAN_RTT_4G_MS, _NARAYANAN_RTT_5G_MS = 84.0, 72.0  # Raca 2020, LTE and 5G


_TAIL_4G_MW, _TAIL_NSA_LOW_MW, _TAIL_MMWAVE_MW = 178.0, 260.0, 1092.0


def _s20(intercept_mw: float, down: float, up: float, tail_mw: float) -> Powers:
    base_mw = intercept_mw - _S20_REST_MW
    return Powers(
        promotion_mw=base_mw,
        base_mw=base_mw,
        down_mw_per_mbps=down,
        up_mw_per_mbps=up,
        tail_mw=tail_mw,
    )


VERIZON_2021_LTE_TIMERS = Timers(promotion_ms=320.0, tail_ms=10_000.0, rtt_ms=_NARAYANAN_RTT_4G_MS)
TMOBILE_2021_LTE_TIMERS = Timers(promotion_ms=320.0, tail_ms=5000.0, rtt_ms=_NARAYANAN_RTT_4G_MS)
TMOBILE_2021_NSA_TIMERS = Timers(promotion_ms=320.0, tail_ms=10_000.0, rtt_ms=_NARAYANAN_RTT_5G_MS)
VERIZON_2021_NSA_TIMERS = Timers(promotion_ms=320.0, tail_ms=10_200.0, rtt_ms=_NARAYANAN_RTT_5G_MS)
S20_LTE = _s20(2753.6, down=14.55, up=80.21, tail_mw=_TAIL_4G_MW)
S20_5G_LOW_STILL = _s20(2925.3, down=13.52, up=29.15, tail_mw=_TAIL_NSA_LOW_MW)
S20_5G_LOW = Powers(
    promotion_mw=S20_5G_LOW_STILL.promotion_mw,
    base_mw=2120.0,
    down_mw_per_mbps=4.4,
    up_mw_per_mbps=12.0,
    tail_mw=_TAIL_NSA_LOW_MW,
)
S20_5G_MMWAVE = _s20(5136.0, down=1.81, up=9.42, tail_mw=_TAIL_MMWAVE_MW)
# WiFi is not in the paper. Phones of 2020-21 declare one active power in their power profiles:
# POCO X3 NFC 190 mA, OnePlus 8 168 mA, POCO F3 275 mA, at 3.8 V. Tail and beacons: not declared.
POWER_PROFILES_2021_WIFI = Powers(
    promotion_mw=0.0,
    base_mw=(190.0 + 168.0 + 275.0) / 3 * 3.8,
    down_mw_per_mbps=0.0,
    up_mw_per_mbps=0.0,
    tail_mw=0.0,
)

PRESETS: dict[str, dict[str, Radio]] = {
    "2009": BALASUBRAMANIAN_2009,
    "2011": {
        "3g": join(ATT_3G_TIMERS, HTC_INSPIRE_3G),
        "3g-i997": join(ATT_3G_TIMERS, SAMSUNG_I997_3G),
        "wifi": join(Timers(promotion_ms=0.0, rtt_ms=_RTT_WIFI_MS), ARO_WIFI),
    },
    "2012": {
        "3g": join(HUANG_2012_3G_TIMERS, HUANG_2012_3G_PHONE),
        "lte": join(HUANG_2012_LTE_TIMERS, HUANG_2012_LTE_PHONE),
        "wifi": join(HUANG_2012_WIFI_TIMERS, HUANG_2012_WIFI_PHONE),
    },
    "2021": {
        "lte": join(VERIZON_2021_LTE_TIMERS, S20_LTE),
        "5g": join(VERIZON_2021_NSA_TIMERS, S20_5G_LOW),
        "5g-still": join(VERIZON_2021_NSA_TIMERS, S20_5G_LOW_STILL),
        "5g-mmwave": join(VERIZON_2021_NSA_TIMERS, S20_5G_MMWAVE),
        "wifi": join(Timers(promotion_ms=0.0, rtt_ms=_RTT_WIFI_MS), POWER_PROFILES_2021_WIFI),
    },
}


OPERATORS = {
    "verizon": PRESETS["2021"],
    "t-mobile": {
        **PRESETS["2021"],
        "lte": join(TMOBILE_2021_LTE_TIMERS, S20_LTE),
        "5g": join(TMOBILE_2021_NSA_TIMERS, S20_5G_LOW),
        "5g-still": join(TMOBILE_2021_NSA_TIMERS, S20_5G_LOW_STILL),
    },
}
"""Radios of 2021 by the operator whose timers they keep to; those of other years have one each."""


def year_of(radio: str, phone_year: int) -> str:
    """Return the year nearest to *phone_year* in which *radio* was measured, later where equal.

    Raises:
        ScenarioError: it was never measured.
    """
    years = [year for year, radios in PRESETS.items() if radio in radios]
    if not years:
        known = ", ".join(sorted({name for radios in PRESETS.values() for name in radios}))
        raise ScenarioError(f"radio {radio!r} was never measured; there are {known}")
    return min(years, key=lambda year: (abs(int(year) - phone_year), -int(year)))


def preset(year: str, radio: str, operator: str = "verizon") -> Radio:
    """Return the *radio* measured in *year*; in 2021 with the timers of *operator*.

    Raises:
        ScenarioError: there is no such year, or that year's papers have no such radio.
    """
    if year not in PRESETS:
        raise ScenarioError(f"radio_year {year!r}: no such preset; there are {', '.join(PRESETS)}")
    radios = PRESETS[year]
    if radio not in radios:
        raise ScenarioError(
            f"radio {radio!r} is not among those measured in {year}; there are {', '.join(radios)}"
        )
    return OPERATORS[operator][radio] if year == "2021" else radios[radio]
