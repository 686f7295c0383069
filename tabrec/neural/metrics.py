"""`read_metrics`: convert the parameter `metrics` to functions of the outputs and targets of a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sklearn.metrics
from torch import Tensor


def read_metrics(
    metrics: Sequence, from_target: Callable[[Tensor], np.ndarray], to_prediction: Callable[[Tensor], np.ndarray]
) -> dict[str, Callable[[Tensor, Tensor], float]]:
    """Return metrics by name: names of functions of scikit-learn, or functions of true and predicted values.

    `from_target` and `to_prediction` convert the targets and the outputs of the net to these values.
    """

    def apply(metric: Callable) -> Callable[[Tensor, Tensor], float]:
        return lambda output, target: float(metric(from_target(target), to_prediction(output)))

    found: dict[str, Callable[[Tensor, Tensor], float]] = {}
    for metric in metrics:
        function = getattr(sklearn.metrics, metric, None) if isinstance(metric, str) else metric
        if not callable(function):
            raise ValueError(f"metrics names {metric!r}, which is not a function of sklearn.metrics.")
        name = base = getattr(function, "__name__", repr(function))
        while name in found:
            name = f"{base}_{len(found) + 1}"
        found[name] = apply(function)
    return found
