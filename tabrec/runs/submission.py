"""Predictions in the form of a sample submission."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tabrec.datasets import check_submission

_PREFIX = "probability_"


def name_probabilities(classes: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Return the probabilities of each class by the name of its column."""
    return {f"{_PREFIX}{label}": column for label, column in zip(classes, probabilities.T, strict=True)}


def as_submission(predictions: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    """Convert ids and predictions, or probabilities, to the columns of a sample, and check them against it."""
    id_column, *found = predictions.columns
    wanted = [name for name in sample.columns if name != id_column]
    if len(wanted) == 1:
        # The last class is the positive one, as in scikit-learn.
        values = {wanted[0]: predictions[found[-1]]}
    else:
        by_class = {name.removeprefix(_PREFIX): predictions[name] for name in found}
        if set(by_class) != set(map(str, wanted)):
            raise ValueError(
                f"The sample has the columns {wanted} besides {id_column!r}, but the predictions are {list(by_class)}."
            )
        values = {name: by_class[str(name)] for name in wanted}
    submission = pd.DataFrame({id_column: predictions[id_column], **values})
    if id_column in sample.columns:
        submission = submission[list(sample.columns)]
    check_submission(submission, sample, id_column=id_column)
    return submission
