"""NeuMF as it ships: a torch module that scores every item for one user."""

import torch
from torch import nn


class NeuralScorer(nn.Module):
    """Scores every item: what does not depend on the user is a constant.

    Constants, by name: ``product`` (n_items, gmf_dim), item vectors times their weights;
    ``items0`` (n_items, width), the items' half of the first layer; ``user0`` (width, mlp_dim),
    the weights of the user's half; ``bias{k}``, ``weight{k}`` (outputs, inputs); ``out`` (1,
    width) and ``out_bias`` (1,). Without ``product``, or without ``items0``, that half is absent.
    """

    def __init__(self, constants: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for name, value in constants.items():
            self.register_buffer(name, value)
        product = constants.get("product")
        self._cut = 0 if product is None else product.shape[1]
        self._layers = sum(name.startswith("bias") for name in constants)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        scores = self.get_buffer("out_bias")[None]
        if self._cut:
            product = self.get_buffer("product")
            scores = scores + nn.functional.linear(user[:, : self._cut], product)
        if self._layers:
            mine = nn.functional.linear(user[:, self._cut :], self.get_buffer("user0"))
            x = torch.relu(self.get_buffer("items0") + (mine + self.get_buffer("bias0")))
            for k in range(1, self._layers):
                weight, bias = (self.get_buffer(f"{part}{k}") for part in ("weight", "bias"))
                x = torch.relu(nn.functional.linear(x, weight, bias))
            scores = scores + nn.functional.linear(x, self.get_buffer("out")).reshape(1, -1)
        return {"scores": scores}


def neural_scorer(**constants: torch.Tensor) -> nn.Module:
    """Return the module that scores with NeuMF; see ``NeuralScorer`` for *constants*."""
    return NeuralScorer(constants)
