"""Random cases for `test_boundaries.py`: an estimator, a small frame of mixed columns, and the rows to predict."""

from __future__ import annotations

import datetime
import decimal
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.pipeline import make_pipeline

from tabrec import (
    BayesianFactorization,
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    DateParts,
    DotProductBias,
    ElapsedSince,
    EmbeddingEncoder,
    EmbeddingNN,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
)

N_ROWS, N_NEW = 48, 16


@dataclass(frozen=True)
class Subject:
    """A transformer, estimator or recommender, and what it predicts."""

    name: str
    make: Callable[[], Any]
    family: str  # "transformer", "trees", "net" or "recommender"
    target: str | None = None  # "numbers", "classes" or "ratings"
    needs: tuple[str, ...] = ()  # columns without which it cannot be fitted

    @property
    def infers_kinds(self) -> bool:
        """Whether text may be read as numbers or dates."""
        return "TabularPreprocessor" in self.name or (self.target in ("numbers", "classes") and not self.needs)

    @property
    def transforms(self) -> bool:
        return self.family == "transformer" or self.name == "EmbeddingEncoder"


FOREST = {"n_estimators": 4, "n_jobs": 1, "oob_score": False, "random_state": 0}
BOOSTING = {"max_iter": 3, "min_samples_leaf": 5, "random_state": 0}
NET = {"layers": (8,), "n_members": 2, "epochs": 2, "batch_size": 16, "device": "cpu", "random_state": 0}
SMALL_NET = NET | {"n_members": None, "epochs": 1}
RECOMMENDER = {"epochs": 2, "batch_size": 16, "device": "cpu", "random_state": 0}


def _voting(kind: Any, forest: Any, boosting: Any, **options: Any) -> Any:
    return kind([("forest", forest(**FOREST)), ("boosting", boosting(**BOOSTING))], **options)


SUBJECTS = [
    Subject("DateParts", DateParts, "transformer", needs=("dates",)),
    Subject("Categorify", Categorify, "transformer"),
    Subject("FillMissing", FillMissing, "transformer"),
    Subject("Normalize", Normalize, "transformer"),
    Subject("Normalize-quantile", lambda: Normalize("quantile"), "transformer"),
    Subject(
        "ElapsedSince",
        lambda: ElapsedSince(["flags"], date="dates", group="labels"),
        "transformer",
        needs=("labels", "flags", "dates"),
    ),
    Subject("TabularPreprocessor-forest", TabularPreprocessor, "transformer"),
    Subject("TabularPreprocessor-net", lambda: TabularPreprocessor("net"), "transformer"),
    Subject("ForestRegressor", lambda: ForestRegressor(**FOREST), "trees", "numbers"),
    Subject("ForestClassifier", lambda: ForestClassifier(**FOREST), "trees", "classes"),
    Subject("BoostingRegressor", lambda: BoostingRegressor(**BOOSTING), "trees", "numbers"),
    Subject("BoostingClassifier", lambda: BoostingClassifier(**BOOSTING), "trees", "classes"),
    Subject("TabularRegressor", lambda: TabularRegressor(**NET), "net", "numbers"),
    Subject("TabularClassifier", lambda: TabularClassifier(**NET), "net", "classes"),
    Subject("EmbeddingEncoder", lambda: EmbeddingEncoder(TabularRegressor(**SMALL_NET), cv=None), "net", "numbers"),
    Subject(
        "EmbeddingEncoder before boosting",
        lambda: make_pipeline(EmbeddingEncoder(TabularRegressor(**SMALL_NET), cv=2), BoostingRegressor(**BOOSTING)),
        "net",
        "numbers",
    ),
    Subject(
        "pipeline of a net",
        lambda: make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), TabularRegressor(**SMALL_NET)),
        "net",
        "numbers",
        needs=("numbers",),
    ),
    Subject(
        "pipeline of a forest",
        lambda: make_pipeline(TabularPreprocessor(), ForestClassifier(**FOREST)),
        "trees",
        "classes",
    ),
    Subject(
        "VotingRegressor",
        lambda: _voting(VotingRegressor, ForestRegressor, BoostingRegressor),
        "trees",
        "numbers",
    ),
    Subject(
        "VotingClassifier",
        lambda: _voting(VotingClassifier, ForestClassifier, BoostingClassifier, voting="soft"),
        "trees",
        "classes",
    ),
    Subject("DotProductBias", lambda: DotProductBias(n_factors=2, **RECOMMENDER), "recommender", "ratings"),
    Subject(
        "EmbeddingNN",
        lambda: EmbeddingNN(layers=(4,), embedding_size=2, **RECOMMENDER),
        "recommender",
        "ratings",
    ),
    Subject(
        "BayesianFactorization",
        lambda: BayesianFactorization(n_factors=2, n_sweeps=6, n_burn_in=2, random_state=0),
        "recommender",
        "ratings",
    ),
    Subject(
        "BayesianFactorization-ordinal",
        lambda: BayesianFactorization(n_factors=2, n_sweeps=6, n_burn_in=2, likelihood="ordinal", random_state=0),
        "recommender",
        "ratings",
    ),
]
NAMED = {subject.name: subject for subject in SUBJECTS}


# --- Frames ----------------------------------------------------------------------------------------------------------

_Draw = Callable[[np.random.Generator, int], pd.Series]
_START = pd.Timestamp("2019-12-28")


def _with_gaps(draw: _Draw) -> _Draw:
    def draw_with_gaps(rng: np.random.Generator, n: int) -> pd.Series:
        values = draw(rng, n)
        gaps = rng.random(n) < 0.2
        gaps[:2] = [True, False]
        return values.mask(gaps)

    return draw_with_gaps


def _numbers(rng: np.random.Generator, n: int) -> pd.Series:
    """Multiples of an eighth, which float32 holds exactly."""
    return pd.Series(rng.integers(-8_000, 8_000, n) / 8)


def _labels(rng: np.random.Generator, n: int) -> pd.Series:
    return pd.Series(rng.choice(["Ohio", "Texas", "Utah", "Øst", "New York"], n))


def _many_labels(rng: np.random.Generator, n: int) -> pd.Series:
    return pd.Series([f"model {number}" for number in rng.integers(0, n, n)])


def _dates(rng: np.random.Generator, n: int) -> pd.Series:
    return pd.Series(_START + pd.to_timedelta(rng.integers(0, 900, n), "D"))


def _times(rng: np.random.Generator, n: int) -> pd.Series:
    return pd.Series(_START + pd.to_timedelta(rng.integers(0, 10**7, n), "s"))


COLUMNS: dict[str, _Draw] = {
    "numbers": _numbers,
    "numbers with gaps": _with_gaps(_numbers),
    "counts": lambda rng, n: pd.Series(rng.integers(1, 9, n)),
    "flags": lambda rng, n: pd.Series(rng.random(n) < 0.4),
    "labels": _labels,
    "labels with gaps": _with_gaps(_labels),
    "many labels": _many_labels,
    "dates": _dates,
    "dates with gaps": _with_gaps(_dates),
    "times": _times,
    "zoned": lambda rng, n: _times(rng, n).dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"),
    "ids": lambda rng, n: pd.Series(3_000_000_000 + rng.permutation(n)),
    "long ids": lambda rng, n: pd.Series(2**53 + rng.permutation(n)),
    "tiny": lambda rng, n: pd.Series(rng.integers(1, 10**6, n) * 2.0**-50),
    "huge": lambda rng, n: pd.Series(rng.integers(1, 10**6, n) * 2.0**40),
    "durations": lambda rng, n: pd.Series(pd.to_timedelta(rng.integers(0, 10**5, n), "s")),
    "constant": lambda rng, n: pd.Series(np.full(n, 2.5)),
    "empty": lambda rng, n: pd.Series(np.full(n, np.nan)),
}


def draw_frame(names: list[str], rng: np.random.Generator, n: int) -> pd.DataFrame:
    return pd.DataFrame({name: COLUMNS[name](rng, n) for name in names})


def draw_ratings(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Ratings of 1 to 5 by 9 users of 7 items, each pair at most once."""
    pairs = rng.permutation(63)[: N_ROWS + N_NEW - 4]
    frame = pd.DataFrame({"user": 101 + pairs // 7, "item": 11 + pairs % 7})
    return frame, 1.0 + (frame["user"] * 3 + frame["item"] + rng.integers(0, 2, len(frame))).to_numpy() % 5


def draw_target(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """A distinct number for each row, to which every column contributes."""
    total = rng.normal(scale=0.3, size=len(frame))
    for name in frame.columns:
        codes = pd.factorize(frame[name], sort=True)[0]
        total += rng.normal() * codes / (codes.max() or 1)
    return 2.0 + np.round(total * 2**20) / 2**20


# --- Cases -----------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """What is fitted and predicted, how it is run, and how its outputs are read."""

    subject: Subject
    X: Any
    y: Any
    X_new: Any
    make: Callable[[], Any]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    run: Callable[[Case], Any] = field(default=lambda case: outputs(fit(case), case))
    # What turns the outputs of a changed case into those of the original.
    back: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda found: found)


def draw_case(subject: Subject, names: list[str], seed: int) -> Case:
    """Predict the last rows of the training table, and new ones with other labels."""
    rng = np.random.default_rng(seed)
    if subject.target == "ratings":
        frame, y = draw_ratings(rng)
    else:
        names = list(dict.fromkeys([*names, *subject.needs]))
        frame = draw_frame(names, rng, N_ROWS + N_NEW)
        y = draw_target(frame, rng)
    if subject.target == "classes":
        codes = pd.qcut(y, int(rng.integers(2, 4)), labels=False)
        y = np.array(["high", "low", "medium"], dtype=object)[codes]
    X_new = frame.iloc[N_ROWS - N_NEW :].reset_index(drop=True)
    return Case(subject, frame.iloc[:N_ROWS], None if subject.target is None else y[:N_ROWS], X_new, subject.make)


def fit(case: Case) -> Any:
    return case.make().fit(case.X, case.y)


def outputs(model: Any, case: Case) -> dict[str, Any]:
    """Return all outputs of the model for the new rows, as columns by name."""
    found: dict[str, Any] = {}
    methods = ("transform",) if case.subject.transforms else ("predict", "predict_proba")
    for method in methods:
        if hasattr(model, method):
            result = getattr(model, method)(case.X_new)
            found |= {f"{method} {name}": values for name, values in _columns(result).items()}
    if case.subject.target == "ratings":
        found |= {f"recommend {name}": values for name, values in _recommended(model).items()}
    return found


def _recommended(model: Any) -> Mapping[str, Any]:
    return _columns(model.recommend(list(model.users_[:3]), 2, exclude_seen=False)[["score"]])


def _columns(result: Any) -> dict[str, Any]:
    if hasattr(result, "to_dict"):
        return {str(name): list(result[name]) for name in result.columns}
    result = np.asarray(result)
    return {str(i): list(values) for i, values in enumerate(result.reshape(len(result), -1).T)}


def run(case: Case) -> dict[str, Any]:
    """Fit and predict; every warning but a UserWarning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        with case.around():
            return case.back(case.run(case))


# --- Comparison ------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Convert a value to None, a float, an exact int, text, or a moment in UTC."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return float(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return None if value != value else float(value)
    if isinstance(value, (datetime.timedelta, np.timedelta64)):
        return pd.Timedelta(value).total_seconds()
    if isinstance(value, datetime.date):
        moment = pd.Timestamp(value)
        return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    return str(value)


def assert_equal(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    """Assert equal values; numbers may differ by `tolerance` times the largest of their column.

    With a tolerance, the classes predicted are not compared, because two may be equally probable.
    """
    assert list(found) == list(expected)
    for name in expected:
        ours, theirs = [plain(value) for value in found[name]], [plain(value) for value in expected[name]]
        if tolerance and name.startswith("predict ") and any(isinstance(value, str) for value in theirs):
            continue
        slack = tolerance * max([abs(value) for value in theirs if isinstance(value, (int, float))], default=0)
        pairs = zip(ours, theirs, strict=True)
        odd = [(row, one, other) for row, (one, other) in enumerate(pairs) if not _is_close(one, other, slack)]
        assert not odd, f"{name}: (row, found, expected) {odd[:4]} of {len(theirs)}"


def _is_close(one: Any, other: Any, slack: float) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= slack
    return bool(one == other)


# --- Named errors ----------------------------------------------------------------------------------------------------


def is_named_error(error: BaseException, case: Case) -> bool:
    """Return whether an error is a ValueError or TypeError whose message names a column or a parameter."""
    if not isinstance(error, (ValueError, TypeError)):
        return False
    columns = [f"{name!r}" for name in getattr(case.X, "columns", [])]
    parameters = case.subject.make().get_params()
    return any(name in str(error) for name in [*columns, *parameters])
