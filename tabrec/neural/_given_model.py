"""A net of the user's own, in the place of `TabularModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tabrec.neural.tabular_model import Range, mask_codes


class GivenModel(nn.Module):
    """A given net, `net`, whose codes are masked while training and whose outputs are kept in a range."""

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
    """Make the net, and try it on two rows before it is trained on all.

    Raises
    ------
    TypeError
        If `module` gives no torch module.
    ValueError
        If the net's outputs are not (n_rows, n_outputs), or (n_rows, n_members, n_outputs).
    """
    codes, numbers = inputs[0][:2], inputs[1][:2]
    net = module(dict(category_sizes), numbers.shape[1], n_outputs)
    if not isinstance(net, nn.Module):
        raise TypeError(f"module gave {type(net).__name__}: it must give a torch.nn.Module.")
    with torch.no_grad():
        shape = tuple(net.eval()(codes, numbers).shape)
    if len(shape) not in (2, 3) or (shape[0], shape[-1]) != (len(codes), n_outputs):
        raise ValueError(
            f"The net that module gave turns {len(codes)} rows into an output of shape {shape}: it must be "
            f"(n_rows, n_outputs), here {(len(codes), n_outputs)}, or with members between."
        )
    return GivenModel(net.train(), unknown_rate, y_range)
