"""A release to two phones: over a link that is cut, tried, and taken back where it is bad."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.platform.ledger import read, texts

from .conftest import Attached
from .made import models
from .packages import brought, cleaned, delivered, install_s

pytestmark = pytest.mark.phone


@pytest.fixture
def clean(pair: tuple[Attached, Attached]) -> Iterator[tuple[Attached, Attached]]:
    """Both phones, with nothing installed before and after."""
    cleaned(pair)
    yield pair
    cleaned(pair)


def test_a_release_is_resumed_after_a_cut_proved_and_taken_back_where_it_is_bad(
    clean: tuple[Attached, Attached], tmp_path: Path
) -> None:
    model = tmp_path / "scorer.tflite"
    model.write_bytes((models() / "scorer.tflite").read_bytes())
    one, two, three = (brought(model, version) for version in (1, 2, 3))
    install_s(clean, one)
    found = delivered(clean, two, three, tmp_path)
    assert 0 < found["sent_after_the_cut"] < found["sent_whole"] == found["bytes"]
    assert found["works"] == [(2, "float32")] * 2
    assert found["bad"].startswith("1 of 2 devices refused it: gives scores")
    assert found["error"] == 0
    rows = read(tmp_path / "ledger/1", "installs")
    [switched] = rows[rows["event"] == b"switched"]
    assert (switched["fetched_bytes"], switched["version"]) == (found["sent_after_the_cut"], 2)
    assert switched["fetched_bytes"] < switched["whole_bytes"]
    assert texts(read(tmp_path / "ledger/0", "installs")["event"]).count("switched") == 1
