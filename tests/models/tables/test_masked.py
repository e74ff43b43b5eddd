"""The masked table: what the mask leaves out is 0, is not trained, and does not ship."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.masked import MaskedTable, masked_by
from droidloop.models.tables.sparse_rows import sizes
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(8, "masked")
THERE = DRAWS.uniform(np.arange(40)[:, None], np.arange(24)) < 0.25
THERE[5] = False


class TestMasked(EmbeddingTableContract):
    table = MaskedTable.of(THERE)
    packed_bytes = 4 * int(THERE.sum()) + 40 * 3 + 4 * 41


class TestAllThere(EmbeddingTableContract):
    table = MaskedTable.of(np.ones((6, 4), np.bool_))
    packed_bytes = 6 * 4 * 4


@pytest.mark.parametrize(("share", "form"), [(0.001, 1), (0.02, 2), (0.25, 3), (0.99, 0)])
def test_it_ships_in_the_smallest_form_and_says_which(share: float, form: int) -> None:
    there = DRAWS.uniform(np.arange(500)[:, None], np.arange(64)) < share
    table = MaskedTable.of(there)
    data = table.pack(table.init(DRAWS))
    assert data[:4] == f"prn{form}".encode()
    assert len(data) == 12 + min(sizes(500, 64, int(there.sum())).values())


def test_gradients_reach_what_is_there_and_nothing_else() -> None:
    table = MaskedTable.of(THERE)
    for values in (table.init(DRAWS)["item"], torch.ones(40, 24)):
        params = {"item": values.requires_grad_()}
        table.lookup(params, torch.arange(40)).sum().backward()  # type: ignore[no-untyped-call]
        assert params["item"].grad is not None
        np.testing.assert_array_equal(params["item"].grad.numpy() != 0, THERE)


def test_what_noise_has_put_where_nothing_is_stays_unseen() -> None:
    table, noisy = MaskedTable.of(THERE), torch.ones(40, 24)
    vectors = table.lookup({"item": noisy}, torch.arange(40))
    np.testing.assert_array_equal(vectors.numpy(), THERE.astype(np.float32))
    back = table.unpack(table.pack({"item": noisy}))
    np.testing.assert_array_equal(back["item"].numpy(), THERE.astype(np.float32))


def test_another_mask_of_as_many_numbers_is_refused() -> None:
    table, other = MaskedTable.of(THERE), MaskedTable.of(THERE[:, ::-1].copy())
    with pytest.raises(PackageError, match="another"):
        other.unpack(table.pack(table.init(DRAWS)))


def test_it_keeps_what_it_can_of_other_values_and_of_several_fields() -> None:
    tables = masked_by({"item": THERE, "age": THERE[:3]})
    assert {name: (one.name, one.n) for name, one in tables.items()} == {
        "item": ("item", 40),
        "age": ("age", 3),
    }
    kept = tables["age"].of_values(torch.full((3, 24), 2.0))
    np.testing.assert_array_equal(kept["age"].numpy(), 2.0 * THERE[:3])
    with pytest.raises(ValueError, match="a mask of"):
        MaskedTable(3, 4, 0.5, there=THERE)
