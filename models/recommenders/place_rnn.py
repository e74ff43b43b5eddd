"""A next-place model small enough for any phone: a FastGRNN cell on places' vectors.

Kusupati, Singh, Bhatia, Kumar, Jain, Varma: FastGRNN (NeurIPS 2018): gate and candidate share their
matrices, so a cell has half the weights of the smallest gated one. Wang et al.: Next
Point-of-Interest Recommendation on Resource-Constrained Mobile Devices (LLRec, WWW 2020) puts it on
a tensor-train table and lets a larger model teach it (``fitting/llrec.py``).
"""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.draws import Draws

HOURS = 24


@dataclass(frozen=True)
class PlaceRNN:
    """States of visits, and scores of places after them.

    Parameters: those of *table*; ``input`` and ``state``, (dim, dim); ``gate``, ``candidate``,
    (dim,); ``mix``, (2,), the zeta and nu of the paper before their sigmoids; with *hours* also
    ``hour`` and ``now``, (24, dim): when a visit was, and when the next one is asked for.

    Attributes:
        table: of places; a state is as long as its vectors.
        hours: whether it reads them.
    """

    table: EmbeddingTable
    hours: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters that are not the table's."""
        dim = self.table.dim
        square, flat = (dim, dim), (dim,)
        cell = {"input": square, "state": square, "gate": flat, "candidate": flat, "mix": (2,)}
        return {**cell, **({"hour": (HOURS, dim), "now": (HOURS, dim)} if self.hours else {})}

    @property
    def nbytes(self) -> int:
        """What ships: the table and four bytes for each other number."""
        return self.table.nbytes + 4 * sum(int(np.prod(one)) for one in self.shapes.values())

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters; as in the authors' code the gate keeps at first."""
        dim, made = self.table.dim, self.table.init(draws)
        for name, shape in self.shapes.items():
            values = np.zeros(shape, np.float32)
            if len(shape) == 2:
                sd = dim**-0.5 if shape[0] == dim else 0.1
                values = normal_rows(draws.child(name), np.arange(shape[0]), dim, sd)
            made[name] = torch.from_numpy(values)
        made["gate"] += 1.0
        made["mix"][:] = torch.tensor([1.0, -4.0])
        return made

    def states(self, params: Params, items: torch.Tensor, hours: torch.Tensor) -> torch.Tensor:
        """Return the state after each visit, (batch, length, dim).

        *items* are (batch, length), -1 before the first; *hours* likewise, of the visits.
        """
        there = (items >= 0).to(torch.float32)[..., None]
        read = self.table.lookup(params, items.clamp(min=0))
        if self.hours:
            read = read + params["hour"][hours]
        read = read @ params["input"]
        zeta, nu = torch.sigmoid(params["mix"])
        state, states = torch.zeros_like(read[:, 0]), []
        for t in range(items.shape[1]):
            both = read[:, t] + state @ params["state"]
            gate = torch.sigmoid(both + params["gate"])
            new = (zeta * (1 - gate) + nu) * torch.tanh(both + params["candidate"]) + gate * state
            state = there[:, t] * new + (1 - there[:, t]) * state
            states.append(state)
        return torch.stack(states, dim=1)

    def asked(self, params: Params, states: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
        """Return what places' vectors are multiplied with, for questions at the hours *now*."""
        return states + params["now"][now] if self.hours else states

    def scores(self, params: Params, asked: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Return the scores of *places* (k,), shape ``asked.shape[:-1] + (k,)``."""
        return asked @ self.table.lookup(params, places).T
