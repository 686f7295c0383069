"""Integrated gradients: contributions to the predictions of a net, relative to background rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier
from torch import Tensor

from tabrec.interpret.attribution._occlusion import AgainstBackground
from tabrec.neural.devices import default_settings, read_device
from tabrec.neural.prediction import predictor
from tabrec.neural.tabular_estimator import TabularEstimator

# Minimum number of points on all lines to a row, and on each line; largest number of activations of a hidden layer.
_N_POINTS, _LEAST_POINTS = 1024, 16
_MOST_ACTIVATIONS = 2**22


@default_settings()
def integrate_gradients(
    estimator: TabularEstimator, rows: Any, background: Any, sources: dict[str, str], columns: list[str]
) -> AgainstBackground:
    """Integrate gradients along the straight lines from embedded background rows to embedded rows.

    `sources` maps each encoded column to the one of `columns` to which it contributes.
    """
    net = EmbeddedNet(estimator)
    ends, starts = net.embed(rows), net.embed(background)
    prediction, base = net.predict_all(ends), net.predict_all(starts).mean(axis=0)
    belongs = np.zeros((len(columns), len(net.columns)))
    for position, name in enumerate(net.columns):
        belongs[columns.index(sources[name]), position] = 1
    contributions = np.empty((len(ends), len(columns), prediction.shape[1]))
    standard_error = np.empty_like(contributions)
    for i, end in enumerate(ends):
        by_background = belongs @ net.integrate(end, starts)  # (n_background, n_columns, n_outputs)
        contributions[i] = by_background.mean(axis=0)
        standard_error[i] = _standard_error(by_background)
    residual = prediction - base - contributions.sum(axis=1)
    size = np.abs(contributions)
    total = size.sum(axis=1, keepdims=True)
    share = np.divide(size, total, out=np.full_like(size, 1 / len(columns)), where=total > 0)
    contributions += share * residual[:, None]
    return AgainstBackground(prediction, base, contributions, standard_error, residual)


def _standard_error(draws: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over the first axis; NaN for a single draw."""
    return draws.std(axis=0, ddof=1) / np.sqrt(len(draws)) if len(draws) > 1 else np.full(draws.shape[1:], np.nan)


class EmbeddedNet:
    """A fitted net in two parts: embedding of columns, and prediction in units of the target."""

    def __init__(self, estimator: TabularEstimator):
        self._estimator: Any = estimator
        self._device = read_device(estimator.device)
        model: Any = predictor(estimator.model_, self._device)
        self._model = model
        nets = getattr(model, "nets", [model])  # one net, or several as one module
        embeddings, numeric = nets[0].embeddings, nets[0].numeric_embedding
        numbers = self._estimator._reader.continuous
        # Encoded columns in the order of their vectors, and the widths of the vectors.
        width = numeric.width // len(numbers) if numeric else 1
        self.columns = [*(embeddings.names if embeddings else []), *numbers] * len(nets)
        self.widths = [*(embeddings.widths if embeddings else []), *([width] * len(numbers))] * len(nets)
        self._width = max((block.linear.out_features for block in nets[0].blocks), default=1)

    def embed(self, X: Any) -> Tensor:
        """Embed rows that are given as the estimator takes them: (n_rows, sum of widths)."""
        codes, numbers = self._estimator._reader.read(self._estimator.encode_to_arrays(X))
        numbers = numbers.double() if self._device.type == "cpu" else numbers
        return self._model.embed(codes.to(self._device), numbers.to(self._device))

    def predict(self, embedded: Tensor) -> Tensor:
        """Predict embedded rows, (n_rows, sum of widths): (n_rows, n_outputs), probabilities for a classifier."""
        out = self._model.predict_embedded(embedded).double()
        if is_classifier(self._estimator):
            return _mean_of_members(out.softmax(dim=-1))
        return self._restore(_mean_of_members(out))

    def predict_all(self, embedded: Tensor) -> np.ndarray:
        with torch.no_grad():
            return torch.cat([self.predict(part) for part in embedded.split(self._at_once())]).cpu().numpy()

    def _restore(self, scaled: Tensor) -> Tensor:
        """Convert predictions to units of the target; of several quantiles, the one nearest to the median."""
        levels, scaler = self._estimator._levels, self._estimator.target_scaler_
        if len(levels):
            middle = int(np.argmin(np.abs(levels - 0.5)))
            scaled = scaled.view(len(scaled), -1, len(levels)).sort(dim=2).values[:, :, middle]
        scales, means = (torch.as_tensor(part, device=scaled.device) for part in (scaler.scales, scaler.means))
        return scaled * scales + means

    def integrate(self, row: Tensor, background: Tensor) -> np.ndarray:
        """Integrate the gradients from each background row to one row: (n_background, n_columns, n_outputs)."""
        n_points = max(_LEAST_POINTS, _N_POINTS // len(background))
        middles = (torch.arange(n_points, dtype=row.dtype, device=row.device) + 0.5) / n_points
        gap = row - background  # (B, F)
        path = background + middles.view(-1, 1, 1) * gap  # (Q, B, F)
        gradient = torch.cat([self._gradients(part) for part in path.flatten(0, 1).split(self._at_once())], dim=1)
        mean = gradient.view(len(gradient), *path.shape).mean(dim=1)  # (O, B, F)
        parts = (mean * gap).split(self.widths, dim=2)
        return torch.stack([part.sum(dim=2) for part in parts]).permute(2, 0, 1).cpu().numpy()

    def _gradients(self, embedded: Tensor) -> Tensor:
        """Return the gradients of outputs with respect to embedded columns: (n_outputs, n_rows, sum of widths)."""
        embedded = embedded.detach().requires_grad_()
        totals = self.predict(embedded).sum(dim=0)
        return torch.stack([torch.autograd.grad(total, embedded, retain_graph=True)[0] for total in totals])

    def _at_once(self) -> int:
        return max(16, _MOST_ACTIVATIONS // (self._width * (self._model.n_members or 1)))


def _mean_of_members(out: Tensor) -> Tensor:
    return out.mean(dim=1) if out.ndim == 3 else out
