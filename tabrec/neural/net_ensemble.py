"""`NetEnsemble`: nets of the same shape whose predictions are averaged."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from tabrec.neural.devices import default_settings
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.training_data import TrainingData


class NetEnsemble(nn.Module):
    """Nets of the same architecture, each with its own weights; average their predictions.

    Parameters
    ----------
    n_nets : int
        Number of nets.
    net : mapping of str to object
        Arguments of `TabularModel` for each net.

    Attributes
    ----------
    nets : torch.nn.ModuleList
        The nets.
    config : dict
        The constructor arguments.

    See Also
    --------
    TabularModel : One of the nets.

    Examples
    --------
    >>> import torch
    >>> from tabrec.neural import NetEnsemble
    >>> ensemble = NetEnsemble(4, {"category_sizes": {"state": 51}, "n_outputs": 3})
    >>> ensemble(torch.tensor([[7], [0]]), torch.zeros(2, 0)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, n_nets: int, net: Mapping[str, Any]):
        super().__init__()
        self.config: dict[str, Any] = {"n_nets": n_nets, "net": dict(net)}
        self.nets = nn.ModuleList(TabularModel(**net) for _ in range(n_nets))

    @classmethod
    def of(cls, nets: Sequence[nn.Module]) -> Self:
        """Make an ensemble of given nets, which it shares.

        Parameters
        ----------
        nets : sequence of TabularModel
            Nets of one shape.

        Returns
        -------
        NetEnsemble
        """
        config: Any = nets[0].config
        made = cls(0, config)
        made.config["n_nets"], made.nets = len(nets), nn.ModuleList(nets)
        return made

    @classmethod
    @default_settings()
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an ensemble of the shape of another one, to take its weights.

        Parameters
        ----------
        config : mapping of str to object
            Attribute `config` of the other ensemble.

        Returns
        -------
        NetEnsemble
            Its weights do not depend on any generator.
        """
        net = TabularModel.from_config(config["net"])
        return cls.of([copy.deepcopy(net) for _ in range(config["n_nets"])])

    @property
    def n_members(self) -> int:
        """Number of predictions that are averaged."""
        return len(self.nets) * (self.config["net"].get("n_members") or 1)

    def embedding_table(self, name: str) -> Tensor:
        """Return the vectors of a category column in all nets, side by side.

        Parameters
        ----------
        name : str
            The column.

        Returns
        -------
        Tensor of shape (n_codes, n_nets * width)
        """
        return torch.cat([net.embedding_table(name) for net in self.nets], dim=1)  # type: ignore[operator]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Compute the outputs of rows.

        Parameters
        ----------
        codes, numbers : Tensor of shape (n_rows, n_categories), Tensor of shape (n_rows, n_continuous)
            Integer codes of the category columns, and values of the continuous columns.

        Returns
        -------
        Tensor of shape (n_rows, n_members, n_outputs)
        """
        return torch.cat([_by_member(net(codes, numbers)) for net in self.nets], dim=1)

    def embed(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Embed the columns by each net.

        Parameters
        ----------
        codes, numbers : Tensor of shape (n_rows, n_categories), Tensor of shape (n_rows, n_continuous)
            Integer codes of the category columns, and values of the continuous columns.

        Returns
        -------
        Tensor of shape (n_rows, n_nets * n_embedded)
        """
        return torch.cat([net.embed(codes, numbers) for net in self.nets], dim=1)  # type: ignore[operator]

    def predict_embedded(self, x: Tensor) -> Tensor:
        """Compute the outputs from embedded rows.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_nets * n_embedded)
            The result of `embed`.

        Returns
        -------
        Tensor of shape (n_rows, n_members, n_outputs)
        """
        parts = zip(self.nets, x.chunk(len(self.nets), dim=1), strict=True)
        return torch.cat([_by_member(net.predict_embedded(part)) for net, part in parts], dim=1)  # type: ignore[operator]


def _by_member(output: Tensor) -> Tensor:
    return output.unsqueeze(1) if output.ndim == 2 else output


def equal_rows(data: TrainingData) -> np.ndarray:
    """Number the rows so that adjacent rows with equal inputs and targets have the same number."""
    is_new = np.zeros(len(data), dtype=bool)
    for part in (*data.inputs, data.target):
        is_new[1:] |= (part[1:] != part[:-1]).reshape(len(data) - 1, -1).any(dim=1).numpy()
    return np.cumsum(is_new)
