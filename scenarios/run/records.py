"""What was measured of models, as rows of the ledger; and what later questions need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.models.data.split import Part, Split
from droidloop.models.evaluation.evaluate import Judged
from droidloop.models.interfaces.metrics import Metric
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.ledger import Words

TOGETHER = -1
"""The phone of a value of many users."""
ALL = ""


@dataclass(frozen=True)
class Records:
    """Notes what models did; a user's row number is that of the phone.

    Attributes:
        note: takes a table and its columns.
        metrics: what is measured.
        classes: of the phones.
        t_us: when.
        round_: of the model that was trained.
    """

    note: Callable[..., None]
    metrics: Sequence[Metric]
    classes: Words
    t_us: int
    round_: int

    def judged(self, judged: Judged, model: str, ranking: str, part: Part = "test") -> None:
        """Note every metric of *judged*, its ranks and its lists."""
        where = {"model": model, "ranking": ranking, "part": part}
        for metric in self.metrics:
            shown = judged.of(metric)
            if shown is None:
                continue
            if not metric.whole:
                self.by_user(judged.users, metric.name, metric.value(shown), **where)
                continue
            self._together(metric.name, metric.mean(shown), ALL, **where)
            for number, name in enumerate(self.classes.names):
                mine = self.classes.of[judged.users] == number
                if judged.listed is not None and mine.any():
                    value = metric.mean(judged.listed.take(mine))
                    self._together(metric.name, value, name, **where)
        if judged.ranked is not None:
            self._ranks(judged, where)
        if judged.listed is not None:
            self._lists(judged.users, judged.listed.items, model)

    def by_user(self, users: IntArray, name: str, values: FloatArray, **where: str) -> None:
        """Note the *values* of a metric, one a user; NaN: the user does not count."""
        counts = ~np.isnan(values)
        value = values[counts]
        self._metric(phone=users[counts], name=name, value=value, users="", **where)

    def _together(self, name: str, value: float, users: str, **where: str) -> None:
        if not np.isnan(value):
            self._metric(phone=TOGETHER, name=name, value=value, users=users, **where)

    def _metric(self, **columns: object) -> None:
        self.note("metrics", t_us=self.t_us, round=self.round_, **columns)

    def _ranks(self, judged: Judged, where: dict[str, str]) -> None:
        assert judged.ranked is not None
        self.note(
            "ranks",
            t_us=self.t_us,
            round=self.round_,
            phone=judged.users[judged.ranked.users],
            rank=judged.ranked.ranks,
            **where,
        )

    def _lists(self, users: IntArray, items: IntArray, model: str) -> None:
        row, place = np.nonzero(items >= 0)
        self.note(
            "lists",
            t_us=self.t_us,
            round=self.round_,
            phone=users[row],
            model=model,
            place=place + 1,
            item=items[row, place],
        )


def note_split(note: Callable[..., None], split: Split) -> None:
    """Note what every user had, and what it was used for."""
    for number, part in enumerate((split.train, split.valid, split.test)):
        phone = np.repeat(np.arange(split.n_users), part.counts)
        note("split", t_us=0, phone=phone, item=part.items, part=number, time_s=part.times_s)
