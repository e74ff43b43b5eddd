"""Masks that cancel in the sum: the server learns what a group of phones sends, and no message.

Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning (CCS 2017),
its pairwise masks over two phases. Uploads become whole tables of integers, as a fold adds them up
(``Fold.encode``). Each two phones of a group share a seed: one adds its stream of bits, the other
takes it off, modulo 2^64, so each upload alone is uniform. If some of a group do not come, the
others send their seeds with these in a second phase. A group of which one does not answer, or of
which fewer than ``least`` came, fails: it is left out, and the ledger says so.

Not here: the agreement on seeds (phones have them since they joined) and the paper's second,
secret-shared mask, which protects from a server that lies about who came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from droidloop.models.federated.folds import UNITS, Fold
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.transforms import Setting, State, no_cost
from droidloop.models.numerics.bounds import LARGEST
from droidloop.platform.arrays import Array, BoolArray, IntArray, UInt64Array
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import MOST, Section

from .mask_kernels import add_stream, mask_all

FLOPS_PER_NUMBER = 25
"""The generator's 24 operations for each number of a stream, and the sum."""

_NUMBER_BYTES = 8
_ONE = 2.0**30
"""A change of one, as ``Fold.encode`` writes it; a weight of one is 2^16."""
_WEIGHT = 2.0**16
_ROOM = 2.0**62
"""What the magnitudes in a sum of groups may come to: half of what int64 holds."""


class MasksSection(Section):
    """Uploads are masked: the server learns the sum of a group of phones, and no upload."""

    group: Annotated[int, Field(ge=2, le=MOST)] = 8
    """How many phones mask one another."""
    least: Annotated[int, Field(ge=2, le=MOST)] = 2
    """The fewest uploads of a group of which the server may learn the sum."""


@dataclass
class Masks:
    """The transform; ``counts`` are groups, repaired and failed ones since the last note."""

    section: MasksSection
    draws: Draws
    server: Fold
    limits: IntArray
    counts: IntArray = field(default_factory=lambda: np.zeros(3, np.int64))

    def form(self, plain: Form) -> Form:
        """Return the form of whole tables of integers, with a row and a column of weights."""
        arrays = {
            name: ArrayForm(
                (one.shape[0] + 1, int(np.prod(one.shape[1:], dtype=np.int64)) + 1),
                "uint64",
                numbered=False,
                needed=True,
            )
            for name, one in plain.arrays.items()
        }
        return Form(frozenset({"masked"}), arrays)

    def seal(self, messages: Messages, together: IntArray, number: int) -> Messages:
        """Return each upload as integers under the masks of its group."""
        m, tables = len(messages), self.server.encode(messages)
        partners = self._partners(together, messages.sender, number)
        seeds = self._seeds(messages.sender, partners, number)
        arrays: dict[str, Array] = {}
        first = 0
        for name, units in tables.items():
            flat = units.view(np.uint64).reshape(m, units.shape[1] * units.shape[2])
            mask_all(0, m, messages.sender, partners, seeds, first, flat)
            first += flat.shape[1]
            arrays[name] = flat.reshape(m * units.shape[1], units.shape[2])
        offsets = {name: np.arange(m + 1) * tables[name].shape[1] for name in tables}
        one = np.ones(m)
        return Messages(
            *("masked", messages.sender, messages.receiver, arrays, one, messages.base),
            offsets=offsets,
        )

    def cost(self, messages: Messages) -> Cost:
        """Return the cost of writing a whole table and of a stream for each partner."""
        every = np.ones(len(messages), np.int64)
        numbers = self._numbers()
        streams = self.section.group - 1
        return Cost(
            (FLOPS_PER_NUMBER * streams + 3) * numbers * every,
            2 * _NUMBER_BYTES * (streams + 1) * numbers * every,
            _NUMBER_BYTES * numbers * every,
        )

    def open(self, sealed: Messages, number: int) -> Messages:
        """Return *sealed*: alone, no message can be opened."""
        return sealed

    def ask(self, together: IntArray, came: IntArray, number: int) -> Messages | None:
        """Return what is asked of those who came and mask somebody who did not: who that is."""
        receivers, lists = [], []
        for group in self._groups(together, number):
            here = np.isin(group, came)
            if self.section.least <= here.sum() < len(group):
                receivers += group[here].tolist()
                lists += [group[~here]] * int(here.sum())
        if not receivers:
            return None
        order = np.argsort(receivers, kind="stable")
        missing = [lists[k] for k in order.tolist()]
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in missing])]).astype(np.int64)
        m = len(missing)
        return Messages(
            "missing",
            np.full(m, SERVER, np.int64),
            np.array(receivers, np.int64)[order],
            {"phones": np.concatenate(missing).astype(np.int32)},
            np.ones(m),
            np.full(m, number, np.int64),
            offsets={"phones": offsets},
            phase=1,
        )

    def answer(self, asked: Messages, number: int) -> Messages:
        """Return the seeds that each receiver of *asked* shares with those who are missing."""
        offsets = asked.offsets["phones"]
        owner = np.repeat(asked.receiver, np.diff(offsets))
        missing = asked.arrays["phones"].astype(np.int64)
        seeds = self._seeds(owner, missing[:, None], number)[:, 0]
        m = len(asked)
        return Messages(
            *("seeds", asked.receiver, np.full(m, SERVER, np.int64), {"seeds": seeds}),
            *(np.ones(m), asked.base),
            offsets={"seeds": offsets},
            phase=1,
        )

    def open_together(
        self, sealed: Messages, together: IntArray, answers: Messages | None, number: int
    ) -> tuple[Messages, BoolArray]:
        """Return the sum of the groups that can be opened, and which messages are in it."""
        flat = {
            name: values.reshape(len(sealed), len(values) // len(sealed) * values.shape[1])
            for name, values in sealed.arrays.items()
        }
        total = {name: np.zeros(rows.shape[1], np.uint64) for name, rows in flat.items()}
        used, place = np.zeros(len(sealed), np.bool_), {}
        filled = dict.fromkeys(total, 0.0)
        for k, sender in enumerate(sealed.sender.tolist()):
            place[sender] = k
        for group in self._groups(together, number):
            here = np.array([place[p] for p in group.tolist() if p in place], np.int64)
            missing = group[~np.isin(group, sealed.sender[here])]
            mine = self._opened(flat, sealed.sender[here], here, missing, answers)
            mine = None if mine is None else self._with_room(mine, filled)
            self.counts += 1, int(len(missing) > 0 and mine is not None), int(mine is None)
            if mine is not None:
                used[here] = True
                total = {name: total[name] + mine[name] for name in total}
        return self._message(total, bool(used.any()), number), used

    def opening(self, sealed: Messages) -> Cost:
        """Return no cost: nothing is done."""
        return no_cost(sealed)

    def may_send(self, phones: IntArray) -> BoolArray:
        """Return that all may."""
        return np.ones(len(phones), np.bool_)

    def left(self, phones: IntArray, number: int) -> None:
        """Note nothing."""

    def notes(self) -> Mapping[str, int]:
        """Return how many groups there were, and how many were repaired and failed."""
        groups, repaired, failed = self.counts.tolist()
        self.counts[:] = 0
        return {"mask_groups": groups, "mask_repaired": repaired, "mask_failed": failed}

    def state(self) -> State:
        """Return the counters; masks themselves are draws, and nothing has to be kept of them."""
        return {"counts": self.counts}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on with the counters in *state*."""
        self.counts[:] = state["counts"]

    def _numbers(self) -> int:
        """Return the numbers of a masked upload."""
        shapes = [(value.shape[0], value[:1].numel()) for value in self.server.params.values()]
        return sum((rows + 1) * (width + 1) for rows, width in shapes)

    def _groups(self, together: IntArray, number: int) -> list[IntArray]:
        """Return the groups of *together*, as even as can be, in an order drawn for the turn."""
        order = self.draws.child("groups").order(together, number)
        return np.array_split(order, max(1, len(order) // self.section.group))

    def _partners(self, together: IntArray, senders: IntArray, number: int) -> IntArray:
        """Return the others of each sender's group, (senders, most), -1 where there is none."""
        groups = self._groups(together, number)
        most = max(len(group) for group in groups)
        out = np.full((len(senders), most), -1, np.int64)
        for group in groups:
            for k in np.flatnonzero(np.isin(senders, group)).tolist():
                others = group[group != senders[k]]
                out[k, : len(others)] = others
        return out

    def _seeds(self, phones: IntArray, others: IntArray, number: int) -> UInt64Array:
        """Return the seeds that *phones* share with *others*, (phones, others), for this turn."""
        one = np.minimum(phones[:, None], others)
        two = np.maximum(phones[:, None], others)
        return self.draws.child(f"pairs/{number}").bits(one, two)

    def _opened(
        self,
        flat: dict[str, UInt64Array],
        senders: IntArray,
        here: IntArray,
        missing: IntArray,
        answers: Messages | None,
    ) -> dict[str, UInt64Array] | None:
        """Return the sum of the messages *here* of a group without *missing*; None: it fails."""
        if len(here) < self.section.least:
            return None
        total = {name: rows[here].sum(axis=0, dtype=np.uint64) for name, rows in flat.items()}
        for sender in senders.tolist() if len(missing) else []:
            seeds = _seeds_from(answers, sender, len(missing))
            if seeds is None:
                return None
            first = 0
            for sums in total.values():
                for other, seed in zip(missing.tolist(), seeds, strict=True):
                    add_stream(seed, first, -1 if sender < other else 1, sums)
                first += len(sums)
        return total if self._plausible(total, senders) else None

    def _plausible(self, total: dict[str, UInt64Array], senders: IntArray) -> bool:
        """Return whether a sum can be one of sane numbers at the weights that its senders have."""
        most = float(np.maximum(self.limits[senders], 1).sum())
        for name, sums in total.items():
            values = sums.view(np.int64).reshape(len(self.server.params[name]) + 1, -1)
            weights, changes = values[:, -1] / _WEIGHT, np.abs(values[:-1, :-1].astype(np.float64))
            if not (weights.min() >= 0 and weights.max() <= most):
                return False
            if not (changes <= 2 * float(LARGEST) * _ONE * weights[:-1, None]).all():
                return False
        return True

    @staticmethod
    def _with_room(
        mine: dict[str, UInt64Array], filled: dict[str, float]
    ) -> dict[str, UInt64Array] | None:
        """Return the sum of a group if the sum of all has room for it, and count it as filled.

        Sums are modulo 2^64: without that, large ones would come out small.
        """
        more = {name: np.abs(one.view(np.int64).astype(np.float64)) for name, one in mine.items()}
        loads = {name: float(one.max(initial=0.0)) for name, one in more.items()}
        if any(filled[name] + load > _ROOM for name, load in loads.items()):
            return None
        for name, load in loads.items():
            filled[name] += load
        return mine

    def _message(self, total: dict[str, UInt64Array], some: bool, number: int) -> Messages:
        m = int(some)
        arrays: dict[str, Array] = {}
        for name, sums in total.items():
            rows = len(self.server.params[name]) + 1
            arrays[name] = sums.view(np.int64).reshape(rows, -1)[: rows * m]
        server, one = np.full(m, SERVER, np.int64), np.ones(m)
        offsets = {name: np.arange(m + 1) * len(values) for name, values in arrays.items()}
        base = np.full(m, self.server.version, np.int64)
        return Messages(UNITS, server, server, arrays, one, base, offsets=offsets, phase=1)


def _seeds_from(answers: Messages | None, sender: int, count: int) -> UInt64Array | None:
    """Return the *count* seeds that *sender* answered; None: it did not."""
    if answers is None or sender not in answers.sender:
        return None
    k, offsets = int(np.argmax(answers.sender == sender)), answers.offsets["seeds"]
    seeds = answers.arrays["seeds"][offsets[k] : offsets[k + 1]]
    return seeds if len(seeds) == count else None


def build(section: MasksSection, setting: Setting) -> Masks:
    """Return the transform as *section* wants it."""
    server = setting.server
    assert isinstance(server, Fold)  # what rules that give "sums" have
    return Masks(section, setting.draws.child("masks"), server, setting.data.counts)


METHOD = Method(
    kind="transform",
    name="masks",
    section=MasksSection,
    build=build,
    source="Bonawitz et al.: Practical Secure Aggregation (CCS 2017)",
    gives=frozenset({"sender-side", "phases"}),
    needs={
        "protocol": frozenset({"phases"}),
        "rule": frozenset({"sums"}),
        "transform": frozenset({"sender-side"}),
    },
)
