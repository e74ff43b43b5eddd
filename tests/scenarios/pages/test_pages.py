"""The page of a run and of a sweep: drawn without a word at any size, and read without eyes."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import droidloop
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import read, texts
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US, joules
from droidloop.scenarios.pages.bins import edges_us, so_far
from droidloop.scenarios.pages.chart import Chart
from droidloop.scenarios.pages.run_charts import MOST_VERSIONS, charts_of, versions_chart
from droidloop.scenarios.pages.write import write_run
from tests.scenarios.churning import played, scenario
from tests.scenarios.conftest import Command
from tests.scenarios.pages.browser import browser, drawn

OLDER = Path(__file__).parents[2] / "platform" / "older_run"
MOST_BYTES = 8_000_000
PLAN: dict[str, Any] = {
    "seeds": [1, 2],
    "fixed": {
        "data": {"users": 60, "items": 120, "interactions": 20},
        "population": {"phones": 60},
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": ["popularity"]},
        "protocol": {"rounds": 3},
    },
    "grid": {"protocol": {"clients": [5, 20]}},
    "labels": {"protocol": {"clients": ["five a round", "twenty a round"]}},
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> droidloop.Sweep:
    return droidloop.sweep({"base": "quickstart"} | PLAN, tmp_path_factory.mktemp("s") / "mine")


@pytest.fixture(scope="module")
def pages(
    sweep: droidloop.Sweep, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The page of the sweep and that of its first run, by the command line."""
    folder = tmp_path_factory.mktemp("pages")
    found = {"sweep": sweep.path, "run": sweep.results()[0].path}
    for name, path in found.items():
        answer = command("report", path, "--html", folder / f"{name}.html")
        assert answer.exit_code == 0, answer.output
    return {name: folder / f"{name}.html" for name in found}


@pytest.fixture(scope="module")
def gossip(tmp_path_factory: pytest.TempPathFactory) -> droidloop.Result:
    changes = {"protocol.rounds": 4, "data.users": 30, "data.items": 60, "evaluation.baselines": []}
    short = droidloop.load("gossip").with_(changes)
    return droidloop.run(short, tmp_path_factory.mktemp("gossip") / "run")


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["run", "sweep"])
def test_every_chart_is_drawn_without_a_word(
    driver: Any, pages: dict[str, Path], name: str, width: int, theme: str, tmp_path: Path
) -> None:
    page = drawn(driver, pages[name], width, theme)
    page.picture(tmp_path / f"{name}-{width}-{theme}.png")
    assert page.said() == []
    charts = page.ask("document.querySelectorAll('.chart').length")
    assert charts == page.ask("document.querySelectorAll('.chart svg').length") >= 7
    marks = ".mark-line path, .mark-rect path, .mark-symbol path, .mark-area path"
    drawn_in = (
        f"[...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('{marks}').length)"
    )
    assert min(page.ask(drawn_in)) >= 1
    assert page.ask("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    paper = page.ask("getComputedStyle(document.body).backgroundColor")
    assert (np.mean([int(n) for n in re.findall(r"\d+", paper)]) > 127) == (theme == "light")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_phones_and_what_they_told_one_another_are_drawn(
    driver: Any, gossip: droidloop.Result, tmp_path: Path
) -> None:
    gossip.html(tmp_path / "page.html")
    page = drawn(driver, tmp_path / "page.html", 390, "dark")
    page.picture(tmp_path / "gossip.png")
    assert page.said() == []
    rows = charts_by_name(RunDirectory.open(gossip.path))["topology"].rows
    lines = page.ask("document.querySelectorAll('#topology .mark-rule line').length")
    spots = page.ask("document.querySelectorAll('#topology .mark-symbol path').length")
    assert lines == sum(row["what"] == "link" for row in rows) > 0
    assert spots >= sum(row["what"] == "phone" for row in rows) == 30


AXE = """
const done = arguments[arguments.length - 1];
axe.run().then(found => done(found.violations.map(one => [one.impact, one.id, one.nodes[0].html])));
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("name", "width", "theme"), [("run", 390, "dark"), ("sweep", 1280, "light")]
)
def test_axe_finds_nothing_that_keeps_anybody_from_reading_it(
    driver: Any, pages: dict[str, Path], name: str, width: int, theme: str
) -> None:
    pytest.importorskip("axe_core_python")
    drawn(driver, pages[name], width, theme)
    driver.set_script_timeout(240)
    driver.execute_script((files("axe_core_python") / "axe.min.js").read_text())
    found = driver.execute_async_script(AXE)
    assert [one for one in found if one[0] in ("serious", "critical")] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_table_opens_by_keyboard(driver: Any, pages: dict[str, Path]) -> None:
    page = drawn(driver, pages["run"], 390, "light")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver.find_element(By.CSS_SELECTOR, "summary").send_keys(Keys.ENTER)
    assert page.ask("document.querySelector('details').open")
    driver.switch_to.active_element.send_keys(Keys.TAB)
    assert page.ask("document.activeElement.getAttribute('role')") == "region"


class Parts(HTMLParser):
    """Counts what a page has, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_page_needs_nothing_else_and_each_chart_has_its_table(
    pages: dict[str, Path], name: str
) -> None:
    text = pages[name].read_text()
    assert len(text.encode()) < MOST_BYTES
    parts = Parts()
    parts.feed(text)
    assert not parts.of("link")
    assert not [attrs for _, attrs in parts.tags if "src" in attrs]
    assert all(str(attrs["href"]).startswith("#") for attrs in parts.of("a"))
    charts = [attrs for attrs in parts.of("div") if attrs.get("class") == "chart"]
    assert len(charts) == len(parts.of("details")) == len(parts.of("figure"))
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)
    ids = [attrs["id"] for _, attrs in parts.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert ("twenty a round" in text) == (name == "sweep")


def charts_by_name(run: RunDirectory) -> dict[str, Chart]:
    return {one.name: one for one in charts_of(run)}


def test_charts_show_what_the_ledger_says(sweep: droidloop.Sweep) -> None:
    path = sweep.results()[0].path
    charts, jobs = charts_by_name(RunDirectory.open(path)), read(path, "jobs")
    moved = int(jobs["downloaded_bytes"].sum() + jobs["uploaded_bytes"].sum())
    assert sum(row["mb"] for row in charts["traffic"].rows) == pytest.approx(moved / 1e6)
    assert sum(row["jobs"] for row in charts["outcomes"].rows) == len(jobs)
    devices = read(path, "devices")
    phones = dict(zip(*np.unique(texts(devices["profile"]), return_counts=True), strict=True))
    spent = sum(row["joules"] * phones[row["class"]] for row in charts["energy"].rows)
    parts = ("promotion_uj", "radio_uj", "tail_uj", "cpu_uj", "own_uj")
    assert spent == pytest.approx(joules(sum(int(devices[name].sum()) for name in parts)))
    assert "versions" not in charts


def test_comings_and_goings_and_unlearning_are_those_of_the_ledger(tmp_path: Path) -> None:
    answer = played(scenario("rounds", {"kind": "retrain"}), tmp_path / "run")
    charts = charts_by_name(RunDirectory.open(tmp_path / "run"))
    last = {row["what"]: row["phones"] for row in charts["churn"].rows}
    assert last == answer["churn"]
    assert charts["unlearning"].rows[-1]["joules"] == pytest.approx(
        answer["unlearning"]["energy_j"]
    )
    hours = [row["hours"] for row in charts["unlearning"].rows]
    assert hours == sorted(set(hours))


def test_links_are_those_of_the_ledger(gossip: droidloop.Result) -> None:
    rows = charts_by_name(RunDirectory.open(gossip.path))["topology"].rows
    events = read(gossip.path, "events")
    learned = events[events["kind"] == b"learned"]
    assert sum(row["messages"] or 0 for row in rows) == len(learned) > 0
    pairs = {frozenset(two) for two in zip(learned["phone"], learned["value"], strict=True)}
    drawn_pairs = {frozenset((row["phone"], row["other"])) for row in rows if row["what"] == "link"}
    assert drawn_pairs == pairs
    taught = {row["phone"]: row["taught"] for row in rows if row["what"] == "phone"}
    assert sum(taught.values()) == len({(one["phone"], one["value"]) for one in learned})


def test_versions_are_those_that_phones_hold() -> None:
    delivered = read(OLDER, "jobs")[:3].copy()
    delivered["phone"], delivered["version"] = [0, 1, 0], [4, 4, 9]
    delivered["finish_us"] = np.array([1, 2, 3]) * HOUR_US
    rows = versions_chart(delivered, 4).rows
    held = {(row["version"], row["hours"]): row["percent"] for row in rows}
    assert [held["v4", hour] for hour in (0.0, 1.0, 2.0, 3.0)] == [0.0, 25.0, 50.0, 25.0]
    assert [held["v9", hour] for hour in (0.0, 1.0, 2.0, 3.0)] == [0.0, 0.0, 0.0, 25.0]


def test_of_many_versions_those_that_fewest_phones_fetched_are_one_line() -> None:
    several = MOST_VERSIONS + 5
    delivered = np.repeat(read(OLDER, "jobs")[:1], several + 1)
    delivered["phone"] = np.arange(several + 1)
    delivered["version"] = [*range(several), 7]
    rows = versions_chart(delivered, several + 1).rows
    last = {row["version"]: row["percent"] for row in rows}
    assert len(last) == MOST_VERSIONS + 1
    assert last["v7"] == 200 / (several + 1)
    assert last["others"] == 500 / (several + 1)


def test_what_has_added_up_is_told_at_each_time_or_in_each_bin() -> None:
    hours, sums = so_far(np.array([3, 1, 3]) * HOUR_US, np.array([5, 7, 2]))
    assert hours.tolist() == [1.0, 3.0]
    assert sums.tolist() == [7, 14]
    many = np.arange(5000) * HOUR_US
    hours, sums = so_far(many, np.ones(5000, np.int64))
    assert len(hours) <= 98
    assert (hours[-1], sums[-1]) == (4999.0, 5000)
    assert np.array_equal(sums, hours + 1)


def test_a_run_whose_phones_cannot_be_made_again_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for part in OLDER.iterdir():
        if part.is_dir():
            (folder / part.name).symlink_to(part)
    content = json.loads((OLDER / "run.json").read_text())
    content["scenario"]["data"] = {"path": "gone.csv"}
    (folder / "run.json").write_text(json.dumps(content))
    write_run(RunDirectory.open(folder), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Without charts of phones and hours: " in text
    assert 'id="phones"' not in text
    assert 'id="traffic"' in text


def test_bins_cover_the_run_in_quarters_of_an_hour() -> None:
    quarter = 15 * 60 * 1_000_000
    assert edges_us(2 * quarter).tolist() == [0, quarter, 2 * quarter]
    assert edges_us(1).tolist() == [0, quarter]
    long = edges_us(1000 * quarter)
    assert len(long) <= 98
    assert long[-1] >= 1000 * quarter


def test_a_page_that_cannot_be_written_is_one_line(
    sweep: droidloop.Sweep, command: Command, tmp_path: Path
) -> None:
    where = tmp_path / "none" / "page.html"
    with pytest.raises(UsageError, match=r"cannot be written \(No such file or directory\); name"):
        sweep.results()[0].html(where)
    answer = command("report", sweep.path, "--topology", tmp_path / "t.png")
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
    assert "a sweep has many; report one of its runs" in answer.stderr
