"""Weights of an average of models, on squared error or log-loss.

The values of a model are its predictions of numbers or its probabilities of the true classes. The log-loss of averaged
probabilities depends on nothing else, because the average of the true class is the average of these values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

# Weights are multiples of 1/50.
_N_STEPS = 50
_N_ITERATIONS = 300
_TINY = np.finfo(np.float64).eps

# A function of values, (n_rows,) or (n_rows, n_models), that returns the loss of each row.
RowLoss = Callable[[np.ndarray], np.ndarray]


def squared_error(target: np.ndarray) -> RowLoss:
    """Return the squared error of predictions of a target."""
    return lambda values: (values - (target if values.ndim == 1 else target[:, None])) ** 2


def log_loss(values: np.ndarray) -> np.ndarray:
    """Return the negative logarithm of the probabilities of the true class."""
    return -np.log(np.clip(values, _TINY, 1.0))


def greedy_weights(values: np.ndarray, loss: RowLoss, row_weights: np.ndarray) -> np.ndarray:
    """Choose weights by greedy selection with replacement: each step adds the model that lowers the loss most.

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
    """Find non-negative weights with sum 1 that minimise the squared error."""
    scale = np.sqrt(row_weights / row_weights.sum())
    centre = row_weights @ target / row_weights.sum()
    spread = np.abs(values - centre).max() or 1.0
    rows = (values - centre) / spread * scale[:, None]
    # An additional row with a large weight constrains the sum to 1.
    heavy = 1e4
    weights, _ = nnls(
        np.vstack([rows, np.full(values.shape[1], heavy)]), np.r_[(target - centre) / spread * scale, heavy]
    )
    return weights / weights.sum()


def mixture_weights(values: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
    """Find non-negative weights with sum 1 that minimise the log-loss, a convex problem, by the EM algorithm."""
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
