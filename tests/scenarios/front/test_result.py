"""A result in Python: the run of the command line, as numbers, Arrow, figures and a table."""

import filecmp
from pathlib import Path

import pyarrow as pa
import pytest

import droidloop
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.tables import TABLES
from droidloop.scenarios.reports.summary import records, summarise

Runs = dict[str, RunDirectory]


def test_a_run_from_python_is_that_of_the_command_line(
    small: Path, runs: Runs, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    result = droidloop.run(small, tmp_path / "run", progress=lambda *one: told.append(one))
    assert told[:4] == [("training", number, 4) for number in (1, 2, 3, 4)]
    for theirs in sorted((runs["cohort"].path / "jobs").iterdir()):
        assert filecmp.cmp(result.path / "jobs" / theirs.name, theirs, shallow=False)
    mine, other = result.records(), records(summarise(runs["cohort"]))
    assert [one for one in mine if one["figure"] != "wall_s"] == [
        one for one in other if one["figure"] != "wall_s"
    ]


def test_a_seed_can_be_given_in_the_place_of_the_scenarios(
    small: Path, runs: Runs, tmp_path: Path
) -> None:
    result = droidloop.run(
        droidloop.load(small), tmp_path / "run", seed=6, replay=runs["other"].path
    )
    assert result.scenario["seed"] == 6
    assert result.table("jobs") == droidloop.Result(runs["other"].path).table("jobs")


def test_a_directory_that_is_taken_is_refused_in_one_line(small: Path, runs: Runs) -> None:
    with pytest.raises(droidloop.UsageError, match="already there; choose another"):
        droidloop.run(small, runs["cohort"].path)


def test_a_replay_takes_no_devices(small: Path, runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(droidloop.UsageError, match="needs no devices"):
        droidloop.run(
            *(small, tmp_path / "x"),
            replay=runs["cohort"].path,
            devices=droidloop.Devices(attach=["all"]),
        )


@pytest.mark.parametrize("name", TABLES)
def test_tables_hold_the_rows_of_the_ledger(name: str, runs: Runs) -> None:
    rows = read(runs["cohort"].path, name)
    table = droidloop.Result(runs["cohort"].path).table(name)
    assert table.column_names == list(rows.dtype.names or ())
    assert table.num_rows == len(rows)
    for column in table.column_names:
        values = table[column].to_pylist()
        if pa.types.is_dictionary(table[column].type) and rows.dtype[column].kind == "S":
            assert values == [text.decode() for text in rows[column].tolist()]
        elif not pa.types.is_dictionary(table[column].type):
            assert values == rows[column].tolist()


def test_codes_are_words(runs: Runs) -> None:
    rows = read(runs["cohort"].path, "jobs")
    table = droidloop.Result(runs["cohort"].path).table("jobs")
    assert table["kind"].to_pylist() == [Kind(code).name.lower() for code in rows["kind"]]
    assert table["outcome"].to_pylist() == [Outcome(c).name.lower() for c in rows["outcome"]]


def test_duckdb_takes_a_table_as_it_is(runs: Runs) -> None:
    import duckdb

    jobs = droidloop.Result(runs["cohort"].path).table("jobs")  # noqa: F841  read by its name
    answer = duckdb.sql("select count(*) from jobs where kind = 'train'")
    assert answer is not None
    [(found,)] = answer.fetchall()
    assert found == int((read(runs["cohort"].path, "jobs")["kind"] == Kind.TRAIN).sum())


def test_an_unknown_table_is_said(runs: Runs) -> None:
    with pytest.raises(droidloop.UsageError, match=r"job: the ledger has no such table; .*jobs"):
        droidloop.Result(runs["cohort"].path).table("job")


def test_pictures_are_figures(runs: Runs) -> None:
    result = droidloop.Result(runs["cohort"].path)
    assert len(result.picture().axes) == 4
    with pytest.raises(droidloop.UsageError, match="learned from"):
        result.topology()


def test_a_notebook_shows_the_tables_of_the_report(runs: Runs) -> None:
    result = droidloop.Result(runs["cohort"].path)
    html = result._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 3
    assert html.count("<caption>small, seed 5: quality (mean over users)</caption>") == 1
    [hits] = [
        one["value"]
        for one in result.records()
        if (one["figure"], one["users"], one["model"]) == ("hr_at_10", "all", "trained")
        and (one["part"], one["ranking"]) == ("test", "sampled")
    ]
    assert f"<td>{hits:.3f} ±" in html
    assert repr(result) == f"<Result of small, seed 5, in {result.path}>"


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(droidloop.UsageError, match="no run there; give the directory of a run"):
        droidloop.Result(tmp_path)
