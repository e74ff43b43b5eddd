"""Whether the segments of a run are all there, and no others: what its manifest lists."""

from pathlib import Path
from typing import Any

from .durable import reason_of
from .errors import LedgerError, shown
from .ledger import segment_name, segments
from .tables import TABLES


def require_listed(folder: Path, listed: Any) -> None:
    """Check that the segments in *folder* are those that a manifest has *listed*, with their rows.

    Raises:
        LedgerError: one is missing, there twice, or has another number of rows.
    """
    import pyarrow.lib as lib
    import pyarrow.parquet as pq

    _require_list(folder, listed)
    for table in TABLES:
        rows = listed.get(table, [])
        paths, wanted = list(segments(folder, table)), list(map(segment_name, range(len(rows))))
        odd = sorted({path.name for path in paths} ^ set(wanted))
        if odd:
            lost = "is missing" if odd[0] in wanted else "is not one of the run's"
            raise LedgerError(
                f"{folder / table / odd[0]}: {lost}: run.json lists {len(rows)} segments of "
                f"{table!r}; restore the directory from a copy, or run again"
            )
        for path, many in zip(paths, rows, strict=True):
            try:
                found = pq.read_metadata(path).num_rows
            except (lib.ArrowException, ValueError, OSError) as error:
                message = f"{path}: not a segment of {table!r} ({reason_of(error)})"
                raise LedgerError(message) from error
            if found != many:
                raise LedgerError(
                    f"{path}: {found} rows, run.json lists {many}; restore the directory from a "
                    "copy, or run again"
                )


def _require_list(folder: Path, listed: Any) -> None:
    known = isinstance(listed, dict) and listed.keys() <= TABLES.keys()
    known = known and all(isinstance(rows, list) for rows in listed.values())
    counts = [one for rows in listed.values() for one in rows] if known else [None]
    if not all(isinstance(one, int) and one >= 0 for one in counts):
        raise LedgerError(
            f"{folder / 'run.json'}: segments = {shown(listed)}: not the rows of each segment by "
            "table; restore the file from a copy, or run again"
        )
