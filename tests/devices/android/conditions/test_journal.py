import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.conditions.conditions import restore_pending
from droidloop.devices.android.conditions.journal import Journal, pending_serials
from droidloop.devices.android.conditions.undo import (
    ResetBattery,
    SetLink,
    SetModem,
    SetPower,
    SetRadio,
    Undo,
    from_json,
    to_json,
)
from droidloop.devices.android.errors import ConditionError, RestoreError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_is_written_is_read_by_the_next_run() -> None:
    undos = (SetRadio("wifi", on=True), ResetBattery())
    with Journal("phone") as journal:
        journal.write(undos)
    with Journal("phone") as journal:
        assert journal.read() == undos
        journal.write(())
        assert journal.read() == ()
    assert pending_serials() == ()


def test_one_run_at_a_time() -> None:
    with Journal("phone"):
        with pytest.raises(ConditionError, match="another run of droidloop"):
            Journal("phone")
        with Journal("other"):
            pass


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({"format": 2, "serial": "x", "undo": []}),
        json.dumps({"format": 1, "serial": "x", "undo": [{"kind": "Reboot"}]}),
        json.dumps({"format": 1, "serial": "x", "undo": [{"kind": "SetRadio", "radio": "x; y"}]}),
        json.dumps(
            {"format": 1, "serial": "x", "undo": [{"kind": "SetRadio", "radio": "a", "on": True}]}
        ),
    ],
)
def test_damaged_journal_is_named(state: Path, adb: Adb, text: str) -> None:
    (state / "restore").mkdir(parents=True)
    (state / "restore" / "x.json").write_text(text)
    with pytest.raises(RestoreError, match=r"x\.json: the journal .* is damaged"):
        restore_pending(adb)


def test_hostile_serial_is_no_path(state: Path) -> None:
    for serial in ("../../x", "a/b", "/etc/passwd", "x" * 5000, "é\n"):
        with Journal(serial) as journal:
            journal.write([ResetBattery()])
    assert {path.parent for path in state.rglob("*.json")} == {state / "restore"}
    assert len(pending_serials()) == 5


@given(
    st.one_of(
        st.builds(ResetBattery),
        st.builds(SetRadio, st.sampled_from(["wifi", "data"]), st.booleans()),
        st.builds(SetLink, *[st.integers(0, 10**9)] * 4),
        st.builds(SetModem, st.text()),
        st.builds(SetPower, st.integers(0, 100), st.booleans(), st.text()),
    )
)
def test_what_is_to_be_done_survives_the_journal(one: Undo) -> None:
    assert from_json(json.loads(json.dumps(to_json(one)))) == one
