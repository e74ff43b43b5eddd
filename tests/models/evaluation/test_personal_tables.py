"""Personal tables: what a phone's own table holds, and that one's own is better than another's."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.evaluation.personal_tables import PersonalScorer, PersonalTables
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.pfedrec import PFedRec
from droidloop.models.local.cohort import train_locally
from droidloop.models.local.sgd import Examples
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.personal_score import PersonalScore
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(19, "personal")
N_ITEMS, N_USERS = 20, 9
MODEL = MF(N_ITEMS, 6)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
TABLE = MODEL.init(DRAWS)["item"].numpy()
EVERY = np.broadcast_to(np.arange(N_ITEMS), (N_USERS, N_ITEMS))


def inbox_of(phones: IntArray, table: Any = TABLE) -> Messages:
    return received(row_average({"item": torch.from_numpy(table)}), phones)


def uploads(rule: FedMF, phones: IntArray = PHONES, round_: int = 0) -> Messages:
    cohort = cohort_of(rule.recommender, DRAWS, phones, round_)
    return rule.step(cohort, inbox_of(phones), DATA.take(phones), DRAWS)


def tables_of(*rounds: Messages, table: Any = TABLE) -> PersonalTables:
    tables = PersonalTables("item", N_USERS)
    for sent in rounds:
        tables.remember(inbox_of(sent.sender, table), sent)
    return tables


def dense(sent: Messages) -> Any:
    """Return all tables, users x items x dim."""
    tables = np.tile(TABLE, (N_USERS, 1, 1))
    for k, phone in enumerate(sent.sender):
        one = sent.take(np.array([k]))
        tables[phone, one.rows["item"]] += one.arrays["item"]
    return tables


def every_row(tables: PersonalTables) -> Any:
    return tables.rows(PHONES, EVERY, np.zeros_like(TABLE))


def test_a_phones_table_is_what_it_received_with_the_rows_that_it_changed() -> None:
    sent = uploads(FedMF(MODEL))
    np.testing.assert_array_equal(every_row(tables_of(sent)), dense(sent))


def test_it_is_what_the_phone_has_trained() -> None:
    """The rows of the torch reference, which keeps each phone's whole table."""
    drawn = draw_negatives(DATA, 4, N_ITEMS, DATA, phones=PHONES, draws=DRAWS, counter=0)
    changes = train_locally(
        MODEL,
        {"item": TABLE},
        {"user": MODEL.init_private(DRAWS, PHONES)["user"].numpy()},
        Examples(PHONES, DATA, drawn, DRAWS, 0),
        FedMF(MODEL).sgd,
        "torch",
    )
    trained, ids = changes.values["item"], changes.touched.rows["item"]
    offsets = changes.touched.offsets["item"]
    user = np.repeat(PHONES, np.diff(offsets))
    own = tables_of(uploads(FedMF(MODEL))).rows(user, ids[:, None].astype(np.int64), TABLE)[:, 0]
    np.testing.assert_allclose(own, TABLE[ids] + trained, atol=2e-6)


def test_the_memory_is_that_of_the_uploads_not_of_users_times_items() -> None:
    sent = uploads(FedMF(MODEL))
    assert tables_of(sent).nbytes == len(sent.rows["item"]) * (6 * 4 + 8) + TABLE.nbytes


def test_what_everybody_has_replaced_is_forgotten() -> None:
    first, second = uploads(FedMF(MODEL)), uploads(FedMF(MODEL), round_=1)
    assert tables_of(first, second).nbytes == tables_of(second).nbytes
    few = uploads(FedMF(MODEL), PHONES[2:], 1)
    held = tables_of(first, few)
    assert held.nbytes == (tables_of(first.take(PHONES[:2])).nbytes + tables_of(few).nbytes)


def test_shards_in_any_order_give_the_same_tables() -> None:
    parts = [uploads(FedMF(MODEL), part) for part in (PHONES[6:], PHONES[:2], PHONES[2:6])]
    one = every_row(tables_of(uploads(FedMF(MODEL))))
    np.testing.assert_array_equal(one, every_row(tables_of(*parts)))


def test_a_phone_holds_what_it_trained_last_from_the_table_of_then() -> None:
    first, second = uploads(FedMF(MODEL)), uploads(FedMF(MODEL), PHONES[::2], 1)
    tables = tables_of(first)
    later = tables.snapshot()
    later.remember(inbox_of(second.sender, TABLE + 1), second)
    np.testing.assert_array_equal(every_row(later)[1::2], dense(first)[1::2])
    np.testing.assert_allclose(every_row(later)[::2], dense(second)[::2] + 1, atol=1e-6)
    np.testing.assert_array_equal(every_row(tables), dense(first))


def test_a_phone_that_trained_nothing_has_the_table_that_stands_in() -> None:
    own = tables_of(uploads(FedMF(MODEL), PHONES[::2])).rows(PHONES, EVERY, TABLE + 1)
    assert (own[1::2] == TABLE + 1).all()
    assert (own[::2] != TABLE + 1).all()
    assert (PersonalTables("item", N_USERS).rows(PHONES, EVERY, TABLE) == TABLE).all()


def test_a_change_that_is_no_number_counts_as_none() -> None:
    sent = uploads(FedMF(MODEL))
    sent.arrays["item"][3, 2] = np.nan
    owner = int(np.searchsorted(sent.offsets["item"], 3, side="right")) - 1
    item = int(sent.rows["item"][3])
    np.testing.assert_array_equal(every_row(tables_of(sent))[owner, item], TABLE[item])


@pytest.mark.parametrize("model", [MODEL, PersonalScore(N_ITEMS, 6)])
def test_scores_are_those_of_the_recommender_on_each_phones_own_table(model: MF) -> None:
    rule = FedMF(model) if model is MODEL else PFedRec(PersonalScore(N_ITEMS, 6))
    table, private = model.init(DRAWS)["item"], model.init_private(DRAWS, PHONES)
    tables = tables_of(uploads(rule), table=table.numpy())
    scorer = PersonalScorer(model, model.init(DRAWS) | private, tables)
    own = every_row(tables)
    for user in PHONES:
        params = private | {"item": torch.from_numpy(own[user])}
        alone = model.score(params, torch.tensor([user]), torch.arange(N_ITEMS))
        np.testing.assert_array_equal(scorer.every(PHONES)[user], alone.numpy())
    few = np.stack([np.roll(np.arange(N_ITEMS), user)[:4] for user in PHONES])
    np.testing.assert_array_equal(
        scorer.some(PHONES, few), np.take_along_axis(scorer.every(PHONES), few, axis=1)
    )


def test_whole_tables_and_two_uploads_of_a_phone_are_refused() -> None:
    for rule in (FedMF(MODEL, upload="full"), FedMF(MODEL, kind="parameters")):
        with pytest.raises(ValueError, match="changes of rows"):
            tables_of(uploads(rule))
    sent = uploads(FedMF(MODEL)).take(np.array([0, 1, 1]))
    with pytest.raises(ValueError, match="two tables"):
        tables_of(sent)


def test_ones_own_table_and_score_function_are_better_than_those_of_another_taste() -> None:
    """Users of even and odd number like the even and the odd items.

    As in the protocol ``pfedrec`` nothing that a user likes is ever a negative of that user, and
    before the score functions alone tell the tastes apart.
    """
    n_users, n_items = 40, 20
    liked = [np.arange(u % 2, n_items, 2) for u in range(n_users)]
    rows = [DRAWS.child(u).choose(items, 6, 0) for u, items in enumerate(liked)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * 6)
    taste = UserItems.bare(np.concatenate(liked), np.arange(n_users + 1) * 10)
    model, phones = PersonalScore(n_items, 8), np.arange(n_users)
    rule, server = PFedRec(model, exclude=taste), row_average(model.init(DRAWS))
    cohort, tables = cohort_of(model, DRAWS, phones), PersonalTables("item", n_users)
    for round_ in range(6):
        cohort, inbox = replace(cohort, round=round_), received(server, phones)
        sent = rule.step(cohort, inbox, data, DRAWS)
        tables.remember(inbox, sent)
        server.absorb(sent)
        server.close()
    private = {"score": torch.from_numpy(cohort.private["score"])}
    scorer = PersonalScorer(model, server.params | private, tables)
    mine = np.zeros((n_users, n_items), bool)
    mine[np.repeat(phones, 10), taste.items] = True
    theirs = ~mine
    mine[np.repeat(phones, 6), data.items] = False

    def wins(score: IntArray, table: IntArray) -> float:
        """Return how often an unseen item of the user's taste is above one of the other."""
        scores = scorer.crossed(score, table, np.tile(np.arange(n_items), (n_users, 1)))
        above = scores[:, :, None] > scores[:, None, :]
        return float(above[mine[:, :, None] & theirs[:, None, :]].mean())

    other = (phones + 1) % n_users
    own = wins(phones, phones)
    assert own > 0.6
    assert wins(phones, other) < own - 0.02
    assert wins(other, phones) < own - 0.2
    assert wins(other, other) < own - 0.25
