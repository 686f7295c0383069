"""`GivenModel`: the net of ``TabularRegressor(module=...)``, in place of `TabularModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tabrec.neural.tabular_model import Range, mask_codes


class GivenModel(nn.Module):
    """Wraps a given net: masks its codes in training, and bounds its outputs."""

    def __init__(self, net: nn.Module, unknown_rate: float, y_range: tuple[Any, Any] | None):
        super().__init__()
        self.net = net
        self.unknown_rate = unknown_rate
        self.y_range = None if y_range is None else Range(*y_range)

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        out = self.net(mask_codes(codes, self.unknown_rate) if self.training else codes, numbers)
        return out if self.y_range is None else self.y_range(out)


def make_given_model(
    module: Callable,
    category_sizes: Mapping[str, int],
    inputs: tuple[Tensor, ...],
    n_outputs: int,
    unknown_rate: float,
    y_range: tuple[Any, Any] | None,
) -> GivenModel:
    """Make the net, and check that its outputs for two rows are (n_rows, [n_members,] n_outputs)."""
    codes, numbers = inputs[0][:2], inputs[1][:2]
    net = module(dict(category_sizes), numbers.shape[1], n_outputs)
    if not isinstance(net, nn.Module):
        raise TypeError(f"module must return a torch.nn.Module; got {type(net).__name__}.")
    with torch.no_grad():
        shape = tuple(net.eval()(codes, numbers).shape)
    if len(shape) not in (2, 3) or (shape[0], shape[-1]) != (len(codes), n_outputs):
        raise ValueError(
            f"The net of module must return outputs of shape (n_rows, n_outputs), here {(len(codes), n_outputs)}, or "
            f"(n_rows, n_members, n_outputs); got {shape}."
        )
    return GivenModel(net.train(), unknown_rate, y_range)
