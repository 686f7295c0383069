"""Embeddings of category columns, and of continuous columns (piecewise linear, periodic)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def embedding_size(n_codes: int) -> int:
    """Return the width of the embedding of a column by fastai's rule, min(600, round(1.6 n_codes^0.56))."""
    return min(600, round(1.6 * n_codes**0.56))


class PackedEmbedding(nn.Module):
    """Embeddings of many columns in few lookups; columns of the same width share a table.

    `sizes` holds the number of codes and the width of each column. Integer codes (n_rows, n_columns) become vectors
    (n_rows, `width`), columns side by side in the order of `names`. Code 0 (missing or unseen) starts at zero, the mean
    of the others. The state dict names every column's own table, ``<column>.weight``.
    """

    _order: Tensor
    _offsets: Tensor

    def __init__(self, sizes: Mapping[str, tuple[int, int]], std: float = 0.01):
        super().__init__()
        columns_of_width: dict[int, list[int]] = {}
        for position, (_, width) in enumerate(sizes.values()):
            columns_of_width.setdefault(width, []).append(position)
        labels = list(sizes)
        self.sizes = dict(sizes)
        self.std = std
        self._columns = list(columns_of_width.values())
        self.names = [labels[position] for positions in self._columns for position in positions]
        self.widths = [sizes[name][1] for name in self.names]
        self.width = sum(width for _, width in sizes.values())
        self._first_row: dict[str, tuple[int, int]] = {}
        offsets = torch.zeros(len(sizes), dtype=torch.int32)
        for group, (width, positions) in enumerate(columns_of_width.items()):
            n_rows = 0
            for position in positions:
                offsets[position] = n_rows
                self._first_row[labels[position]] = (group, n_rows)
                n_rows += sizes[labels[position]][0]
            self.register_parameter(f"table_{group}", nn.Parameter(torch.empty(n_rows, width)))
        # The columns of a group are adjacent, so that a lookup reads a slice.
        order = [position for positions in self._columns for position in positions]
        self.register_buffer("_order", torch.tensor(order, dtype=torch.int64), persistent=False)
        self.register_buffer("_offsets", offsets[order], persistent=False)
        self._in_order = order == list(range(len(order)))
        self.reset_parameters()

    @property
    def tables(self) -> list[nn.Parameter]:
        """The tables, one per width."""
        return list(self._parameters.values())  # type: ignore[arg-type]

    def reset_parameters(self) -> None:
        """Draw new vectors from a normal distribution truncated at two standard deviations."""
        with torch.no_grad():
            for table in self.tables:
                nn.init.trunc_normal_(table, std=self.std, a=-2 * self.std, b=2 * self.std)
            for name in self.names:
                self.weight(name)[0] = 0.0

    def weight(self, name: str) -> Tensor:
        """Return the table of one column, a view of shape (n_codes, width)."""
        group, first = self._first_row[name]
        return self.tables[group][first : first + self.sizes[name][0]]

    def extra_repr(self) -> str:
        """Return the number of codes and the width of each column, for ``print``."""
        return ", ".join(f"{name}: {n_codes} x {width}" for name, (n_codes, width) in self.sizes.items())

    def place_of(self, name: str) -> tuple[int, int]:
        """Return the index of the table that holds a column, and its first row there."""
        return self._first_row[name]

    def forward(self, codes: Tensor) -> Tensor:
        # (B, C) → (B, C) rows of the tables, the columns of a group adjacent
        rows = (codes if self._in_order else codes[:, self._order]) + self._offsets
        vectors, start = [], 0
        for table, positions in zip(self.tables, self._columns, strict=True):
            stop = start + len(positions)
            # (B, G) → (B, G, width) → (B, G * width)
            vectors.append(F.embedding(rows[:, start:stop], table).flatten(1))
            start = stop
        return vectors[0] if len(vectors) == 1 else torch.cat(vectors, dim=1)  # (B, total width)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name in self.names:
            weight = self.weight(name)
            destination[f"{prefix}{name}.weight"] = weight if keep_vars else weight.detach()

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, metadata: Any, strict: bool, missing: Any, unexpected: Any, errors: Any
    ) -> None:
        expected = {f"{prefix}{name}.weight": self.weight(name) for name in self.names}
        for key, weight in expected.items():
            given = state_dict.get(key)
            if given is None:
                missing.append(key)
            elif given.shape != weight.shape:
                errors.append(f"size mismatch for {key}: {tuple(given.shape)} given, {tuple(weight.shape)} expected.")
            else:
                with torch.no_grad():
                    weight.copy_(given)
        unexpected += [key for key in state_dict if strict and key.startswith(prefix) and key not in expected]


class PiecewiseLinearEmbedding(nn.Module):
    """Embeds continuous columns by their position among bin edges: (n_rows, n_columns) → (n_rows, n_columns * size).

    A number becomes a vector with 1 for each bin below it, 0 for each bin above it, and its relative position in its
    own bin. A linear map per column of this vector, plus one of the number itself, gives the embedding (Gorishniy,
    Rubachev & Babenko 2022). Beyond the outer edges, only the linear term in the number varies. Edges are ascending,
    see `quantile_edges`; a column with fewer than two edges has no bins.
    """

    _lows: Tensor
    _scales: Tensor

    def __init__(self, edges: Sequence[np.ndarray], size: int):
        super().__init__()
        n_columns, n_bins = len(edges), max(max((len(e) for e in edges), default=0) - 1, 1)
        # A column with fewer bins than the others is padded with zeros.
        lows, scales = torch.empty(n_columns, n_bins).fill_(torch.inf), torch.zeros(n_columns, n_bins)
        for column, ascending in enumerate(edges):
            if len(ascending) > 1:
                low = torch.as_tensor(np.asarray(ascending, dtype=np.float64))
                lows[column, : len(low) - 1] = low[:-1].float()
                scales[column, : len(low) - 1] = (1 / low.diff()).float()
        lows[scales == 0] = 0.0
        self.register_buffer("_lows", lows)
        self.register_buffer("_scales", scales)
        self.width = n_columns * size
        self.linear = nn.Parameter(torch.empty(n_columns, size))
        self.bias = nn.Parameter(torch.empty(n_columns, size))
        self.bins = nn.Parameter(torch.empty(n_columns, n_bins, size))
        bounds = self.bins.new_tensor([max(len(ascending) - 1, 1) for ascending in edges]).view(-1, 1) ** -0.5
        with torch.no_grad():
            self.linear.normal_(std=0.5)
            self.bias.uniform_(-1, 1).mul_(bounds)
            self.bins.uniform_(-1, 1).mul_(bounds.unsqueeze(-1))

    def forward(self, numbers: Tensor) -> Tensor:
        # (B, N) → (B, N, T): 0 below a bin, 1 above it, the position in between
        position = ((numbers.unsqueeze(-1) - self._lows) * self._scales).clamp(0.0, 1.0)
        # (N, B, T) @ (N, T, D) → (N, B, D)
        binned = torch.bmm(position.transpose(0, 1), self.bins)
        vectors = binned.transpose(0, 1) + torch.addcmul(self.bias, numbers.unsqueeze(-1), self.linear)  # (B, N, D)
        return F.relu(vectors).flatten(1)


class PeriodicEmbedding(nn.Module):
    """Embeds continuous columns by sines and cosines: (n_rows, n_columns) → (n_rows, n_columns * size).

    The frequencies are learned, starting normal with standard deviation `frequency_scale`; a linear map per column
    follows (Gorishniy, Rubachev & Babenko 2022).
    """

    def __init__(self, n_columns: int, size: int, n_frequencies: int = 16, frequency_scale: float = 0.1):
        super().__init__()
        self.width = n_columns * size
        self.frequencies = nn.Parameter(torch.empty(n_columns, n_frequencies))
        self.weight = nn.Parameter(torch.empty(n_columns, 2 * n_frequencies, size))
        self.bias = nn.Parameter(torch.empty(n_columns, size))
        nn.init.trunc_normal_(self.frequencies, std=frequency_scale, a=-3 * frequency_scale, b=3 * frequency_scale)
        for parameter in (self.weight, self.bias):
            bound = 1 / math.sqrt(2 * n_frequencies)
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, numbers: Tensor) -> Tensor:
        angles = 2 * math.pi * numbers.unsqueeze(-1) * self.frequencies  # (B, N, F)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)  # (B, N, 2F)
        vectors = torch.bmm(waves.transpose(0, 1), self.weight).transpose(0, 1) + self.bias  # (B, N, D)
        return F.relu(vectors).flatten(1)


def quantile_edges(numbers: np.ndarray, n_bins: int) -> np.ndarray:
    """Return ascending float32 edges of at most `n_bins` bins that hold about equally many of the finite numbers.

    Very frequent numbers count less. A single edge is returned if all numbers are equal.
    """
    edges, counts = np.unique(numbers.astype(np.float32), return_counts=True)
    if len(edges) > n_bins + 1:
        # A very frequent number gets a bin of its own, and the other numbers share the rest.
        shares = counts.astype(np.float64)
        for _ in range(5):
            shares = np.minimum(counts, shares.sum() / n_bins)
        middles = (np.cumsum(shares) - shares / 2) / shares.sum()
        chosen = np.searchsorted(middles, np.linspace(0, 1, n_bins + 1)).clip(max=len(edges) - 1)
        edges = edges[np.unique(chosen)]
    # A bin too narrow for positions in float32 is merged with its neighbour.
    widths = np.diff(edges.astype(np.float64))
    narrowest = max(1e-6 * widths.sum() / n_bins, 1e-37)
    return edges[np.r_[True, widths > narrowest]]
