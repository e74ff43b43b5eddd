"""Export the models that runners are tested with into a folder: ``export_models.py FOLDER``."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

ITEMS, DIM, ROWS, BATCH = 10_000, 64, 40, 64
WIDTH = 16_384  # of a square float32 matrix: 1 GiB


class Scorer(torch.nn.Module):
    """Scores all items for one user vector."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.arange(ITEMS * DIM, dtype=torch.float64).reshape(ITEMS, DIM)
        self.items = torch.nn.Linear(DIM, ITEMS, bias=False)
        self.items.weight = torch.nn.Parameter(torch.sin(angles * 0.7).float(), False)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return scores (1, items) for *user* (1, dim)."""
        return {"scores": self.items(user)}


class Step(torch.nn.Module):
    """One step of gradient descent of a factorisation on the rows that one phone touches."""

    def forward(
        self,
        user: torch.Tensor,
        rows: torch.Tensor,
        slots: torch.Tensor,
        labels: torch.Tensor,
        mask: torch.Tensor,
        rate: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Return the new user vector and rows, and the loss before the step."""
        picked = rows[slots.long()]
        error = ((picked * user).sum(-1) - labels) * mask
        places = (slots[:, None] == torch.arange(ROWS, dtype=torch.int32)[None, :]).float()
        return {
            "new_user": user - rate * (error[:, None] * picked).sum(0, keepdim=True),
            "new_rows": rows - rate * (places.T @ (error[:, None] * user)),
            "loss": (error * error).sum().reshape(1),
        }


class Hungry(torch.nn.Module):
    """Needs a gibibyte for an intermediate result."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return one number that depends on all of it."""
        line = torch.arange(WIDTH, dtype=torch.float32)
        return {"y": ((x + line[:, None]) * line[None, :]).sum().reshape(1)}


def main(folder: Path) -> None:
    """Write scorer.tflite, scorer_w8.tflite, scorer_d8.tflite, step.tflite and hungry.tflite."""
    import litert_torch
    from ai_edge_quantizer import quantizer, recipe

    samples: dict[str, tuple[torch.nn.Module, dict[str, Any]]] = {
        "scorer": (Scorer(), {"user": torch.zeros(1, DIM)}),
        "step": (
            Step(),
            {
                "user": torch.zeros(1, 16),
                "rows": torch.zeros(ROWS, 16),
                "slots": torch.zeros(BATCH, dtype=torch.int32),
                "labels": torch.zeros(BATCH),
                "mask": torch.zeros(BATCH),
                "rate": torch.zeros(1),
            },
        ),
        "hungry": (Hungry(), {"x": torch.zeros(1)}),
    }
    for name, (module, sample) in samples.items():
        edge = litert_torch.convert(module.eval(), sample_kwargs=sample)
        edge.export(str(folder / f"{name}.tflite"))
    scorer = str(folder / "scorer.tflite")
    recipes = {"w8": recipe.weight_only_wi8_afp32(), "d8": recipe.dynamic_wi8_afp32()}
    for name, chosen in recipes.items():
        quantized = quantizer.Quantizer(scorer, chosen).quantize()
        quantized.export_model(str(folder / f"scorer_{name}.tflite"), overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # the converter's libraries may hang at exit
