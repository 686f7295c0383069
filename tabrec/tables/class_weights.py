"""Check class weights, and convert them to weights of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import compute_sample_weight


def check_class_weights(class_weight: Any, y: np.ndarray) -> None:
    """Check weights by label against a target, (n_rows,) or (n_rows, n_outputs) with a mapping for each output.

    As in scikit-learn, a label that is not a class is ignored if every class has a weight, so that a fold may lack a
    class; a class without a weight has weight 1 if every label is a class. Otherwise a ValueError is raised, as for "1"
    in place of 1. It is also raised if a weight is negative or missing, or if no class has a positive weight.
    """
    each = class_weight if isinstance(class_weight, list) else [class_weight]
    for weights, labels in zip(each, y.reshape(len(y), -1).T, strict=False):  # scikit-learn checks their number
        if isinstance(weights, Mapping):
            _check_mapping(weights, np.unique(labels).tolist())


def _check_mapping(class_weight: Mapping, known: list) -> None:
    unknown = [label for label in class_weight if label not in known]
    unweighted = [label for label in known if label not in class_weight]
    if unknown and unweighted:
        raise ValueError(
            f"class_weight has {_shown(unknown)}, which y lacks, but not {_shown(unweighted)}, which y holds; name "
            "the classes as in y, and all of them where some rows lack a class."
        )
    weights = np.array([class_weight.get(label, 1.0) for label in known], dtype=np.float64)
    if not (weights >= 0).all() or not (weights > 0).any():
        raise ValueError(f"class_weight={class_weight!r} must not be negative or missing, nor 0 for every class in y.")


def weigh_classes(class_weight: Any, y: np.ndarray) -> np.ndarray:
    """Return the weight of each row's class, from a mapping (1 for other classes) or "balanced" over these rows."""
    if not isinstance(class_weight, Mapping):
        return compute_sample_weight(class_weight, y)
    labels, codes = np.unique(y, return_inverse=True)
    return np.array([class_weight.get(label, 1.0) for label in labels.tolist()], dtype=np.float64)[codes]


def _shown(labels: list) -> str:
    """Return the first labels, each with its type, which distinguishes "1" from 1."""
    shown = ", ".join(f"{label!r} ({type(label).__name__})" for label in labels[:3])
    return shown + ", …" * (len(labels) > 3)
