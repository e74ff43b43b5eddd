"""Personal tables: what a phone's own table holds, and that one's own is better than another's."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.aggregation import row_average
from droidloop.models.fedmf import FedMF
from droidloop.models.interactions import UserItems
from droidloop.models.local import train_cohort_in_torch
from droidloop.models.mf import MF
from droidloop.models.personal import PersonalScorer, PersonalTables
from droidloop.models.pfedrec import PersonalScore, PFedRec
from droidloop.models.sampling import draw_negatives, touched_rows
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


def uploads(rule: FedMF, phones: Any = PHONES) -> Messages:
    cohort = cohort_of(rule.recommender, DRAWS, phones)
    inbox = received(row_average(rule.recommender.init(DRAWS)), phones)
    return rule.step(cohort, inbox, DATA.take(phones), DRAWS)


def dense(sent: Messages) -> Any:
    """Return all tables, users x items x dim."""
    tables = np.tile(TABLE, (N_USERS, 1, 1))
    for k, phone in enumerate(sent.sender):
        one = sent.take(np.array([k]))
        tables[phone, one.rows["item"]] += one.arrays["item"]
    return tables


def test_a_phones_table_is_what_it_received_with_the_rows_that_it_changed() -> None:
    sent = uploads(FedMF(MODEL))
    tables = PersonalTables.of("item", TABLE, [sent], N_USERS)
    np.testing.assert_array_equal(tables.rows(PHONES, EVERY), dense(sent))


def test_it_is_what_the_phone_has_trained() -> None:
    """The rows of the torch reference, which keeps each phone's whole table."""
    drawn = draw_negatives(DATA, 4, N_ITEMS, DATA, phones=PHONES, draws=DRAWS, counter=0)
    ids, offsets = touched_rows(DATA, drawn, N_ITEMS)
    trained = train_cohort_in_torch(
        *(MODEL, MODEL.init(DRAWS)),
        {"user": MODEL.init_private(DRAWS, PHONES)["user"].numpy()},
        *(DATA, drawn, ids, offsets),
        phones=PHONES,
        sgd=FedMF(MODEL).sgd,
        draws=DRAWS,
        counter=0,
    )["item"]
    tables = PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL))], N_USERS)
    user = np.repeat(PHONES, np.diff(offsets))
    own = tables.rows(user, ids[:, None].astype(np.int64))[:, 0]
    np.testing.assert_allclose(own, TABLE[ids] + trained, atol=2e-6)


def test_the_memory_is_that_of_the_uploads_not_of_users_times_items() -> None:
    sent = uploads(FedMF(MODEL))
    tables = PersonalTables.of("item", TABLE, [sent], N_USERS)
    held = len(sent.rows["item"]) * (6 * 4 + 8) + (N_USERS + 1) * 8 + TABLE.nbytes
    assert tables.nbytes == held


def test_shards_in_any_order_give_the_same_tables() -> None:
    parts = [uploads(FedMF(MODEL), part) for part in (PHONES[6:], PHONES[:2], PHONES[2:6])]
    one = PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL))], N_USERS)
    many = PersonalTables.of("item", TABLE, parts, N_USERS)
    np.testing.assert_array_equal(one.rows(PHONES, EVERY), many.rows(PHONES, EVERY))


def test_a_phone_that_was_not_in_the_round_has_the_table_that_was_sent() -> None:
    tables = PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL), PHONES[::2])], N_USERS)
    own = tables.rows(PHONES, EVERY)
    assert (own[1::2] == TABLE).all()
    assert (own[::2] != TABLE).any()
    nobody = PersonalTables.of("item", TABLE, [], N_USERS)
    assert (nobody.rows(PHONES, EVERY) == TABLE).all()


def test_a_change_that_is_no_number_counts_as_none() -> None:
    sent = uploads(FedMF(MODEL))
    sent.arrays["item"][3, 2] = np.nan
    tables = PersonalTables.of("item", TABLE, [sent], N_USERS)
    owner = int(np.searchsorted(sent.offsets["item"], 3, side="right")) - 1
    item = int(sent.rows["item"][3])
    rows = tables.rows(np.array([owner]), np.array([[item]]))
    np.testing.assert_array_equal(rows[0, 0], TABLE[item])


@pytest.mark.parametrize("model", [MODEL, PersonalScore(N_ITEMS, 6)])
def test_scores_are_those_of_the_recommender_on_each_phones_own_table(model: MF) -> None:
    rule = FedMF(model) if model is MODEL else PFedRec(PersonalScore(N_ITEMS, 6))
    table = model.init(DRAWS)["item"]
    sent = uploads(rule)
    tables = PersonalTables.of("item", table.numpy(), [sent], N_USERS)
    private = model.init_private(DRAWS, PHONES)
    scorer = PersonalScorer(model, model.init(DRAWS) | private, tables)
    own = tables.rows(PHONES, EVERY)
    for user in PHONES:
        params = private | {"item": torch.from_numpy(own[user])}
        alone = model.score(params, torch.tensor([user]), torch.arange(N_ITEMS))
        np.testing.assert_array_equal(scorer.every(PHONES)[user], alone.numpy())
    few = np.stack([np.roll(np.arange(N_ITEMS), user)[:4] for user in PHONES])
    np.testing.assert_array_equal(
        scorer.some(PHONES, few), np.take_along_axis(scorer.every(PHONES), few, axis=1)
    )


def test_whole_tables_and_two_uploads_of_a_phone_are_refused() -> None:
    with pytest.raises(ValueError, match="changes of rows"):
        PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL, upload="full"))], N_USERS)
    with pytest.raises(ValueError, match="changes of rows"):
        PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL, kind="parameters"))], N_USERS)
    with pytest.raises(ValueError, match="two tables"):
        PersonalTables.of("item", TABLE, [uploads(FedMF(MODEL)) for _ in range(2)], N_USERS)


def test_ones_own_table_and_score_function_are_better_than_those_of_another_taste() -> None:
    """Users of even and odd number like the even and the odd items."""
    n_users, n_items = 40, 20
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), 6, 0) for u in range(n_users)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * 6)
    model, phones = PersonalScore(n_items, 8), np.arange(n_users)
    rule, server = PFedRec(model), row_average(model.init(DRAWS))
    cohort = cohort_of(model, DRAWS, phones)
    for round_ in range(60):
        table = server.params["item"].numpy()
        cohort = replace(cohort, round=round_)
        sent = rule.step(cohort, received(server, phones), data, DRAWS)
        server.absorb(sent)
        server.close()
    private = {"score": torch.from_numpy(cohort.private["score"])}
    tables = PersonalTables.of("item", table, [sent], n_users)
    scorer = PersonalScorer(model, server.params | private, tables)
    every = np.broadcast_to(np.arange(n_items), (n_users, n_items))
    other = (phones + 1) % n_users
    known = np.zeros((n_users, n_items), bool)
    known[np.repeat(phones, 6), data.items] = True

    def wins(scores: Any) -> float:
        """Return how often an unseen item of the user's taste is above one of the other."""
        mine = (phones[:, None] % 2 == np.arange(n_items) % 2) & ~known
        theirs = phones[:, None] % 2 != np.arange(n_items) % 2
        above = scores[:, :, None] > scores[:, None, :]
        return float(above[mine[:, :, None] & theirs[:, None, :]].mean())

    own = wins(scorer.every(phones))
    assert own > 0.9
    assert wins(scorer.crossed(phones, other, every)) < own - 0.05
    assert wins(scorer.crossed(other, phones, every)) < own - 0.3
    assert wins(scorer.crossed(other, other, every)) < 0.1
