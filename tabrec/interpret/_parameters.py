"""Checks of the parameters of functions, with constraints that several of them share."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, validate_params


def check_parameters(**constraints: Any) -> Any:
    """Decorate a function to check its parameters, except where a function checked in this way calls it."""
    return validate_params(constraints, prefer_skip_nested_validation=True)


def at_least(lowest: int) -> Interval:
    return Interval(Integral, lowest, None, closed="left")


MODEL_FACTORY = [HasMethods("fit"), callable]
METRIC = [str, None]
SEED = [at_least(0)]
RANDOM_STATE = [*SEED, np.random.Generator, None]
