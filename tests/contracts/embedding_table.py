"""What every embedding table promises. Subclass, name the class Test..., set ``table``."""

import numpy as np
import pytest
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.models.packages.exportable import builder_of
from droidloop.models.tables.float_rows import float_bytes
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError


class EmbeddingTableContract:
    """A suite for one table; ``packed_bytes`` is what the method's formula says it takes."""

    table: EmbeddingTable
    packed_bytes: int
    header_bytes: int = 12

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

    def test_it_names_its_parameters_and_their_shapes(self) -> None:
        shapes = {name: tuple(value.shape) for name, value in self.params.items()}
        assert {name: one.shape for name, one in self.table.parameters.items()} == shapes

    def test_ids_read_rows_that_are_there_and_no_id_reads_none(self) -> None:
        rows = self.table.rows_of(np.arange(self.table.n))
        by_row = {name for name, one in self.table.parameters.items() if one.by_row}
        assert rows.keys() == by_row
        for name, numbers in rows.items():
            assert len(numbers) == self.table.n
            assert numbers.min() >= 0
            assert numbers.max() < self.table.parameters[name].shape[0]
            assert (self.table.rows_of(np.array([[-1, 0]]))[name][0, 0] == -1).all()

    def test_a_vector_is_composed_of_its_rows_and_of_nothing_else(self) -> None:
        rows, params, ids = self.table.rows_of(np.arange(self.table.n)), self.params, self.every_id
        parts = {
            name: value[torch.from_numpy(rows[name])] if name in rows else value
            for name, value in params.items()
        }
        parts |= self.table.computed(np.arange(self.table.n))
        vectors = self.table.lookup(params, ids)
        assert torch.equal(self.table.compose(parts), vectors)
        last = {name: numbers[-1] for name, numbers in rows.items()}
        for name in rows:
            others = np.setdiff1d(np.arange(len(params[name])), last[name])
            params[name][others] = float("nan")
        assert torch.equal(self.table.lookup(params, ids[-1:]), vectors[-1:])

    def test_a_plain_table_has_vectors_that_are_rows(self) -> None:
        if self.table.plain:
            [(name, rows)] = self.table.rows_of(np.arange(self.table.n)).items()
            vectors = self.table.lookup(self.params, self.every_id)
            assert torch.equal(vectors, self.params[name][torch.from_numpy(rows)])

    def test_its_scorer_scores_every_id(self) -> None:
        rows = Draws(3, "user").normal(np.zeros(1, np.int64)[:, None], np.arange(self.table.dim))
        user = torch.from_numpy(rows.astype(np.float32))
        kind, constants = self.table.scorer(self.params)
        scorer = builder_of(kind)(
            **{name: torch.from_numpy(array) for name, array in constants.items()}
        )
        expected = user @ self.table.lookup(self.params, self.every_id).T
        torch.testing.assert_close(scorer(user)["scores"], expected, atol=1e-4, rtol=1e-4)

    def test_training_more_costs_more_and_memory_is_at_least_the_table(self) -> None:
        costs = self.table.cost(np.array([0, 1, 50]))
        assert np.all(np.diff(np.asarray(costs.moved_bytes)) > 0)
        assert np.asarray(costs.ram_bytes)[0] == max(self.table.nbytes, float_bytes(self.table))
        assert self.table.cost(50).moved_bytes == np.asarray(costs.moved_bytes)[2]

    def test_a_step_of_training_sees_a_table_of_the_same_parameters_and_the_same_vectors_twice(
        self,
    ) -> None:
        now, again = (self.table.in_step(Draws(3, "step"), 1, 2) for _ in range(2))
        assert now.parameters == self.table.parameters
        vectors = now.lookup(self.params, self.every_id)
        assert vectors.shape == (self.table.n, self.table.dim)
        assert torch.equal(again.lookup(self.params, self.every_id), vectors)

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

    def test_packed_it_takes_what_its_formula_says_and_a_header(self) -> None:
        assert self.table.nbytes == self.packed_bytes
        assert len(self.table.pack(self.params)) == self.packed_bytes + self.header_bytes

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
