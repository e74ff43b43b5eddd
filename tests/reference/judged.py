"""ml-1m as films that people liked or not, with the fields of both: what rows on FM share.

The labels of PEP (Liu et al., ICLR 2021): a rating of 3 is dropped, above it is liked, below not;
split at random, 8:1:1. The split is the same for all seeds.
"""

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from droidloop.models.data.fields import Fields
    from droidloop.models.data.samples import Samples
    from droidloop.models.fitting.retrain import Fitted
    from droidloop.models.fitting.torch_descent import Feed
    from droidloop.models.fitting.training import Training
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.models.recommenders.fm import FM
    from droidloop.platform.arrays import FloatArray
    from droidloop.platform.draws import Draws


@dataclass(frozen=True)
class Judged:
    """Samples of training, validation and test; fields of users and items."""

    train: "Samples"
    valid: "Samples"
    test: "Samples"
    fields: "Fields"
    n_users: int
    n_items: int

    def fm(self, dim: int, tables: "dict[str, EmbeddingTable] | None" = None) -> "FM":
        """Return a machine on these fields, all shared; dense where no table is given."""
        from droidloop.models.recommenders.fm import FM
        from droidloop.models.tables.dense import DenseTable

        given = {"user": DenseTable(self.n_users, dim, name="user", sd=SD)} | (tables or {})
        item = given.pop("item", DenseTable(self.n_items, dim, sd=SD))
        return FM(item, self.fields, given, sd=SD)


SD = 0.01
"""Of the first vectors."""


def ml_1m_judged(users: int | None = None) -> Judged:
    """Return the samples of ml-1m; with *users*, of so many of them, the same always."""
    from dataclasses import replace

    import numpy as np

    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.readers import Columns, load, load_flags
    from droidloop.models.data.samples import TEST, TRAIN, VALID, judged_samples, random_parts
    from droidloop.platform.draws import Draws

    file = folder("ml-1m") / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    least = [load_flags(file, name) for name in ("ge3", "ge4")]
    every = replace(every, ratings=1.0 + 2 * least[0] + 2 * least[1])  # 1, 3 or 5
    if users is not None:
        every = every.keep(
            np.isin(every.users, Draws(0, "users").choose(np.arange(every.n_users), users, 0))
        )
    samples = judged_samples(by_user(every))
    part = random_parts(len(samples), Draws(0, "judged"))
    train, valid, test = (samples.take(part == one) for one in (TRAIN, VALID, TEST))
    fields = _fields(every.user_labels, every.item_labels)
    return Judged(train, valid, test, fields, every.n_users, every.n_items)


def _fields(users: Any, items: Any) -> "Fields":
    """Return gender, age and occupation of *users* and the genres of *items*, by label."""
    import numpy as np

    from droidloop.models.data.fields import Fields

    people, films = (_rows(name) for name in ("users.dat.gz", "movies.dat.gz"))
    values, sizes = {}, {}
    for column, name in enumerate(("gender", "age", "occupation")):
        known = sorted({row[column] for row in people.values()})
        values[name] = np.array([known.index(people[str(label)][column]) for label in users])
        sizes[name] = len(known)
    genres = [set(films[str(label)][1].split("|")) for label in items]
    known = sorted(set.union(*genres))
    flags = np.array([[one in mine for one in known] for mine in genres], np.float32)
    return Fields(values, sizes, flags)


def _rows(name: str) -> dict[str, list[str]]:
    text = gzip.decompress((folder("ml-1m") / name).read_bytes()).decode("latin-1")
    return {line.split("::")[0]: line.split("::")[1:] for line in text.splitlines()}


def auc_of(model: "FM", params: "Params", samples: "Samples") -> float:
    """Return the AUC of all *samples* together."""
    from droidloop.models.fitting.fit_din import scores_of
    from droidloop.models.metrics.auc import auc

    return auc(samples.labels, scores_of(model, params, samples))


def aucs_of(model: "FM", params: "Params", samples: "Samples") -> "FloatArray":
    """Return the AUC of each user's samples; NaN where all have one label."""
    from droidloop.models.fitting.fit_din import scores_of
    from droidloop.models.interfaces.metrics import Rated
    from droidloop.models.metrics.auc import aucs

    return aucs(Rated(samples.labels, scores_of(model, params, samples), samples.offsets))


@dataclass(frozen=True)
class Bench:
    """A trained machine on dense tables, and what fitters of small ones are told."""

    data: Judged
    seed: int
    dim: int
    model: "FM"
    first: "Params"
    dense: "Fitted"

    @classmethod
    def of(cls, users: int, dim: int, seed: int) -> "Bench":
        """Return the machine of *seed*, trained."""
        from dataclasses import replace

        from droidloop.models.fitting.retrain import Fitted

        data = ml_1m_judged(users)
        model = data.fm(dim)
        made = cls(data, seed, dim, model, model.init(_draws(seed)), Fitted(model, {}))
        trained = made.training().train(model, made.first, made.judge(model))
        return replace(made, dense=Fitted(model, trained))

    @property
    def names(self) -> list[str]:
        """The names of all tables."""
        return list(self.model.tables)

    @property
    def counts(self) -> dict[str, Any]:
        """How often each item and each user is in the training samples."""
        import numpy as np

        train = self.data.train
        return {
            "item": np.bincount(train.items, minlength=self.data.n_items),
            "user": np.bincount(train.users, minlength=self.data.n_users),
        }

    def training(
        self,
        epochs: int = 20,
        *,
        lr: float = 0.004,
        weight_decay: float = 1e-5,
        batch: int = 2048,
        patience: int = 2,
    ) -> "Training":
        """Return how to train on the samples."""
        from droidloop.models.fitting.torch_descent import labelled
        from droidloop.models.fitting.training import Training

        draws = _draws(self.seed)
        feed = labelled(self.data.train, batch, draws)
        return Training(feed, draws, epochs, lr, weight_decay, patience)

    @property
    def sd(self) -> float:
        """Of fresh vectors."""
        return SD

    def held(self, batch: int = 2048) -> "Feed":
        """Return batches of validation."""
        from droidloop.models.fitting.torch_descent import labelled

        return labelled(self.data.valid, batch, _draws(self.seed).child("held"))

    def judge(self, model: Any) -> "Callable[[Params], float]":
        """Return what gives the AUC on validation."""
        return lambda params: auc_of(model, params, self.data.valid)

    def test(self, fitted: "Fitted") -> float:
        """Return the AUC on test."""
        model: Any = fitted.model
        return auc_of(model, fitted.params, self.data.test)

    def by_user(self, fitted: "Fitted") -> "FloatArray":
        """Return the AUC of each user on test."""
        model: Any = fitted.model
        return aucs_of(model, fitted.params, self.data.test)

    def narrow(self, nbytes: int) -> "Fitted":
        """Return a machine on dense tables, as wide as *nbytes* allow."""
        from droidloop.models.fitting.retrain import Fitted

        dim = max(1, self.dim * nbytes // self.dense.nbytes)
        model = self.data.fm(dim)
        params = self.training().train(model, model.init(_draws(self.seed)), self.judge(model))
        return Fitted(model, params)


def _draws(seed: int) -> "Draws":
    from droidloop.platform.draws import Draws

    return Draws(seed, "judged")
