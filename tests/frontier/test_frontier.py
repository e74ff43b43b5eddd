"""Every row of the frontier ships within its budget, or says why no such table can."""

import csv
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.data.split import Split, leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.updates.frontier import best_within, read_frontier
from droidloop.platform.draws import Draws
from tests.frontier.answers import answers
from tests.frontier.page import BEGIN, END, FAMILIES, LINES, PAGE, kept, shown
from tests.frontier.row import DIM, OutOfReachError, Work, budgets
from tests.frontier.rows import ROWS


@pytest.fixture(scope="module")
def split() -> Split:
    return leave_one_out(generate(60, 400, 12, Draws(1, "frontier")))


@pytest.mark.parametrize("name", ROWS)
def test_what_ships_keeps_the_budget_and_is_told_by_its_own_bytes(name: str, split: Split) -> None:
    row = ROWS[name]
    for budget in budgets(split.n_items).values():
        try:
            fitted = row.fit(Work(split, budget, row.setting, 1, epochs=1))
        except OutOfReachError:
            continue
        packed = fitted.table.pack(fitted.params)
        assert fitted.table.nbytes <= budget
        assert 0 <= len(packed) - fitted.table.nbytes <= 16
        assert all(one.table.nbytes <= budget for one in fitted.parts)
        assert sum(len(one.users) for one in fitted.parts) in (0, split.n_users)
        assert fitted.params["user"].shape == (split.n_users, fitted.table.dim)
        told = answers(fitted, np.bincount(split.train.items, minlength=split.n_items))
        assert 0 <= told["assignment_bytes"] < fitted.table.nbytes
        assert told["importance"] is None or -1 <= told["importance"] <= 1
        if name in ("hashed", "deep-hash", "dense"):
            assert told["new_items"] == (name != "dense")


def test_budgets_are_shares_of_whole_float32_vectors() -> None:
    assert list(budgets(3706).values()) == [3706 * DIM * 4 // share for share in (4, 10, 30)]


def test_the_page_shows_the_lines_that_were_kept() -> None:
    found = PAGE.read_text().partition(f"{BEGIN}\n")[2].partition(END)[0]
    assert found == shown(kept())
    assert {line["name"] for line in kept()} <= set(ROWS)


def test_every_table_is_drawn() -> None:
    drawn = [name for names in FAMILIES.values() for name in names]
    assert sorted(["dense", *drawn]) == sorted(ROWS)


def test_phones_of_more_memory_never_get_a_worse_table() -> None:
    lines = read_frontier(LINES)
    memory = np.sort(np.array([line.ram_bytes for line in lines]))
    values = [lines[k].value for k in best_within(lines, memory)]
    assert values == sorted(values)


def test_every_recorded_phone_gets_a_table_that_fits_and_is_no_worse_than_dense(
    shared: Path,
) -> None:
    """Of 333 phones, 0.5 to 12 GB; a tenth of its memory is what an app may hope for."""
    with (shared / "data/devices/flash_ai_benchmark_phones.csv").open(newline="") as file:
        memory = np.array([float(one["ram_gb"]) * 2**30 / 10 for one in csv.DictReader(file)])
    lines, told = read_frontier(LINES), {(one["name"], one["budget"]): one for one in kept()}
    dense = {one["budget"]: one["value"] for one in kept() if one["name"] == "dense"}
    assert len(memory) == 333
    for budget, value in dense.items():
        mine = [line for line in lines if line.budget == budget]
        for k, free in zip(best_within(mine, memory), memory, strict=True):
            assert mine[k].ram_bytes <= free
            assert told[mine[k].name, budget]["value"] >= value
