"""The candidates of a search over parameters: how they are drawn, scored, recorded and read again.

A draw has a number for each parameter: the position in a list of values, or the probability of a value of a
distribution. It can be written as JSON for any values.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rv_discrete
from sklearn.base import clone

from tabrec.ensemble.comparison import score_fold
from tabrec.ensemble.folds import Folds
from tabrec.saving.files import new_file

# A candidate is abandoned when it is worse than the best one by this many standard errors of the difference.
_GIVE_UP = 2.0

Draw = dict[str, float]


@dataclass
class Candidate:
    """A draw with its scores by fold, the greater the better: fewer than there are folds if it was given up."""

    draw: Draw
    scores: list[float] = field(default_factory=list)
    seconds: float = 0.0
    is_complete: bool = False
    error: str | None = None

    @property
    def mean(self) -> float:
        """The mean score, minus infinity if the candidate failed."""
        return float(np.mean(self.scores)) if self.scores and self.error is None else -np.inf


def check_space(estimator: Any, space: dict[str, Any]) -> dict[str, Any]:
    """Raise a ValueError if a parameter is unknown or its values are neither a list nor a distribution."""
    known = estimator.get_params()
    for name, values in space.items():
        if name not in known:
            raise ValueError(f"space has {name!r}, which is not a parameter of {type(estimator).__name__}.")
        if not (hasattr(values, "ppf") or (isinstance(values, (list, tuple, np.ndarray)) and len(values))):
            raise ValueError(f"space[{name!r}]={values!r} must be a list of values or a distribution of scipy.")
    return space


def read_draw(draw: Draw, space: dict[str, Any]) -> dict[str, Any]:
    """Convert a draw to parameters."""
    return {
        name: _quantile(space[name], number) if hasattr(space[name], "ppf") else space[name][int(number)]
        for name, number in draw.items()
    }


def _quantile(distribution: Any, probability: float) -> float:
    value = float(distribution.ppf(probability))
    return int(value) if isinstance(distribution.dist, rv_discrete) else value


class RandomDraws:
    """Draws of independent numbers."""

    def __init__(self, space: dict[str, Any], seed: int, known: list[Candidate]):
        self.space = space
        self._rng = np.random.default_rng([seed, len(known)])

    def ask(self) -> Draw:
        """Return the next draw."""
        return {
            name: float(self._rng.random() if hasattr(values, "ppf") else self._rng.integers(len(values)))
            for name, values in self.space.items()
        }

    def tell(self, candidate: Candidate) -> None:
        """Ignore the score of a draw, as random draws do not depend on it."""


class OptunaDraws:
    """Draws proposed by the tree-structured Parzen estimator of Optuna."""

    def __init__(self, space: dict[str, Any], seed: int, known: list[Candidate]):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._make_trial = optuna.trial.create_trial
        self._distributions: dict[str, Any] = {
            name: optuna.distributions.FloatDistribution(0.0, 1.0)
            if hasattr(values, "ppf")
            else optuna.distributions.CategoricalDistribution(range(len(values)))
            for name, values in space.items()
        }
        sampler = optuna.samplers.TPESampler(seed=seed + len(known))
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        for candidate in known:
            self.tell(candidate)

    def ask(self) -> Draw:
        """Return the next draw."""
        trial = self._study.ask(self._distributions)
        return {name: float(value) for name, value in trial.params.items()}

    def tell(self, candidate: Candidate) -> None:
        """Learn the score of a draw."""
        if candidate.draw and candidate.error is None:
            params = {
                name: value if hasattr(self._distributions[name], "low") else int(value)
                for name, value in candidate.draw.items()
            }
            made = self._make_trial(params=params, distributions=self._distributions, value=candidate.mean)
            self._study.add_trial(made)


def make_draws(space: dict[str, Any], seed: int, known: list[Candidate]) -> RandomDraws | OptunaDraws:
    """Return the draws of Optuna, or random ones where it is not installed; they continue after known candidates."""
    return (OptunaDraws if find_spec("optuna") else RandomDraws)(space, seed, known)


def score_candidate(
    estimator: Any, draw: Draw, params: dict[str, Any], X: Any, y: np.ndarray, folds: Folds, scoring: Any, best: Any
) -> tuple[Candidate, str]:
    """Score a candidate, abandoned early if clearly worse than the best; returns it with the name of the metric."""
    candidate, started, metric = Candidate(draw), time.perf_counter(), ""
    try:
        model = clone(estimator).set_params(**params)
        for fold in folds:
            scores, _ = score_fold(model, X, y, fold, scoring)
            metric = next(iter(scores))
            candidate.scores.append(scores[metric])
            if best is not None and _is_worse(candidate.scores, best.scores):
                break
        candidate.is_complete = len(candidate.scores) == len(folds)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        if best is None:
            raise
        candidate.error = f"{type(error).__name__}: {error}"
    candidate.seconds = time.perf_counter() - started
    return candidate, metric


def _is_worse(scores: list[float], best: list[float]) -> bool:
    """Return whether scores are below those of the best candidate by more than chance, on the same folds."""
    gaps = np.subtract(best[: len(scores)], scores)
    return len(gaps) > 1 and bool(gaps.mean() > _GIVE_UP * gaps.std(ddof=1) / np.sqrt(len(gaps)))


class SearchRecord:
    """Candidates of a search, kept in a file from which a later call continues; without a path, only in memory."""

    def __init__(self, path: str | os.PathLike | None, key: str):
        self.path, self.key = path, key
        self.candidates: list[Candidate] = []
        self.metric = ""
        if path is not None and Path(path).exists():
            self._read(Path(path))

    @property
    def best(self) -> Candidate | None:
        """The complete candidate with the best mean."""
        complete = [found for found in self.candidates if found.is_complete]
        return max(complete, key=lambda found: found.mean, default=None)

    def add(self, candidate: Candidate, metric: str) -> None:
        """Add a candidate and write the file."""
        self.candidates.append(candidate)
        self.metric = self.metric or metric
        if self.path is not None:
            state = {"search": self.key, "metric": self.metric, "candidates": list(map(asdict, self.candidates))}
            with new_file(self.path, overwrite=True) as path:
                path.write_text(json.dumps(state, indent=1), encoding="utf-8")

    def _read(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            found = state["search"], state["metric"], [Candidate(**row) for row in state["candidates"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} does not hold a search of `tune`.") from error
        if found[0] != self.key:
            raise ValueError(f"{path} holds the search of another estimator, table or space: pass another path.")
        _, self.metric, self.candidates = found


def search_key(*parts: Any) -> str:
    """Return a hash of arrays, and of other objects as text, that identifies a search."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) and part.dtype != object else repr(part).encode())
    return digest.hexdigest()
