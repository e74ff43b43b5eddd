"""Phones that meet swap what they know: linked, near, both on, over the direct link."""

import re
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.models.learning.learning import PeerLearning
from droidloop.network.direct import DIRECT
from droidloop.network.generators import complete
from droidloop.network.map import OPTUS, build_map
from droidloop.network.movement import position_at
from droidloop.network.topology import from_edges
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import Need
from droidloop.platform.ledger import Ledger, read
from droidloop.platform.messages import HEADER_BYTES, SERVER
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.protocols.encounters import OpportunisticGossip
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.meeting import meet
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.chosen import section_with
from tests.scenarios.conftest import Command
from tests.scenarios.small_worlds import PHONES, values, whispering

DRAWS = Draws(6, "meeting")
WORLD = build_map(OPTUS, PHONES, DRAWS)
MESSAGE_BYTES = HEADER_BYTES + PHONES
FAR_M = 4000
SECTION = section_with(
    "protocol",
    "gossip",
    mode="push-pull",
    transport="direct",
    rounds=10,
    every_s=3600.0,
    deadline_s=1800.0,
    min_battery=0.0,
)


def play(folder: Path, society: PeerLearning, *, exact: bool = False) -> Path:
    """Run encounters of phones that have neither WiFi nor coverage; return the ledger's folder."""
    spec = PopulationSpec(
        PHONES, map=OPTUS, direct=DIRECT["wifi-direct"], off_at_night_share=0.0, wifi_share=0.0
    )
    engine, population = Engine(), build(spec, DRAWS)
    population.world.map.covered[:] = False
    engine.run(9 * HOUR_US)
    fleet = ExactFleet(engine, population) if exact else CohortFleet(engine, population)
    ledger = Ledger(folder)
    stage = ProtocolContext(Recorder(engine, fleet, ledger), population, DRAWS, lambda number: None)
    protocol = OpportunisticGossip(stage, society, SECTION, lambda: complete(PHONES), FAR_M)
    engine.run(engine.process(protocol.process()))
    ledger.close()
    return folder


def test_pairs_are_linked_near_and_of_two() -> None:
    topology = from_edges(PHONES, [(a, b) for a in range(PHONES) for b in range(a) if (a + b) % 3])
    met = 0
    for counter in range(10):
        t_us, phones = counter * HOUR_US, np.arange(0, PHONES, 1 + counter % 2)
        partner = meet(WORLD, topology, phones, t_us, FAR_M, DRAWS, counter)
        for phone, other in zip(phones.tolist(), partner.tolist(), strict=True):
            if other == SERVER:
                continue
            met += 1
            assert other in phones
            assert partner[np.searchsorted(phones, other)] == phone
            assert other in topology.of(phone)
            far = np.subtract(position_at(WORLD, phone, t_us), position_at(WORLD, other, t_us))
            assert (far * far).sum() <= FAR_M**2
    assert met > 20


def test_nobody_meets_without_links_or_out_of_reach() -> None:
    phones = np.arange(PHONES)
    none = meet(WORLD, from_edges(PHONES, []), phones, 0, 10**7, DRAWS, 0)
    assert (none == SERVER).all()
    places = [position_at(WORLD, phone, 0) for phone in range(PHONES)]
    apart = len(set(places)) == PHONES
    near = meet(WORLD, complete(PHONES), phones, 0, 0, DRAWS, 0)
    assert apart is bool((near == SERVER).all())


def test_phones_learn_from_one_another_where_there_is_no_network_at_all(tmp_path: Path) -> None:
    society = whispering()
    play(tmp_path, society)
    jobs = read(tmp_path, "jobs")
    contacts = jobs[jobs["needs"] & Need.DIRECT != 0]
    done = contacts[contacts["outcome"] == 1]
    assert set(done["downloaded_bytes"].tolist()) == set(done["uploaded_bytes"].tolist())
    assert set(done["uploaded_bytes"].tolist()) == {MESSAGE_BYTES}
    assert (done["promotion_uj"] > 0).all()
    assert (done["radio_uj"] > 0).all()
    assert (done["tail_uj"] == 0).all()
    heard = sum(values(tmp_path, "round", "messages"))
    assert heard == society.store.gather(np.arange(PHONES))["messages"].sum() > PHONES // 2
    rest = jobs[jobs["needs"] & Need.DIRECT == 0]
    assert rest["downloaded_bytes"].sum() == rest["uploaded_bytes"].sum() == 0


def test_exact_and_cohort_play_agree(tmp_path: Path) -> None:
    for exact in (False, True):
        play(tmp_path / str(exact), whispering(), exact=exact)
    for table in ("jobs", "events"):
        assert np.array_equal(read(tmp_path / "False", table), read(tmp_path / "True", table))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], r"add \[population.map\]"),
        (["population.map.preset=optus"], "set population.direct"),
        (
            ["population.map.preset=optus", "population.direct=bluetooth", "protocol.mode=push"],
            "set mode = 'push-pull'",
        ),
    ],
)
def test_a_scenario_in_which_nobody_could_meet_is_one_line(
    command: Command, small: Path, tmp_path: Path, settings: list[str], message: str
) -> None:
    gossip = [
        "training.rule=gossip-mf",
        "protocol.kind=gossip",
        "protocol.transport=direct",
        "protocol.mode=push-pull",
        "delivery.variant=none",
    ]
    words = [word for key in [*gossip, *settings] for word in ("--set", key)]
    answer = command("run", small, *words, "--out", tmp_path / "run")
    assert answer.exit_code == 2
    assert not (tmp_path / "run").exists()
    assert re.search(message, answer.output)
