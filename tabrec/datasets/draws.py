"""Random draws of generated tables: generators from any seed, long tails, checked counts."""

from numbers import Integral

import numpy as np

RandomState = int | np.random.Generator | np.random.RandomState | None


def zipf(n_levels: int, exponent: float = 1.0, offset: float = 1.0) -> np.ndarray:
    """Return the probabilities of Zipf-Mandelbrot ranks, (n_levels,), most likely first."""
    weights = (np.arange(n_levels) + offset) ** -exponent
    return weights / weights.sum()


def check_count(name: str, value: object) -> None:
    """Raise unless `value` is an int of at least 1."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} must be an int, at least 1; got {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"{name}={value!r} must be at least 1.")


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return a numpy Generator for any accepted `random_state`."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1))
    if not (random_state is None or isinstance(random_state, Integral | np.random.Generator)):
        raise TypeError(f"random_state={random_state!r} must be None, an int, a numpy Generator or a RandomState.")
    if isinstance(random_state, Integral) and random_state < 0:
        raise ValueError(f"random_state={random_state!r} must not be negative.")
    return np.random.default_rng(random_state)
