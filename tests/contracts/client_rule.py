"""What every client rule promises. Subclass, name the class Test..., set the four attributes."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import ClientRule, Cohort, Cost, Recommender, ServerRule
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .tiny import cohort_of, encoded, received

DRAWS = Draws(11, "client rule")


class ClientRuleContract:
    """A suite for one rule: ``data`` has a row for each phone, at least one of them empty.

    ``random`` is false for a rule that draws nothing.
    """

    random: bool = True
    rule: ClientRule
    recommender: Recommender
    data: UserItems
    server: Callable[[], ServerRule]

    def cohort(self, round_: int = 3) -> Cohort:
        return cohort_of(self.recommender, DRAWS, np.arange(self.data.n_users), round_)

    def step(self, cohort: Cohort) -> Messages:
        inbox = received(type(self).server(), cohort.phones)
        return self.rule.step(cohort, inbox, self.data.take(cohort.phones), DRAWS)

    def test_the_suite_has_a_phone_without_data(self) -> None:
        assert (self.data.counts == 0).any()
        assert (self.data.counts > 1).any()

    def test_a_cohort_equals_its_phones_one_by_one_bit_for_bit(self) -> None:
        cohort = self.cohort()
        together = self.step(cohort)
        for k, phone in enumerate(cohort.phones):
            alone = cohort_of(self.recommender, DRAWS, np.array([phone]), cohort.round)
            message = self.step(alone)
            assert encoded(message, 0) == encoded(together, k)
            for name, column in alone.private.items():
                assert column.tobytes() == cohort.private[name][k : k + 1].tobytes()

    def test_the_same_step_twice_gives_the_same_bytes(self) -> None:
        first, second = self.step(self.cohort()), self.step(self.cohort())
        for k in range(len(first)):
            assert encoded(first, k) == encoded(second, k)

    def test_another_round_draws_anew_if_anything_is_drawn(self) -> None:
        first, second = self.step(self.cohort(3)), self.step(self.cohort(4))
        differs = [encoded(first, k) != encoded(second, k) for k in range(len(first))]
        assert any(differs) == self.random

    def test_nothing_private_is_in_a_message(self) -> None:
        messages = self.step(self.cohort())
        assert not self.recommender.private & messages.arrays.keys()
        assert not self.recommender.private & messages.rows.keys()

    def test_private_columns_keep_their_names_and_shapes(self) -> None:
        cohort, before = self.cohort(), self.cohort()
        self.step(cohort)
        assert cohort.private.keys() == before.private.keys()
        for name, column in cohort.private.items():
            assert column.shape == before.private[name].shape
            assert column.dtype == before.private[name].dtype

    def test_messages_name_their_phone_and_the_version_they_come_from(self) -> None:
        cohort = self.cohort()
        messages = self.step(cohort)
        np.testing.assert_array_equal(messages.sender, cohort.phones)
        np.testing.assert_array_equal(messages.base, type(self).server().version)

    def test_counted_bytes_are_those_of_the_encoding(self) -> None:
        messages = self.step(self.cohort())
        lengths = [len(encoded(messages, k)) for k in range(len(messages))]
        assert messages.nbytes().tolist() == lengths

    def test_what_was_received_is_not_changed(self) -> None:
        cohort = self.cohort()
        inbox = received(type(self).server(), cohort.phones)
        before = {name: array.copy() for name, array in inbox.arrays.items()}
        self.rule.step(cohort, inbox, self.data, DRAWS)
        for name, array in inbox.arrays.items():
            np.testing.assert_array_equal(array, before[name])

    def test_data_of_other_phones_are_refused(self) -> None:
        cohort = self.cohort()
        inbox = received(type(self).server(), cohort.phones)
        with pytest.raises(ValueError, match="data"):
            self.rule.step(cohort, inbox, self.data.take(cohort.phones[1:]), DRAWS)

    def test_costs_of_a_cohort_are_those_of_its_phones(self) -> None:
        cohort = self.cohort()
        every = self.rule.cost(cohort, self.data)
        for k in range(len(cohort)):
            one = np.array([k])
            alone = self.rule.cost(replace(cohort, phones=cohort.phones[one]), self.data.take(one))
            for column in fields(Cost):
                values = np.broadcast_to(getattr(every, column.name), len(cohort))
                assert values[k] == np.ravel(getattr(alone, column.name))[0]

    def test_an_empty_cohort_sends_nothing(self) -> None:
        nobody = cohort_of(self.recommender, DRAWS, np.empty(0, np.int64))
        assert len(self.step(nobody)) == 0
