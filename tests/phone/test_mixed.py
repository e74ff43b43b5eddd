"""Two QEMU phones in the rounds of a run: package, LiteRT, training, update, and the same again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from tests.scenarios.run.test_mixed import table_of
from tests.scenarios.run.test_run import digest

from .conftest import Attached
from .playing import kept_models, play

pytestmark = [pytest.mark.phone, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _kept_models() -> Iterator[None]:
    with kept_models():
        yield


def test_two_phones_alone_give_the_hosts_model_and_a_replay_the_same_bytes(
    pair: tuple[Attached, Attached], tmp_path: Path
) -> None:
    host, _ = play(tmp_path / "host", [])
    phones, _ = play(tmp_path / "phones", pair)
    np.testing.assert_allclose(table_of(phones), table_of(host), rtol=0, atol=1e-5)
    rows = read(phones, "jobs")
    assert rows["measured"].all()
    assert set(rows["outcome"].tolist()) == {Outcome.DONE}
    assert set(rows["kind"].tolist()) == {Kind.TRAIN, Kind.DELIVER, Kind.INFER}
    measures = read(phones, "measures")
    for name in ("sent_bytes", "sent_us", "cpu_us", "received_us"):
        assert (measures[name] > 0).all(), name
    replayed, _ = play(tmp_path / "replay", [], replay=phones)
    assert digest(replayed) == digest(phones)
    for one in pair:
        assert one.listing() == []
