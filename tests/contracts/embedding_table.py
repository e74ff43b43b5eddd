"""What every embedding table promises. Subclass, name the class Test..., set ``table``."""

import numpy as np
import pytest
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError


class EmbeddingTableContract:
    """A suite for one table; ``packed_bytes`` is what the method's formula says it takes."""

    table: EmbeddingTable
    packed_bytes: int

    @property
    def params(self) -> Params:
        return self.table.init(Draws(3, "table"))

    @property
    def every_id(self) -> torch.Tensor:
        return torch.arange(self.table.n)

    def test_lookup_appends_the_dimension_to_the_shape_of_the_ids(self) -> None:
        ids = torch.zeros((2, 3), dtype=torch.int64)
        assert self.table.lookup(self.params, ids).shape == (2, 3, self.table.dim)

    def test_a_vector_does_not_depend_on_what_else_is_looked_up(self) -> None:
        every = self.table.lookup(self.params, self.every_id)
        last = self.table.lookup(self.params, self.every_id[-1:])
        assert torch.equal(every[-1:], last)

    def test_lookup_is_differentiable_in_the_parameters(self) -> None:
        params = {name: value.requires_grad_() for name, value in self.params.items()}
        self.table.lookup(params, self.every_id).square().sum().backward()  # type: ignore[no-untyped-call]
        assert any(value.grad is not None and value.grad.any() for value in params.values())

    def test_its_parameters_start_with_its_name(self) -> None:
        assert all(name.startswith(self.table.name) for name in self.params)

    def test_the_same_draws_give_the_same_parameters_and_others_do_not(self) -> None:
        again, other = self.table.init(Draws(3, "table")), self.table.init(Draws(4, "table"))
        assert all(torch.equal(value, again[name]) for name, value in self.params.items())
        assert any(not torch.equal(value, other[name]) for name, value in self.params.items())

    def test_a_stack_of_parameters_gives_each_phone_its_own_vectors(self) -> None:
        sets = [self.table.init(Draws(seed, "table")) for seed in (3, 4)]
        stacked = {name: torch.stack([one[name] for one in sets]) for name in sets[0]}
        ids = torch.stack([self.every_id, self.every_id.flip(0)])
        vectors = self.table.lookup(stacked, ids)
        for phone, one in enumerate(sets):
            assert torch.equal(vectors[phone], self.table.lookup(one, ids[phone]))

    def test_unpacking_what_was_packed_gives_equal_vectors(self) -> None:
        unpacked = self.table.unpack(self.table.pack(self.params))
        before = self.table.lookup(self.params, self.every_id)
        assert torch.equal(self.table.lookup(unpacked, self.every_id), before)

    def test_packed_it_takes_what_its_formula_says_within_two_percent(self) -> None:
        assert len(self.table.pack(self.params)) == pytest.approx(self.packed_bytes, rel=0.02)

    @pytest.mark.parametrize("spoil", ["empty", "short", "long", "other"])
    def test_unpack_refuses_what_pack_did_not_write(self, spoil: str) -> None:
        data = self.table.pack(self.params)
        spoilt = {"empty": b"", "short": data[:-1], "long": data + b"\0", "other": b"?" * len(data)}
        with pytest.raises(PackageError, match=self.table.name):
            self.table.unpack(spoilt[spoil])

    def test_packing_a_number_that_is_not_finite_is_refused(self) -> None:
        params = self.params
        name = next(name for name, value in params.items() if value.is_floating_point())
        params[name].view(-1)[0] = float(np.nan)
        with pytest.raises(PackageError, match="NaN"):
            self.table.pack(params)
