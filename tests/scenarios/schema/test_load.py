"""A scenario is checked at the border, and every mistake is named in one line."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.load import LIBRARY, find, load, names, read_test_bed

Write = Callable[[str], Path]
GOOD = 'name = "mine"\ntitle = "A scenario"\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return writer


@pytest.mark.parametrize("name", names())
def test_every_scenario_of_the_library_is_valid_and_named_after_its_file(name: str) -> None:
    assert load(find(name)).name == name


def test_a_short_scenario_gets_defaults(write: Write) -> None:
    assert load(write(GOOD)).protocol.rounds == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[population]\nram = 1\n", r"\[population\] has no key 'ram'"),
        ("[population]\nwifi_shar = 0.5\n", "did you mean 'wifi_share'"),
        ("[protocol]\nrounds = 'ten'\n", r"\[protocol\] rounds = 'ten'"),
        (
            "[protocol]\nkind = 'telepathy'\n",
            "protocol.kind = 'telepathy': there is no such protocol",
        ),
        ("[population]\nphones = 0\n", r"\[population\] phones = 0: .*greater than or equal to 1"),
        ("[population]\nbattery_floor = -0.5\n", r"battery_floor = -0.5: .*greater than or equal"),
        ("[population]\nbattery_floor = nan\n", "battery_floor = nan"),
        ("[population.profiles]\nnokia = 1.0\n", r"\[population.profiles\] has no 'nokia'; choose"),
        ("[population.radios]\nlte = 0.0\n", "weights sum to 0"),
        (
            "[population.radios]\n6g = 1.0\n",
            r"\[population.radios\] has no '6g'; choose from ",
        ),
        ("[population]\nradio_year = '1999'\n", "radio_year = '1999'"),
        ("[population.cell]\nphones = 9\n", "play = 'cohort' cannot share a cell's capacity; set"),
        (
            "[population.map]\narea_share = 0.1\n",
            r"\[population.map\] area_share 0.1 cannot be met with remote_share 0.6",
        ),
        ("[population.map]\npreset = 'moon'\n", "preset = 'moon'"),
        ("[protocol]\nevery_s = 10.0\ndeadline_s = 11.0\n", "longer than"),
        ("[population]\nphones = 3.5\n", r"\[population\] phones = 3.5"),
    ],
)
def test_a_mistake_is_one_line_with_file_key_and_value(
    write: Write, text: str, message: str
) -> None:
    path = write(GOOD + text)
    with pytest.raises(ScenarioError, match=message) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_missing_key_is_named(write: Write) -> None:
    with pytest.raises(ScenarioError, match="needs the key 'title'"):
        load(write('name = "mine"\n'))


def test_what_is_not_toml_is_said(write: Write) -> None:
    with pytest.raises(ScenarioError, match="not TOML"):
        load(write("name = \n"))


def test_an_unknown_scenario_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'quickstart'"):
        find("quikstart")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.toml: no such file"):
        find("nowhere.toml")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("protocol.rounds=3", 3), ("protocol.rounds = 4", 4)],
)
def test_a_setting_overrides_the_file(setting: str, value: int) -> None:
    assert load(find("quickstart"), [setting.replace(" ", "")]).protocol.rounds == value


def test_a_setting_may_be_a_plain_string() -> None:
    scenario = load(find("federated-movielens"), ["data.path=../somewhere/ml-100k"])
    assert scenario.data.path == "../somewhere/ml-100k"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "give it as key=value"),
        ("=3", "give it as key=value"),
        ("name.first=3", "'name' is a value, not a table"),
        ("protocol.round=3", "did you mean 'rounds'"),
        ("delivery.when=every", "'every' without delivery.every: say how many turns"),
    ],
)
def test_a_wrong_setting_is_one_line(setting: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load(find("quickstart"), [setting])


def test_the_library_holds_no_data_path_of_anybody() -> None:
    for path in LIBRARY.glob("*.toml"):
        assert not tomllib.loads(path.read_text()).get("data", {}).get("path")


BED = """[[devices.android]]
serial = "R58M"
label = "old one"
threads = 2
cores = [4, 5]
level_percent = 15
charging = false

[[devices.android]]
serial = "192.168.1.20:37123"
down_mbps = 8.0
"""


def test_a_test_bed_names_devices_and_how_they_work(tmp_path: Path) -> None:
    file = tmp_path / "bed.toml"
    file.write_text(BED)
    old, far = read_test_bed(file)
    assert (old.label, old.threads, old.cores, old.level_percent) == ("old one", 2, [4, 5], 15)
    assert (far.serial, far.down_mbps, far.threads) == ("192.168.1.20:37123", 8.0, 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("threads = 2", r"bed\.toml: .*threads = 0"),
        ('label = "old one"', r"bed\.toml: .*label = 'x; reboot'"),
        ("cores = [4, 5]", r"bed\.toml: .*has no key 'kores'"),
    ],
)
def test_a_wrong_test_bed_is_said_in_one_line(tmp_path: Path, wrong: str, message: str) -> None:
    right = {"threads = 2": "threads = 0", "cores = [4, 5]": "kores = [4]"}
    file = tmp_path / "bed.toml"
    file.write_text(BED.replace(wrong, right.get(wrong, 'label = "x; reboot"')))
    with pytest.raises(ScenarioError, match=message) as caught:
        read_test_bed(file)
    assert "\n" not in str(caught.value)
