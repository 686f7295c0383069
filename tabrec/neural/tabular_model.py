"""`TabularModel`: embeddings and a multilayer perceptron over the columns of an encoded frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabrec.neural.devices import default_settings
from tabrec.neural.draws import Dropout, MaskCodes, OwnDraws
from tabrec.neural.embeddings import PackedEmbedding, PeriodicEmbedding, PiecewiseLinearEmbedding, embedding_size

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish}
NUMERIC_EMBEDDINGS = ("piecewise", "periodic")


class TabularModel(nn.Module):
    """Embeddings of the columns of an encoded frame, followed by blocks of linear layers.

    A block is linear → activation → batch norm → dropout, as in fastai. With `n_members`, k nets are trained at once
    that share the embeddings and the blocks, but each scales the embedded columns before the first block and has an
    output layer of its own (TabM-mini); average their predictions.

    Parameters
    ----------
    category_sizes : mapping of str to int
        Number of codes of each category column, code 0 included.
    n_continuous : int, default=0
        Number of continuous columns.
    n_outputs : int, default=1
        Number of outputs.
    layers : sequence of int, default=(200, 100)
        Widths of the blocks; () is a linear model of the embedded columns.
    embedding_sizes : mapping of str to int, default=None
        Widths of embeddings by column; other columns follow `embedding_size`.
    activation : {"relu", "gelu", "silu", "mish"}, default="relu"
        Activation function of the blocks.
    batch_norm : bool, default=True
        Whether to batch-normalise the continuous columns and every block.
    dropout : float or sequence of float, default=0.0
        Dropout rate after each block, or one rate per block.
    embedding_std : float, default=0.01
        Standard deviation of the initial embeddings.
    embedding_dropout : float, default=0.0
        Dropout rate of the embedded category columns.
    unknown_rate : float, default=0.0
        Share of the codes replaced by code 0 in training, so that the net learns to predict unseen labels.
    numeric_embedding : {"piecewise", "periodic"} or None, default=None
        How continuous columns are embedded; None uses the numbers themselves.
    numeric_embedding_size : int, default=12
        Width of the embedding of a continuous column.
    bin_edges : sequence of ndarray, default=None
        Edges of the bins of each continuous column; required by "piecewise".
    n_members : int, default=None
        Number of implicit members; None is one plain net.
    y_range : tuple of array-like, default=None
        Lower and upper bound of the outputs, each a number or one per output, kept by a scaled sigmoid.

    Attributes
    ----------
    config : dict
        The constructor arguments: ``TabularModel(**model.config)`` has the same shape.
    embeddings : PackedEmbedding or None
        The embeddings; ``model.embeddings.weight("state")`` is the table of one column.

    Raises
    ------
    ValueError
        If there is no column, if `embedding_sizes` names an unknown column, if `activation` or `numeric_embedding` is
        unknown, or if the number of dropout rates is not that of the layers.

    See Also
    --------
    TabularRegressor : Trains this module on a numeric target.
    TabularClassifier : Trains this module on classes.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9. Guo & Berkhahn (2016),
    "Entity embeddings of categorical variables". Gorishniy, Kotelnikov & Babenko (2025), "TabM: advancing tabular deep
    learning with parameter-efficient ensembling".

    Examples
    --------
    >>> import torch
    >>> from tabrec import TabularModel
    >>> model = TabularModel({"state": 51, "enclosure": 4}, n_continuous=3, layers=[200, 100], y_range=(8, 12))
    >>> codes, numbers = torch.tensor([[7, 1], [0, 3]]), torch.zeros(2, 3)
    >>> model(codes, numbers).shape
    torch.Size([2, 1])
    >>> model.embeddings.weight("state").shape
    torch.Size([51, 14])
    """

    def __init__(
        self,
        category_sizes: Mapping[str, int],
        n_continuous: int = 0,
        n_outputs: int = 1,
        *,
        layers: Sequence[int] = (200, 100),
        embedding_sizes: Mapping[str, int] | None = None,
        activation: str = "relu",
        batch_norm: bool = True,
        dropout: float | Sequence[float] = 0.0,
        embedding_std: float = 0.01,
        embedding_dropout: float = 0.0,
        unknown_rate: float = 0.0,
        numeric_embedding: str | None = None,
        numeric_embedding_size: int = 12,
        bin_edges: Sequence[np.ndarray] | None = None,
        n_members: int | None = None,
        y_range: tuple[Any, Any] | None = None,
    ):
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        self.config = arguments
        _check_sizes("category_sizes", category_sizes)
        widths = _embedding_widths(category_sizes, embedding_sizes)
        rates = _dropout_rates(dropout, layers)
        if not category_sizes and not n_continuous:
            raise ValueError("TabularModel needs a column; got an empty category_sizes and n_continuous=0.")
        _check_sizes("layers", layers)
        _check_choice("activation", activation, tuple(ACTIVATIONS))
        _check_choice("numeric_embedding", numeric_embedding, (*NUMERIC_EMBEDDINGS, None))
        self.mask_codes = MaskCodes(unknown_rate)
        self.n_members = n_members
        self.embeddings = PackedEmbedding(widths, embedding_std) if widths else None
        self.embedding_dropout = Dropout(embedding_dropout)
        self.numeric_norm = nn.BatchNorm1d(n_continuous) if batch_norm and n_continuous else None
        self.numeric_embedding = _make_numeric_embedding(
            numeric_embedding, n_continuous, numeric_embedding_size, bin_edges
        )
        n_in = self.embeddings.width if self.embeddings else 0
        n_in += self.numeric_embedding.width if self.numeric_embedding else n_continuous
        self.member_scale = None if n_members is None else nn.Parameter(self._draw_scales(n_members, n_continuous))
        blocks = []
        for n_out, rate in zip(layers, rates, strict=True):
            blocks.append(_Block(n_in, n_out, ACTIVATIONS[activation], batch_norm, rate))
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(n_in, n_outputs) if n_members is None else _MemberLinear(n_in, n_outputs, n_members)
        self.y_range = None if y_range is None else Range(*y_range)
        # Prefixes of layers, from the input to the output; each may have its own learning rate.
        embedding = ("embeddings", "numeric_norm", "numeric_embedding", "member_scale")
        self.layer_names = [embedding, *((f"blocks.{n}",) for n in range(len(layers))), ("output",)]

    @classmethod
    @default_settings()
    def from_config(cls, config: Mapping[str, Any]) -> TabularModel:
        """Make a net of the shape of another one, to take its weights.

        Parameters
        ----------
        config : mapping of str to object
            Attribute `config` of the other net.

        Returns
        -------
        TabularModel
            A net with weights that do not depend on any generator.
        """
        with OwnDraws(seed=0):
            return cls(**config)

    def _draw_scales(self, n_members: int, n_continuous: int) -> Tensor:
        """Draw the initial scales of the embedded columns, (K, F): one normal number per member and column."""
        widths = self.embeddings.widths if self.embeddings else []
        embedding = self.numeric_embedding
        widths = [*widths, *([embedding.width // n_continuous if embedding else 1] * n_continuous)]
        return torch.randn(n_members, len(widths)).repeat_interleave(
            torch.tensor(widths), dim=1, output_size=sum(widths)
        )

    def embedding_table(self, name: str) -> Tensor:
        """Return the vectors of a category column: (n_codes, width).

        Parameters
        ----------
        name : str
            The column.

        Returns
        -------
        Tensor
        """
        return self.embeddings.weight(name)  # type: ignore[union-attr]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Compute the outputs of rows.

        Parameters
        ----------
        codes, numbers : Tensor of shape (n_rows, n_categories), Tensor of shape (n_rows, n_continuous)
            Integer codes of the category columns, and values of the continuous columns.

        Returns
        -------
        Tensor of shape (n_rows, n_outputs) or (n_rows, n_members, n_outputs)
        """
        return self.predict_embedded(self.embed(codes, numbers))

    def embed(self, codes: Tensor, numbers: Tensor) -> Tensor:
        """Embed the columns and concatenate their vectors.

        Parameters
        ----------
        codes, numbers : Tensor of shape (n_rows, n_categories), Tensor of shape (n_rows, n_continuous)
            Integer codes of the category columns, and values of the continuous columns.

        Returns
        -------
        Tensor of shape (n_rows, n_embedded)
        """
        parts = []
        if self.embeddings is not None:
            # (B, C) → (B, sum of widths)
            parts.append(self.embedding_dropout(self.embeddings(self.mask_codes(codes))))
        if numbers.shape[1]:
            if self.numeric_norm is not None:
                numbers = self.numeric_norm(numbers)
            # (B, N) → (B, N), or (B, N * size)
            parts.append(numbers if self.numeric_embedding is None else self.numeric_embedding(numbers))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)  # (B, F)

    def predict_embedded(self, x: Tensor) -> Tensor:
        """Compute the outputs from embedded rows.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_embedded)
            The result of `embed`.

        Returns
        -------
        Tensor of shape (n_rows, n_outputs) or (n_rows, n_members, n_outputs)
        """
        if self.member_scale is not None:
            x = x.unsqueeze(1) * self.member_scale  # (B, F) → (B, K, F)
        out = self.output(self.blocks(x))  # (B, O), or (B, K, O)
        return out if self.y_range is None else self.y_range(out)


class _Block(nn.Module):
    """A block of linear → activation → batch norm → dropout, for one net or shared by its members."""

    def __init__(self, n_in: int, n_out: int, activation: type[nn.Module], batch_norm: bool, dropout: float):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.activation = activation()
        self.norm = nn.BatchNorm1d(n_out) if batch_norm else None
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.linear(x))  # (B, [K,] n_in) → (B, [K,] n_out)
        if self.norm is not None:
            x = self.norm(x) if x.ndim == 2 else self.norm(x.flatten(0, 1)).view_as(x)
        return self.dropout(x)


class _MemberLinear(nn.Module):
    """One linear layer per member."""

    def __init__(self, n_in: int, n_out: int, n_members: int):
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(n_members, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_members, n_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        # (B, K, n_in) → (K, B, n_in) @ (K, n_in, O) → (B, K, O)
        return torch.bmm(x.transpose(0, 1), self.weight).transpose(0, 1) + self.bias


class Range(nn.Module):
    """A sigmoid scaled to two bounds, for each output."""

    low: Tensor
    high: Tensor

    def __init__(self, low: Any, high: Any):
        super().__init__()
        self.register_buffer("low", torch.as_tensor(low, dtype=torch.float32))
        self.register_buffer("high", torch.as_tensor(high, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(self.low, self.high, torch.sigmoid(x.to(self.low.dtype)))


class GivenModel(nn.Module):
    """Wraps a given net: masks its codes in training, and bounds its outputs."""

    def __init__(self, net: nn.Module, unknown_rate: float, y_range: tuple[Any, Any] | None):
        super().__init__()
        self.net = net
        self.mask_codes = MaskCodes(unknown_rate)
        self.y_range = None if y_range is None else Range(*y_range)
        self.layer_names = [(f"net.{name}",) for name, _ in net.named_children()]

    def forward(self, codes: Tensor, numbers: Tensor) -> Tensor:
        out = self.net(self.mask_codes(codes), numbers)
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


def _make_numeric_embedding(
    kind: str | None, n_columns: int, size: int, edges: Sequence[np.ndarray] | None
) -> PiecewiseLinearEmbedding | PeriodicEmbedding | None:
    if kind is None or not n_columns:
        return None
    if kind == "periodic":
        return PeriodicEmbedding(n_columns, size)
    if edges is None or len(edges) != n_columns:
        given = "None" if edges is None else f"those of {len(edges)} columns"
        raise ValueError(f"numeric_embedding='piecewise' needs bin_edges of all {n_columns} columns; got {given}.")
    return PiecewiseLinearEmbedding(edges, size)


def _embedding_widths(
    category_sizes: Mapping[str, int], embedding_sizes: Mapping[str, int] | None
) -> dict[str, tuple[int, int]]:
    """Return the number of codes and the width of each column."""
    given = dict(embedding_sizes or {})
    unknown = [name for name in given if name not in category_sizes]
    if unknown:
        raise ValueError(f"embedding_sizes names {unknown}, but the category columns are {list(category_sizes)[:20]}.")
    _check_sizes("embedding_sizes", given)
    return {name: (n_codes, given.get(name) or embedding_size(n_codes)) for name, n_codes in category_sizes.items()}


def _dropout_rates(dropout: float | Sequence[float], layers: Sequence[int]) -> list[float]:
    if isinstance(dropout, (int, float, np.number)):
        return [float(dropout)] * len(layers)
    if len(dropout) != len(layers):
        raise ValueError(f"dropout={dropout} has {len(dropout)} rates for the {len(layers)} layers {tuple(layers)}.")
    return list(dropout)


def _check_sizes(name: str, sizes: Mapping[str, int] | Sequence[int]) -> None:
    named = sizes if isinstance(sizes, Mapping) else dict(enumerate(sizes))
    invalid = {key: size for key, size in named.items() if not (isinstance(size, (int, np.integer)) and size > 0)}
    if invalid:
        raise ValueError(
            f"{name} must hold positive integers; got {invalid if named is sizes else list(invalid.values())}."
        )


def _check_choice(name: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}; got {value!r}.")
