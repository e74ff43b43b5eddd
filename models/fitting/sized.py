"""Training again on tables whose sizes were found: what all searches of sizes end with."""

from collections.abc import Mapping

from droidloop.models.interfaces.learning import EmbeddingTable, Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.mixed import MixedTable
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

from .retrain import Fitted
from .training import Judge, Training


def sized_model(
    model: Recommender,
    params: Params,
    sizes: Mapping[str, IntArray],
    draws: Draws,
    sd: float = 0.1,
) -> tuple[Recommender, Params]:
    """Return *model* on mixed-size tables of *sizes* (n,), by name, with fresh values for these."""
    tables: dict[str, EmbeddingTable] = {
        name: MixedTable.sized(mine, model.tables[name].dim, name=name, sd=sd)
        for name, mine in sizes.items()
    }
    gone = {key for name in sizes for key in model.tables[name].parameters}
    values = {key: one for key, one in params.items() if key not in gone}
    for table in tables.values():
        values |= table.init(draws)
    return on_tables(model, tables), values


def train_sized(
    model: Recommender,
    params: Params,
    sizes: Mapping[str, IntArray],
    training: Training,
    judge: Judge,
    *,
    sd: float = 0.1,
    search_s: float = 0.0,
) -> Fitted:
    """Return *model* on tables of *sizes*, trained from fresh values, of the best epoch."""
    made, values = sized_model(model, params, sizes, training.draws, sd)
    return Fitted(made, training.train(made, values, judge(made)), search_s)
