"""PlaceRNN: the cell's formula, histories of any length, and bytes that are counted."""

import numpy as np
import torch

from droidloop.models.packages.exportable import scoring_table
from droidloop.models.recommenders.place_rnn import PlaceRNN
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.draws import Draws

DRAWS = Draws(7, "place rnn")
MODEL = PlaceRNN(DenseTable(20, 6, name="place"), hours=True)
ITEMS = torch.tensor([[-1, -1, 3, 7], [2, 9, 4, 11]])
HOURS = torch.tensor([[0, 0, 12, 23], [1, 5, 6, 7]])


def test_a_state_follows_the_formula_of_the_paper() -> None:
    params = MODEL.init(DRAWS)
    [state] = MODEL.states(params, ITEMS[1:, :1], HOURS[1:, :1])[:, 0]
    both = (params["place"][2] + params["hour"][1]) @ params["input"]
    gate = torch.sigmoid(both + params["gate"])
    zeta, nu = torch.sigmoid(params["mix"])
    expected = (zeta * (1 - gate) + nu) * torch.tanh(both + params["candidate"])
    torch.testing.assert_close(state, expected)


def test_what_is_before_the_first_visit_changes_nothing() -> None:
    params = MODEL.init(DRAWS)
    padded = MODEL.states(params, ITEMS[:1], HOURS[:1])[:, -1]
    torch.testing.assert_close(padded, MODEL.states(params, ITEMS[:1, 2:], HOURS[:1, 2:])[:, -1])
    assert not torch.allclose(padded, MODEL.states(params, ITEMS[:1, 3:], HOURS[:1, 3:])[:, -1])


def test_scores_are_products_with_the_vectors_of_places() -> None:
    params, every = MODEL.init(DRAWS), torch.arange(20)
    states = MODEL.states(params, ITEMS, HOURS)[:, -1]
    asked = MODEL.asked(params, states, torch.tensor([3, 4]))
    torch.testing.assert_close(asked - states, params["now"][[3, 4]])
    found = MODEL.scores(params, asked, every)
    torch.testing.assert_close(found, asked @ params["place"].T)


def test_it_reads_hours_if_it_is_told_to_and_counts_its_bytes() -> None:
    small = PlaceRNN(TensorChainTable(5135, 32, 16, name="place"))
    assert small.nbytes == 4 * (72 * 4 * 16 + 72 * 16 * 8) + 4 * (2 * 32 * 32 + 2 * 32 + 2)
    params = small.init(DRAWS)
    assert "hour" not in params
    other = HOURS.flip(1)
    assert torch.equal(small.states(params, ITEMS, HOURS), small.states(params, ITEMS, other))


def test_the_file_of_its_table_scores_a_state_without_anything_else() -> None:
    """What a phone asks with the network off: its own state, and the places that shipped."""
    small = PlaceRNN(TensorChainTable(20, 8, 4, name="place"), hours=True)
    params = small.init(DRAWS)
    states = small.states(params, ITEMS, HOURS)[:, -1:]
    asked = small.asked(params, states, torch.tensor([[3], [4]]))
    found = scoring_table(small.table, params).run({"user": asked.numpy()})["scores"]
    expected = small.scores(params, asked, torch.arange(20)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
