"""Joint codes: what is trained is what ships, and gradients pass straight through the choice."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.coding import learn_codes
from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.joint_codes import METHOD, JointCodesSection, JointCodesTable
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "joint codes")
TABLE = JointCodesTable(50, 6, 3, 8)


class TestJointCodes(EmbeddingTableContract):
    table = JointCodesTable(40, 6, 3, 5, name="place")
    packed_bytes = 4 * (40 * 6 + 15 * 6)


def test_what_ships_has_the_vectors_that_were_trained() -> None:
    params = TABLE.init(DRAWS)
    shipped, coded = TABLE.coded(params)
    np.testing.assert_array_equal(every_vector(shipped, coded), every_vector(TABLE, params))
    assert shipped.nbytes == 4 * 24 * 6 + -(-50 * 3 * 3 // 8)


def test_it_begins_at_codes_that_were_found_for_vectors() -> None:
    vectors = DRAWS.normal(np.arange(50)[:, None], np.arange(6))
    found = learn_codes(vectors, 3, 8, DRAWS)
    started = TABLE.started(found, vectors)
    shipped, coded = TABLE.coded(started)
    np.testing.assert_array_equal(coded["item"].numpy(), found.words.reshape(24, 6))
    error = np.square(every_vector(shipped, coded) - vectors).sum()
    assert error < 1.5 * np.square(found.vectors - vectors).sum()


def test_a_step_on_rows_and_codewords_lowers_what_is_asked_of_the_vectors() -> None:
    wanted = torch.from_numpy(DRAWS.normal(np.arange(50)[:, None], np.arange(6)).astype("f4"))
    params = {name: value.requires_grad_() for name, value in TABLE.init(DRAWS).items()}
    descent, losses = torch.optim.Adam(params.values(), 0.01), []
    for _ in range(60):
        loss = (TABLE.lookup(params, torch.arange(50)) - wanted).square().sum()
        descent.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        descent.step()
        losses.append(loss.item())
    assert params["item"].grad is not None
    assert params["item"].grad.abs().sum() > 0
    assert losses[-1] < 0.7 * losses[0]


def test_what_cannot_be_is_refused_in_one_line() -> None:
    assert find("table", "joint-codes") is METHOD
    assert METHOD.build(JointCodesSection(), 3706, 64, sd=0.1).words == 32
    with pytest.raises(ScenarioError, match=r"model\.table\.books = 8.*take fewer"):
        METHOD.build(JointCodesSection(), 30, 16, sd=0.1)
    with pytest.raises(ValueError, match="codewords"):
        JointCodesTable(3, 2, 1, 257)
    with pytest.raises(ValueError, match="no 3 vectors"):
        JointCodesTable(3, 2, 0, 4)
