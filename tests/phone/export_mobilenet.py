"""Export a network of MobileNet's size with random weights: ``export_mobilenet.py FILE SEED``.

With ``int8`` after them it is dynamic int8: 5 MB instead of 17.
"""

import os
import sys

import torch

WIDTHS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5)
"""Channels and strides of its blocks, as MobileNet v1 has them (Howard et al. 2017, table 1)."""
LAST = ((1024, 2), (1024, 1))


def block(before: int, after: int, stride: int) -> torch.nn.Sequential:
    """Return a convolution of each channel by itself, and one across them."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(before, before, 3, stride, 1, groups=before),
        torch.nn.ReLU(),
        torch.nn.Conv2d(before, after, 1),
        torch.nn.ReLU(),
    )


def main(file: str, seed: str, kind: str = "float32") -> None:
    """Write it to *file*; images of 64 x 64 keep an emulated phone from computing for minutes."""
    import litert_torch

    torch.manual_seed(int(seed))
    layers: list[torch.nn.Module] = [torch.nn.Conv2d(3, 32, 3, 2, 1), torch.nn.ReLU()]
    before = 32
    for after, stride in (*WIDTHS, *LAST):
        layers.append(block(before, after, stride))
        before = after
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, 1000)]
    model = torch.nn.Sequential(*layers).eval()
    litert_torch.convert(model, (torch.zeros(1, 3, 64, 64),)).export(file)
    if kind == "int8":
        from ai_edge_quantizer import quantizer, recipe

        made = quantizer.Quantizer(file, recipe.dynamic_wi8_afp32()).quantize()
        made.export_model(file, overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # the converter's libraries may hang at exit
