"""What every peer rule promises. Subclass, name the class Test..., set the attributes."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cost, Recommender
from droidloop.models.interfaces.peers import PeerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .tiny import encoded

DRAWS = Draws(17, "peer rule")


class PeerRuleContract:
    """A suite for one rule: ``data`` has a row for each phone, at least one of them empty.

    ``store`` makes the private store of as many phones as ``data`` has. ``other_threads`` is the
    same rule with another number of threads, where it has any. In every tick of the suite each
    phone sends to the next but one and some to the next as well; one in five receives nothing.
    """

    rule: PeerRule
    other_threads: PeerRule | None = None
    recommender: Recommender
    data: UserItems
    store: Callable[[], PrivateStore]

    @property
    def phones(self) -> IntArray:
        return np.arange(self.data.n_users)

    def made(self) -> PrivateStore:
        store = type(self).store()
        store.ensure(self.phones)
        return store

    def addressed(self, store: PrivateStore, round_: int = 0) -> Messages:
        """Return the inbox of a tick, sorted by receiver."""
        n = len(self.phones)
        senders = np.concatenate([self.phones, self.phones[::3]])
        to = np.concatenate([(self.phones + 2) % n, (self.phones[::3] + 1) % n])
        keep = to % 5 != 4
        order = np.lexsort((senders[keep], to[keep]))
        sent = self.rule.share(senders[keep][order], store, round_, DRAWS)
        return replace(sent, receiver=to[keep][order])

    def learn(
        self,
        store: PrivateStore,
        inbox: Messages | None,
        phones: IntArray | None = None,
        round_: int = 0,
        rule: PeerRule | None = None,
    ) -> None:
        phones = self.phones if phones is None else phones
        data = self.data.take(phones)
        (rule or self.rule).learn(phones, inbox, store, data, round_, DRAWS)

    def played(self, ticks: int = 2, rule: PeerRule | None = None) -> PrivateStore:
        store = self.made()
        for tick in range(ticks):
            self.learn(store, self.addressed(store, tick), round_=tick, rule=rule)
        return store

    def to(self, inbox: Messages, phones: IntArray) -> Messages:
        return inbox.take(np.flatnonzero(np.isin(inbox.receiver, phones)))

    def test_the_suite_has_a_phone_without_data_and_receivers_of_none_and_of_two(self) -> None:
        assert (self.data.counts == 0).any()
        counts = np.bincount(self.addressed(self.made()).receiver, minlength=len(self.phones))
        assert {0, 1, 2} <= set(counts.tolist())

    def test_learning_together_equals_learning_one_by_one_in_any_order_bit_for_bit(self) -> None:
        together, alone = self.played(1), self.made()
        inbox, before = self.addressed(alone), self.addressed(alone)
        for phone in DRAWS.order(self.phones, 0):
            one = np.array([phone])
            self.learn(alone, self.to(inbox, one), one)
        assert_same(together, alone)
        for k in range(len(inbox)):
            assert encoded(inbox, k) == encoded(before, k)

    def test_sharing_together_equals_sharing_one_by_one_in_any_order(self) -> None:
        store = self.played(1)
        order = DRAWS.order(self.phones, 1)
        together = self.rule.share(order, store, 1, DRAWS)
        np.testing.assert_array_equal(together.sender, order)
        for k, phone in enumerate(order):
            alone = self.rule.share(np.array([phone]), store, 1, DRAWS)
            assert encoded(alone, 0) == encoded(together, k)

    def test_the_same_ticks_give_the_same_bytes(self) -> None:
        assert_same(self.played(), self.played())

    def test_the_number_of_threads_changes_nothing(self) -> None:
        if self.other_threads is None:
            pytest.skip("this rule has no threads of its own")
        assert_same(self.played(), self.played(rule=self.other_threads))

    def test_a_tick_changes_what_phones_with_data_know_and_another_tick_changes_it_anew(
        self,
    ) -> None:
        first, second = self.played(1), self.made()
        self.learn(second, self.addressed(second), round_=1)
        assert changed(first, self.made())[self.data.counts > 1].all()
        assert changed(first, second).any()

    def test_what_a_neighbour_knows_makes_a_difference(self) -> None:
        alone, store = self.played(1), self.played(1)  # they differ only after a tick
        self.learn(alone, None, round_=1)
        inbox = self.addressed(store)
        self.learn(store, inbox, round_=1)
        received = np.bincount(inbox.receiver, minlength=len(self.phones)) > 0
        assert changed(store, alone)[received].any()
        assert not changed(store, alone)[~received].any()

    def test_without_messages_only_local_training_happens(self) -> None:
        none, empty = self.made(), self.made()
        self.learn(none, None)
        inbox = self.addressed(empty)
        self.learn(empty, inbox.take(np.zeros(len(inbox), np.bool_)))
        assert_same(none, empty)
        assert changed(none, self.made())[self.data.counts > 1].all()

    def test_only_the_phones_that_learn_change(self) -> None:
        store, some = self.made(), self.phones[::2]
        self.learn(store, self.to(self.addressed(store), some), some)
        assert not changed(store, self.made())[1::2].any()

    def test_a_snapshot_is_a_copy(self) -> None:
        store = self.made()
        inbox = self.addressed(store)
        before = {name: array.copy() for name, array in inbox.arrays.items()}
        self.learn(store, inbox)
        for name, array in inbox.arrays.items():
            assert not np.shares_memory(array, store.columns.get(name, np.empty(0)))
            np.testing.assert_array_equal(array, before[name])

    def test_sharing_changes_nothing(self) -> None:
        store, before = self.played(1), self.played(1)
        self.rule.share(self.phones, store, 1, DRAWS)
        assert_same(store, before)

    def test_nothing_private_is_in_a_message(self) -> None:
        messages = self.rule.share(self.phones, self.played(1), 1, DRAWS)
        assert not self.recommender.private & messages.arrays.keys()
        assert not self.recommender.private & messages.rows.keys()

    def test_counted_bytes_are_those_of_the_encoding(self) -> None:
        messages = self.rule.share(self.phones, self.made(), 0, DRAWS)
        lengths = [len(encoded(messages, k)) for k in range(len(messages))]
        assert messages.nbytes().tolist() == lengths

    @pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
    def test_broken_neighbours_are_refused_by_the_form(self, number: float) -> None:
        store = self.made()
        inbox = self.addressed(store)
        broken = replace(inbox, arrays={n: spoiled(a, number) for n, a in inbox.arrays.items()})
        form, known = self.rule.form(store), np.unique(inbox.sender)
        assert not inspect(inbox, form, known=known).any()
        assert set(inspect(broken, form, known=known)) == {Cause.NUMBER}

    def test_ten_ticks_stay_finite(self) -> None:
        for column in self.played(10).columns.values():
            assert np.isfinite(column).all()

    def test_messages_to_others_are_refused(self) -> None:
        store = self.made()
        inbox = self.addressed(store)
        with pytest.raises(ValueError, match="addressed"):
            self.learn(store, inbox, self.phones[:1])
        with pytest.raises(ValueError, match="addressed"):
            self.learn(store, inbox.take(np.arange(len(inbox))[::-1]))

    def test_data_of_other_phones_are_refused(self) -> None:
        store, data = self.made(), self.data.take(self.phones[1:])
        with pytest.raises(ValueError, match="data"):
            self.rule.learn(self.phones, None, store, data, 0, DRAWS)

    def test_nobody_may_share_and_learn(self) -> None:
        nobody, store = np.empty(0, np.int64), self.made()
        assert len(self.rule.share(nobody, store, 0, DRAWS)) == 0
        self.learn(store, None, nobody)
        assert_same(store, self.made())

    def test_costs_of_a_cohort_are_those_of_its_phones_and_grow_with_the_messages(self) -> None:
        merged = np.arange(len(self.phones)) % 3
        every = self.rule.cost(self.phones, merged, self.data)
        more = self.rule.cost(self.phones, merged + 1, self.data)
        for k in range(len(self.phones)):
            one = np.array([k])
            alone = self.rule.cost(self.phones[one], merged[one], self.data.take(one))
            for column in fields(Cost):
                values = np.broadcast_to(getattr(every, column.name), len(self.phones))
                assert values[k] == np.ravel(getattr(alone, column.name))[0]
        assert (np.asarray(more.flops) >= np.asarray(every.flops)).all()
        assert (np.asarray(more.flops) > np.asarray(every.flops)).any()


def spoiled(array: Array, number: float) -> Array:
    """Return a copy of *array* with *number* in it everywhere, if it holds floats."""
    return np.full_like(array, number) if array.dtype.kind == "f" else array


def changed(store: PrivateStore, before: PrivateStore) -> Array:
    """Return for each phone whether any column differs."""
    differs = np.zeros(len(store), np.bool_)
    for name, column in store.columns.items():
        other = before.columns[name]
        bits = [c.reshape(len(store), -1).view(np.uint8) for c in (column, other)]
        differs |= (bits[0] != bits[1]).any(axis=1)
    return differs


def assert_same(store: PrivateStore, other: PrivateStore) -> None:
    """Assert that both stores hold the same bytes."""
    assert store.columns.keys() == other.columns.keys()
    for name, column in store.columns.items():
        assert column.tobytes() == other.columns[name].tobytes(), name
