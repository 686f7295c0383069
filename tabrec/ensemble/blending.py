"""Weights of an average of models, on squared error or log-loss.

Models are compared by one value per row: the prediction of a number, or the probability of the true class. The average
of probabilities gives the true class the average of these, so that the others need not be known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

# Weights are multiples of 1/50.
_N_STEPS = 50
_N_ITERATIONS = 300
_TINY = np.finfo(np.float64).eps

# Losses of rows, from values of the shape (n_rows,) or (n_rows, n_models).
RowLoss = Callable[[np.ndarray], np.ndarray]


def squared_error(target: np.ndarray) -> RowLoss:
    """Return the squared error of predictions of a target."""
    return lambda values: (values - (target if values.ndim == 1 else target[:, None])) ** 2


def log_loss(values: np.ndarray) -> np.ndarray:
    """Return minus the logarithm of probabilities of the true class."""
    return -np.log(np.clip(values, _TINY, 1.0))


def greedy_weights(values: np.ndarray, loss: RowLoss, row_weights: np.ndarray) -> np.ndarray:
    """Weights by greedy selection with replacement: each step adds the model that lowers the loss of the mean most.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), "Ensemble selection from libraries of models".
    """
    counts, total = np.zeros(values.shape[1]), np.zeros(len(values))
    best, lowest = counts, np.inf
    for step in range(1, _N_STEPS + 1):
        errors = row_weights @ loss((total[:, None] + values) / step)
        chosen = int(np.argmin(errors))
        counts[chosen] += 1
        total += values[:, chosen]
        if errors[chosen] < lowest * (1 - 1e-9) or step == 1:
            best, lowest = counts / step, errors[chosen]
    return best


def nnls_weights(values: np.ndarray, target: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
    """Return the weights that are not negative, add up to 1 and minimise the squared error."""
    scale = np.sqrt(row_weights / row_weights.sum())
    centre = row_weights @ target / row_weights.sum()
    spread = np.abs(values - centre).max() or 1.0
    rows = (values - centre) / spread * scale[:, None]
    # A heavy row asks for a sum of 1.
    heavy = 1e4
    weights, _ = nnls(
        np.vstack([rows, np.full(values.shape[1], heavy)]), np.r_[(target - centre) / spread * scale, heavy]
    )
    return weights / weights.sum()


def mixture_weights(values: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
    """Weights that are not negative, add up to 1 and minimise the log-loss, a convex problem, by the EM algorithm."""
    values = np.clip(values, _TINY, 1.0)
    shares = row_weights / row_weights.sum()
    weights = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(_N_ITERATIONS):
        weights = weights * (shares @ (values / (values @ weights)[:, None]))
    weights[weights < 1e-3] = 0.0
    return weights / weights.sum()


def mean_and_error(losses: np.ndarray, row_weights: np.ndarray) -> tuple[float, float]:
    """Return the weighted mean of losses of rows and its standard error."""
    shares = row_weights / row_weights.sum()
    mean = shares @ losses
    return float(mean), float(np.sqrt(shares**2 @ (losses - mean) ** 2))
