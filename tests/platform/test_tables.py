"""Tables say what their columns are, and the page of the docs says the same."""

import pytest

from droidloop.platform.jobs import JOB_DTYPE
from droidloop.platform.tables import TABLES
from tests.ledger_page import MARK, PAGE, tables


def test_the_page_has_the_columns_as_they_are() -> None:
    _, written, _ = PAGE.read_text().split(MARK)
    assert written == f"\n{tables()}\n", "run python tests/ledger_page.py"


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_name_of_its_own_and_a_meaning(name: str) -> None:
    table = TABLES[name]
    names = [one.name for one in table.columns]
    assert len(set(names)) == len(names)
    assert all(one.help for one in table.columns)
    assert {table.time, *table.order} <= set(names)
    assert table.order[0] == table.time


def test_jobs_in_memory_are_jobs_in_the_ledger() -> None:
    assert TABLES["jobs"].dtype == JOB_DTYPE


def test_a_version_has_the_columns_that_were_there_by_then() -> None:
    metrics = TABLES["metrics"]
    assert metrics.version == 2
    later = {one.name for one in metrics.columns} - {one.name for one in metrics.of_version(1)}
    assert later == {"users"}
