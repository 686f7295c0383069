"""Check the parameters of functions by scikit-learn's constraints."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, validate_params


def check_parameters(**constraints: Any) -> Any:
    """Decorate a function to check its parameters, unless another checked function calls it."""
    return validate_params(constraints, prefer_skip_nested_validation=True)


def at_least(lowest: int) -> Interval:
    return Interval(Integral, lowest, None, closed="left")


MODEL_FACTORY = [HasMethods("fit"), callable]
METRIC = [str, None]
SEED = [at_least(0)]
RANDOM_STATE = [*SEED, np.random.Generator, None]
