"""Presets by year: the published totals, the worked examples, and timers apart from powers."""

from dataclasses import replace

import pytest

from droidloop.network.presets import (
    ATT_3G_TIMERS,
    HTC_INSPIRE_3G,
    HUANG_2012_3G_PHONE,
    HUANG_2012_LTE_PHONE,
    HUANG_2012_LTE_TIMERS,
    PRESETS,
    TMOBILE_2021_LTE_TIMERS,
    VERIZON_2021_LTE_TIMERS,
    preset,
    year_of,
)
from droidloop.network.rrc import Drx, Powers, Radio, Timers, drx_tail, join
from droidloop.network.timeline import energy_uj, isolated
from droidloop.platform.errors import ScenarioError

MBIT = 125_000


def joules(radio: Radio, megabytes: float, mbps: float, *, up: bool = False) -> float:
    """What an isolated transfer takes; the worked examples have no handshake."""
    spans = isolated(
        replace(radio, handshakes=0), round(megabytes * 1e6), round(mbps * MBIT), up=up
    )
    return energy_uj(spans) / 1e6


@pytest.mark.parametrize(
    ("radio", "megabytes", "mbps", "up", "total_j"),
    [
        ("3g", 1, 1, False, 14.9015),
        ("3g", 1, 10, False, 9.0128),
        ("3g", 5, 2, False, 28.6239),
        ("3g", 1, 1, True, 20.8764),
        ("lte", 1, 1, False, 23.4850),
        ("lte", 1, 10, False, 14.2111),
        ("lte", 1, 1, True, 26.5764),
        ("wifi", 1, 1, False, 2.1972),
        ("wifi", 1, 10, False, 1.2406),
        ("wifi", 5, 2, False, 8.1758),
    ],
)
def test_isolated_transfers_of_2012_cost_what_the_worked_examples_say(
    radio: str, megabytes: float, mbps: float, up: bool, total_j: float
) -> None:
    assert joules(PRESETS["2012"][radio], megabytes, mbps, up=up) == pytest.approx(
        total_j, rel=1e-4
    )


@pytest.mark.parametrize(
    ("mbps", "up", "total_j"), [(1, False, 23.3055), (10, False, 14.0317), (1, True, 26.3969)]
)
def test_lte_of_2012_costs_what_the_worked_examples_say_without_the_pulses_of_its_drx(
    mbps: float, up: bool, total_j: float
) -> None:
    silent = replace(HUANG_2012_LTE_PHONE, drx_on_mw=HUANG_2012_LTE_PHONE.tail_mw)
    radio = join(HUANG_2012_LTE_TIMERS, silent)
    assert joules(radio, 1, mbps, up=up) == pytest.approx(total_j, rel=1e-5)


@pytest.mark.parametrize(
    ("radio", "kilobytes", "total_j"),
    [
        ("3g", 50, 12.50),
        ("3g", 100, 13.75),
        ("3g", 1000, 36.25),
        ("gsm", 50, 4.70),
        ("gsm", 100, 6.20),
        ("wifi-scan", 50, 6.25),
        ("wifi-scan", 100, 6.60),
        ("wifi-scan", 1000, 12.90),
        ("wifi", 1000, 7.00),
    ],
)
@pytest.mark.parametrize("mbps", [0.1, 1, 8])
def test_transfers_of_2009_cost_the_same_at_any_rate(
    radio: str, kilobytes: float, total_j: float, mbps: float
) -> None:
    radio_2009 = PRESETS["2009"][radio]
    assert joules(radio_2009, kilobytes / 1000, mbps) == pytest.approx(total_j, rel=1e-4)


@pytest.mark.parametrize(
    ("radio", "every_20_s_j"),
    [("3g", 12.5), ("gsm", 5.0), ("wifi-scan", 7.6)],
)
def test_50_kilobytes_every_20_seconds_cost_what_the_paper_of_2009_prints(
    radio: str, every_20_s_j: float
) -> None:
    """Tail and promotion included, and the interface's upkeep where there is no tail to hold it."""
    law = PRESETS["2009"][radio]
    upkeep_j = law.idle_mw / 1000 * (20 - law.tail_ms / 1000)
    assert joules(law, 0.05, 1) + upkeep_j == pytest.approx(every_20_s_j, rel=0.05)


def test_the_tail_is_about_60_percent_of_a_small_transfer_on_3g_in_2009() -> None:
    law = PRESETS["2009"]["3g"]
    assert law.tail_ms * law.tail_mw / 1e6 / joules(law, 0.05, 1) == pytest.approx(0.62, abs=0.005)


@pytest.mark.parametrize(
    ("radio", "down", "up"),
    [("lte", 14.55, 80.21), ("5g-still", 13.52, 29.15), ("5g-mmwave", 1.81, 9.42)],
)
def test_the_uplink_of_2021_takes_two_to_six_times_the_downlink_per_mbit(
    radio: str, down: float, up: float
) -> None:
    law = PRESETS["2021"][radio]
    assert (law.down_mw_per_mbps, law.up_mw_per_mbps) == (down, up)
    assert 2.15 < up / down < 5.9


@pytest.mark.parametrize(("other", "mbps"), [("lte", 187), ("5g-still", 189)])
def test_mmwave_takes_less_than_the_others_only_where_the_published_lines_cross(
    other: str, mbps: float
) -> None:
    mmwave, law = PRESETS["2021"]["5g-mmwave"], PRESETS["2021"][other]
    crossing = (mmwave.base_mw - law.base_mw) / (law.down_mw_per_mbps - mmwave.down_mw_per_mbps)
    assert crossing == pytest.approx(mbps, rel=0.002)


# Medians of what the radio took, by bins of the rate that hold 20 seconds or more: Mbit/s, mW.
# SIGCOMM21-5G/artifact, Power-Model/MN-Wild, cleaned-logs/s20_t-mobile_nsa_all.csv.
# fmt: off
WALKING_DOWN = [
    (7.0, 1818), (14.3, 2242), (28.6, 2518), (42.3, 2679), (64.5, 2690), (88.7, 2698),
    (122.2, 2790), (165.6, 2879), (251.0, 3280),
]
WALKING_UP = [(15.1, 2351), (29.1, 2448), (44.1, 2764), (64.8, 3102), (83.6, 3215), (103.1, 3226)]
# fmt: on


@pytest.mark.parametrize(
    ("up", "mbps", "median_mw"),
    [(False, *one) for one in WALKING_DOWN] + [(True, *one) for one in WALKING_UP],
)
def test_low_band_in_motion_takes_what_the_walking_logs_say_within_20_percent(
    up: bool, mbps: float, median_mw: float
) -> None:
    law = PRESETS["2021"]["5g"]
    slope = law.up_mw_per_mbps if up else law.down_mw_per_mbps
    assert law.base_mw + slope * mbps == pytest.approx(median_mw, rel=0.2)


@pytest.mark.parametrize(
    ("radio", "tail_mw"), [("lte", 178), ("5g", 260), ("5g-still", 260), ("5g-mmwave", 1092)]
)
def test_tails_of_2021_are_those_of_the_paper(radio: str, tail_mw: float) -> None:
    assert PRESETS["2021"][radio].tail_mw == pytest.approx(tail_mw, rel=0.2)


def test_the_operator_of_2021_is_a_choice_of_timers_alone() -> None:
    for radio in ("lte", "5g", "5g-still"):
        one, other = preset("2021", radio), preset("2021", radio, "t-mobile")
        assert one.tail_ms > other.tail_ms
        assert replace(one, tail_ms=0.0) == replace(other, tail_ms=0.0)
    assert preset("2012", "lte", "t-mobile") == PRESETS["2012"]["lte"]


@pytest.mark.parametrize(
    ("radio", "phone_year", "year"),
    [("lte", 2024, "2021"), ("lte", 2017, "2021"), ("lte", 2013, "2012"), ("3g", 2024, "2012"),
     ("3g", 2010, "2011"), ("gsm", 2024, "2009"), ("wifi", 2018, "2021")],
)  # fmt: skip
def test_a_radio_is_of_the_year_nearest_to_the_phones(
    radio: str, phone_year: int, year: str
) -> None:
    assert year_of(radio, phone_year) == year


@pytest.mark.parametrize("year", PRESETS)
def test_every_year_has_a_cellular_radio_and_wifi_in_integers_that_fit(year: str) -> None:
    assert len(PRESETS[year]) >= 2
    assert "wifi" in PRESETS[year]
    for radio in PRESETS[year].values():
        row = radio.row()[0]
        assert all(0 <= int(row[name]) < 2**40 for name in row.dtype.names or ())
        assert row["rtt_us"] > 0


def test_timers_of_one_operator_go_with_the_powers_of_another_phone() -> None:
    """A shorter tail of the operator saves the same phone just the tail's difference."""
    long = join(VERIZON_2021_LTE_TIMERS, HUANG_2012_LTE_PHONE)
    short = join(TMOBILE_2021_LTE_TIMERS, HUANG_2012_LTE_PHONE)
    assert joules(long, 1, 5) - joules(short, 1, 5) == pytest.approx(5.0 * 1.060)
    att = join(ATT_3G_TIMERS, HUANG_2012_3G_PHONE)
    assert (att.tail_ms, att.tail2_ms) == (4000, 10_000)
    assert (att.tail_mw, att.down_mw_per_mbps) == (803.9, 122.12)
    assert join(ATT_3G_TIMERS, HTC_INSPIRE_3G) == PRESETS["2011"]["3g"]


def test_drx_is_short_then_long_cycles_and_lasts_until_the_release() -> None:
    radio = join(HUANG_2012_LTE_TIMERS, HUANG_2012_LTE_PHONE)
    assert radio.tail_ms + radio.tail2_ms == 11_576
    assert radio.tail_ms == 120
    assert radio.resume_ms == 0
    assert radio.tail2_mw == pytest.approx(1060 + 620.1 / 40)


def test_drx_adds_up_its_pulses_one_by_one() -> None:
    """100 ms of reception, 5 short cycles of 20 ms, 10 long ones of 40; on for 2 ms at 3 W."""
    drx = Drx(
        inactivity_ms=100,
        short_ms=100,
        short_cycle_ms=20,
        long_cycle_ms=40,
        on_ms=2,
        release_ms=600,
    )
    powers = Powers(0, 0, 0, 0, tail_mw=1000, drx_on_mw=3000, continuous_mw=2000)
    first_ms, first_mw, second_ms, second_mw = drx_tail(drx, powers)
    assert (first_ms, second_ms) == (200, 400)
    assert first_ms * first_mw == pytest.approx(100 * 2000 + 100 * 1000 + 5 * 2 * 2000)
    assert second_ms * second_mw == pytest.approx(400 * 1000 + 10 * 2 * 2000)


def test_without_short_cycles_and_reception_the_tail_has_one_part() -> None:
    drx = Drx(0, 0, short_cycle_ms=20, long_cycle_ms=40, on_ms=1, release_ms=500)
    assert drx_tail(drx, Powers(0, 0, 0, 0, tail_mw=10, drx_on_mw=50)) == (500, 11, 0, 0)


def test_a_longer_cycle_never_takes_more() -> None:
    def tail_mj(long_cycle_ms: float) -> float:
        drx = Drx(100, 20, 20, long_cycle_ms, 1, 10_000)
        a_ms, a_mw, b_ms, b_mw = drx_tail(drx, HUANG_2012_LTE_PHONE)
        return a_ms * a_mw + b_ms * b_mw

    assert tail_mj(40) > tail_mj(80) > tail_mj(320) > 10_000 * 1060


@pytest.mark.parametrize(
    ("change", "message"),
    [({"on_ms": 50}, "a cycle must be at least"), ({"release_ms": 100}, "before the release")],
)
def test_impossible_cycles_are_refused(change: dict[str, float], message: str) -> None:
    drx = HUANG_2012_LTE_TIMERS.drx
    assert drx is not None
    with pytest.raises(ValueError, match=message):
        replace(drx, **change)


def test_idle_listens_once_a_paging_period_of_the_operator() -> None:
    powers = Powers(0, 0, 0, 0, tail_mw=0, idle_mw=1, paging_mw=500, paging_on_ms=40)
    assert join(Timers(0, rtt_ms=1, paging_ms=1000), powers).idle_mw == pytest.approx(21)
    assert join(Timers(0, rtt_ms=1, paging_ms=2000), powers).idle_mw == pytest.approx(11)


def test_a_timeline_has_no_gaps_and_leaves_out_states_without_duration() -> None:
    spans = isolated(PRESETS["2012"]["3g"], 10**6, MBIT)
    states = ["promotion", "handshake", "transfer", "tail", "tail2"]
    assert [span.state for span in spans] == states
    assert [span.start_us for span in spans] == [0, *(span.end_us for span in spans[:-1])]
    assert [span.state for span in isolated(PRESETS["2009"]["wifi"], 1, MBIT)] == [
        "handshake",
        "transfer",
    ]


@pytest.mark.parametrize(
    ("year", "radio", "message"),
    [
        ("1999", "3g", "radio_year '1999': no such preset; there are 2009, 2011, 2012, 2021"),
        ("2009", "lte", "radio 'lte' is not among those measured in 2009; there are 3g, gsm, wifi"),
    ],
)
def test_a_year_or_radio_that_nobody_measured_is_refused(
    year: str, radio: str, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        preset(year, radio)
    assert preset("2021", "5g") is PRESETS["2021"]["5g"]
