"""`BiasedNet`: a `TabularModel` whose output is added to the prediction of biases."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tabrec.neural.tabular_model import TabularModel


class BiasedNet(TabularModel):
    """A `TabularModel` that adds the last number of each row, which is not an input, to its output before the range.

    The weights of the last layer are initialised to 0, so that training starts from the added number.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        with torch.no_grad():
            for parameter in self.output.parameters():
                parameter.zero_()

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        out = self.output(self.blocks(self.embed(codes, numbers[:, :-1]))) + numbers[:, -1:]
        return out if self.y_range is None else self.y_range(out)
