"""What a real phone or emulator has to do: run where one is attached.

DROIDLOOP_SERIAL=emulator-5554 pytest -m emulator
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.attaching import Seat, attached
from droidloop.devices.android.fleet import Attachment
from droidloop.devices.android.runner import Runner
from droidloop.platform.jobs import Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.load import load
from droidloop.scenarios.run import execute
from tests.contracts.runner import RunnerContract
from tests.scenarios.test_mixed import ALONE, table_of
from tests.scenarios.test_run import digest

SERIAL = os.environ.get("DROIDLOOP_SERIAL", "")
pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(not SERIAL, reason="needs DROIDLOOP_SERIAL: a device that adb lists"),
]


@pytest.fixture(scope="module")
def device() -> Iterator[Attachment]:
    """The attached device, ready for jobs; clean afterwards."""
    said: list[str] = []
    with attached([Seat(SERIAL, 0)], said.append) as [one]:
        yield one
    assert not [line for line in said if line.startswith("not cleaned")]


class TestRunner(RunnerContract):
    @pytest.fixture
    def runner(self, device: Attachment) -> Runner:
        return device.runner


def test_a_run_with_it_gives_the_hosts_model_and_a_replay_the_same_bytes(
    device: Attachment, tmp_path: Path
) -> None:
    file = tmp_path / "alone.toml"
    file.write_text(ALONE)
    scenario = load(file, ["population.phones=1"])
    for name, devices in (("host", []), ("device", [device])):
        execute(scenario, tmp_path / name, replay=None, progress=lambda *_: None, devices=devices)
    np.testing.assert_allclose(
        table_of(tmp_path / "device"), table_of(tmp_path / "host"), rtol=0, atol=1e-5
    )
    rows = read(tmp_path / "device", "jobs")
    assert rows["measured"].all()
    assert set(rows["outcome"].tolist()) == {Outcome.DONE}
    replayed = tmp_path / "replay"
    execute(scenario, replayed, replay=tmp_path / "device", progress=lambda *_: None)
    assert digest(replayed) == digest(tmp_path / "device")
