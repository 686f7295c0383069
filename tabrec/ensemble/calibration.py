"""`Calibration`: a map of probabilities with two parameters that lowers their log-loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

# Bounds of the logarithms of the exponent and of the offset.
_BOUNDS = [(-2.5, 2.5), (-20.0, 0.0)]
_START = (0.0, -5.0)
_N_HALVES = 2
_TINY = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Calibration:
    """Probabilities plus an offset, to the power of an exponent, divided by their sum.

    The exponent is the inverse of a temperature. Above 1 it corrects underconfidence, which averaging many trees
    causes, and below 1 overconfidence. The offset replaces probabilities of 0, which trees and nearest neighbours
    predict for classes without a training row in the leaf or neighbourhood.
    """

    exponent: float = 1.0
    offset: float = 0.0

    @classmethod
    def learn(cls, probabilities: np.ndarray, codes: np.ndarray, row_weights: np.ndarray) -> Self:
        """Learn the map that minimises the log-loss; the identity, unless a map of half of the rows improves the other.

        References
        ----------
        Guo, Pleiss, Sun & Weinberger (2017), "On calibration of modern neural networks", for the exponent.
        """
        halves = [np.arange(len(codes)) % _N_HALVES == half for half in range(_N_HALVES)]
        if len(codes) < _N_HALVES or not all(row_weights[half].any() for half in halves):
            return cls()
        gain = 0.0
        for half in halves:
            learned = cls._fit(probabilities[half], codes[half], row_weights[half])
            rest = probabilities[~half], codes[~half], row_weights[~half]
            gain += cls()._loss(*rest) - learned._loss(*rest)
        return cls._fit(probabilities, codes, row_weights) if gain > 0 else cls()

    @classmethod
    def _fit(cls, probabilities: np.ndarray, codes: np.ndarray, row_weights: np.ndarray) -> Self:
        shares = row_weights / row_weights.sum()
        rows = np.arange(len(codes))

        def loss_and_gradient(logs: np.ndarray) -> tuple[float, np.ndarray]:
            exponent, offset = np.exp(logs)
            shifted = np.clip(probabilities, _TINY, 1.0) + offset
            powers = np.log(shifted) * exponent
            powers -= powers.max(axis=1, keepdims=True)
            expected = np.exp(powers)
            expected /= expected.sum(axis=1, keepdims=True)
            loss = -shares @ np.log(np.clip(expected[rows, codes], _TINY, 1.0))
            expected[rows, codes] -= 1.0
            by_exponent = shares @ (expected * np.log(shifted)).sum(axis=1)
            by_offset = shares @ (expected / shifted).sum(axis=1) * exponent
            return float(loss), np.array([by_exponent * exponent, by_offset * offset])

        found = minimize(loss_and_gradient, _START, jac=True, method="L-BFGS-B", bounds=_BOUNDS)
        exponent, offset = np.exp(found.x)
        return cls(float(exponent), float(offset))

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities; rows of NaN stay NaN."""
        if self == Calibration():
            return probabilities
        logs = np.log(np.clip(probabilities, _TINY, 1.0) + self.offset) * self.exponent
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def _loss(self, probabilities: np.ndarray, codes: np.ndarray, row_weights: np.ndarray) -> float:
        likely = self.apply(probabilities)[np.arange(len(codes)), codes]
        return float(-row_weights @ np.log(np.clip(likely, _TINY, 1.0)))
