"""`droidloop scenarios show eligibility`: phones that can be asked, by hour of the day."""

import re
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Command = Callable[..., Result]

POLITE = """
name = "polite"
title = "Phones that idle on a charger and on WiFi"
[data]
users = 400
[population]
start_hour = 20.0
[protocol]
idle = true
charging = true
unmetered = true
"""


def test_it_prints_the_share_of_each_local_hour(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "polite.toml"
    file.write_text(POLITE)
    result = command("scenarios", "show", "eligibility", file)
    assert result.exit_code == 0, result.output
    title, _, *lines = result.stdout.splitlines()
    assert "idle, charging, unmetered" in title
    shares = {}
    for line in lines:
        hour, mean, least, most = re.findall(r"(\d+):30 +([\d.]+)% +([\d.]+)% +([\d.]+)%", line)[0]
        shares[int(hour)] = float(mean)
        assert float(least) <= float(mean) <= float(most)
    assert list(shares) == list(range(24))
    assert shares[3] > 30, "at night half of the phones charge, and most lie at home with WiFi"
    assert shares[11] < 15, "in the morning people are away, and phones off their chargers"


def test_it_needs_a_scenario_and_other_names_need_none(command: Command) -> None:
    for words in (["eligibility"], ["quickstart", "gossip"]):
        result = command("scenarios", "show", *words)
        assert result.exit_code != 0
        assert "give one scenario, or `eligibility` and the scenario" in result.output
