"""`EnsembleBase`, the base of the two ensembles, which learn weights from out-of-fold predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted, column_or_1d

from tabrec.ensemble.calibration import Calibration
from tabrec.ensemble.clock import Clock, OutOfTime
from tabrec.ensemble.folds import Folds, is_random, keep_weighted, make_folds
from tabrec.ensemble.members import Members, is_pair, read_members
from tabrec.ensemble.out_of_fold import (
    MemberRows,
    OutOfFold,
    predict_out_of_fold,
    predict_unseen,
    predict_values,
    predicts_unseen,
)
from tabrec.tables.columns import read_frame, to_columns
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.messages import distinct_warnings, warn_caller
from tabrec.tables.names import align_names, learn_names
from tabrec.tables.progress import Progress, show_progress
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target
from tabrec.tables.verbosity import VERBOSE
from tabrec.tables.weights import read_weights

# A fit to all rows is expected to take this many times as long as the mean fit of a fold.
_REFIT_TIME = 1.5
# Share of a budget that is reserved as a margin.
_SPARE_TIME = 0.05
# Smallest number of rows from which weights are learned.
_ENOUGH_ROWS = 1_000


class EnsembleBase(BaseEstimator, ABC):
    """Base class of the two ensembles; a subclass defines the loss, see the methods at the end."""

    _parameter_constraints: ClassVar[dict] = {
        "estimators": ["array-like"],
        "cv": ["cv_object"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"greedy", "nnls"})],
        "refit": ["boolean"],
        "use_oob": ["boolean"],
        "time_budget": [Interval(Real, 0, None, closed="neither"), None],
        "verbose": VERBOSE,
        "random_state": ["random_state"],
    }
    _metric: str
    estimators: Any
    cv: Any
    n_repeats: int
    method: str
    refit: bool
    use_oob: bool
    time_budget: float | None
    verbose: Any
    random_state: Any
    estimators_: list[Any]
    estimator_weights_: np.ndarray

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of members given as pairs by ``<name>__<parameter>``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the members given as pairs and their parameters.

        Returns
        -------
        dict of str to object
            Values by name.
        """
        params = super().get_params(deep=False)
        for name, member in filter(is_pair, self.estimators if deep and _is_list(self.estimators) else ()):
            params[name] = member
            if hasattr(member, "get_params"):
                params |= {f"{name}__{key}": value for key, value in member.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, members given as pairs by their names, and parameters of members.

        Parameters
        ----------
        **params : object
            Values by name, as `get_params` returns them.

        Returns
        -------
        self
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        pairs = dict(filter(is_pair, self.estimators)) if _is_list(self.estimators) else {}
        given = {name: params.pop(name) for name in pairs if name in params}
        if given:
            changed = [
                (entry[0], given.get(entry[0], entry[1])) if is_pair(entry) else entry for entry in self.estimators
            ]
            self.estimators = type(self.estimators)(changed)
        return super().set_params(**params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get where metadata is routed: weights to the members, groups to the splitter.

        Returns
        -------
        MetadataRouter
            Requests of the ensemble, its members and its splitter.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router.add(method_mapping=to_fit, **dict(self._read_members(None)))
        splitter = check_cv(self.cv, classifier=is_classifier(self))
        return router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))

    @restores_on_failure
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the members on folds, learn their weights from the out-of-fold predictions, and fit them to all rows.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw pandas, polars or arrow table; each member encodes it by itself.
        y : array-like of shape (n_rows,)
            Target, without gaps.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for the members and for the weights of the members. Members that take none are left
            out, with a warning.
        groups : array-like of shape (n_rows,), default=None
            Groups, or times, of the rows, for the splitter `cv`.

        Returns
        -------
        self
        """
        clock = Clock(self.time_budget)
        self._validate_params()
        frame = read_frame(X)
        to_columns(frame)  # raises before any work if values are infinite
        check_row_labels(X, y=y, sample_weight=sample_weight, groups=groups)
        y = self._check_fit_target(y, len(frame))
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        has_weight = np.zeros(len(y), dtype=bool)
        has_weight[read_weights(sample_weight, len(y)).rows] = True
        if _routing_enabled():
            given = {"sample_weight": sample_weight, "groups": groups}
            process_routing(self, "fit", **{name: value for name, value in given.items() if value is not None})
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        members = self._read_members(seed)
        data = MemberRows(X, frame, y, weights, self._learn_classes(y[has_weight]))
        folds = keep_weighted(self._make_folds(data, groups, seed), has_weight)
        learn_names(self, X, frame)
        with distinct_warnings():
            self._fit_members(members, data, folds, np.flatnonzero(has_weight), clock)
        return self

    @property
    def preprocessor_(self) -> Any:
        """The preprocessor of the first member that has one."""
        for model in getattr(self, "estimators_", ()):
            if hasattr(model, "preprocessor_"):
                return model.preprocessor_
        raise AttributeError("None of the members has a preprocessor.")

    def _read_members(self, seed: int | None) -> Members:
        return read_members("estimators", self.estimators, of_classes=is_classifier(self), seed=seed)

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        target = check_target(y, n_rows, type(self).__name__, numeric=not is_classifier(self))
        return column_or_1d(target, warn=True)

    def _make_folds(self, data: MemberRows, groups: Any, seed: int) -> Folds:
        codes = None if data.classes is None else np.unique(data.y, return_inverse=True)[1]
        return make_folds(self.cv, data.frame, data.y, groups, codes=codes, n_repeats=self.n_repeats, seed=seed)

    def _fit_members(self, members: Members, data: MemberRows, folds: Folds, rows: np.ndarray, clock: Clock) -> None:
        seen = data.seen_with_class(folds)
        n_steps = len(members) * (len(folds) + self.refit)
        with show_progress("Fitting members", n_steps, self.verbose) as progress:
            passes = self._pass_over_folds(members, data, folds, rows, clock, progress)
            self._learn_weights(passes, data, seen)
            used = [found for found in passes if self.weights_[found.name] > 0]
            clock.reserved = 0.0
            if self.refit:
                _refit(used, data, rows, clock, progress)
        self.estimators_ = [model for found in used for model in found.fits]
        self.estimator_weights_ = np.array(
            [self.weights_[found.name] / len(found.fits) for found in used for _ in found.fits]
        )
        self._keep_calibration([found.calibration for found in used for _ in found.fits])

    def _pass_over_folds(
        self,
        members: Members,
        data: MemberRows,
        folds: Folds,
        rows: np.ndarray,
        clock: Clock,
        progress: Progress,
    ) -> list[OutOfFold]:
        """Predict out of fold with the members, and return those that could be fitted in time."""
        clock.reserved = _SPARE_TIME * (clock.budget or 0.0)
        passes: list[OutOfFold] = []
        errors: dict[str, Exception] = {}
        for name, estimator in members:
            try:
                with clock.limit():
                    found = self._predict_member(name, estimator, data, folds, rows, clock, progress)
                    self._check_finite(found)
                    self._calibrate_member(found, data)
            except Exception as error:
                errors[name] = error
                continue
            passes.append(found)
            if self.refit and not found.is_final and found.refitted is None:
                clock.reserved += _REFIT_TIME * found.fit_seconds / len(folds)
            progress.add_row(self._describe(found, data))
        self._report_errors(errors, len(members), clock)
        return passes

    def _predict_member(
        self,
        name: str,
        estimator: Any,
        data: MemberRows,
        folds: Folds,
        rows: np.ndarray,
        clock: Clock,
        progress: Progress,
    ) -> OutOfFold:
        """Predict rows a member has not seen: by its own out-of-bag or held-out rows if enough, else by the folds."""
        refitted = None
        if self.use_oob and is_random(self.cv) and predicts_unseen(estimator):
            found = predict_unseen(name, estimator, data, rows)
            if (~np.isnan(found.prediction[:, 0])).sum() >= min(len(rows), _ENOUGH_ROWS):
                for _ in range(len(folds) + self.refit):
                    progress.advance()
                return found
            refitted = found.fits[0]
        keeps_fits = not self.refit or clock.budget is not None
        found = predict_out_of_fold(
            name, estimator, data, folds, keeps_fits=keeps_fits, clock=clock, advance=progress.advance
        )
        found.refitted = refitted
        return found

    def _check_finite(self, found: OutOfFold) -> None:
        if np.isinf(found.prediction).any():
            raise ValueError("it predicts infinite values")

    def _report_errors(self, errors: dict[str, Exception], n_members: int, clock: Clock) -> None:
        if len(errors) == n_members:
            first = next(iter(errors.values()))
            if not isinstance(first, OutOfTime):
                raise first
            raise ValueError(
                f"time_budget={self.time_budget} is too short for any of the members {', '.join(errors)} to be fitted "
                "on all folds: raise it, or pass fewer folds or smaller members."
            ) from first
        for name, error in errors.items():
            reason = "the time budget is spent" if isinstance(error, OutOfTime) else f"{type(error).__name__}: {error}"
            warn_caller(f"Member {name!r} is left out: {reason}")

    def _learn_weights(self, passes: list[OutOfFold], data: MemberRows, seen: np.ndarray) -> None:
        """Set the weights, the leaderboard and the out-of-fold predictions of the ensemble."""
        known = seen & np.all([~np.isnan(found.prediction[:, 0]) for found in passes], axis=0)
        if data.weights is not None:
            known &= data.weights > 0
        if not known.any():
            raise ValueError("No row is predicted out of fold by all members: pass more folds or rows.")
        row_weights = np.ones(int(known.sum())) if data.weights is None else data.weights[known]
        values = np.column_stack([self._row_values(found.prediction, data)[known] for found in passes])
        chosen = self._choose_weights(values, data.y[known], row_weights) if len(passes) > 1 else np.ones(1)
        self.weights_ = {found.name: float(weight) for found, weight in zip(passes, chosen, strict=True)}
        self.leaderboard_ = self._make_leaderboard(passes, values, data.y[known], row_weights)
        blended = sum(weight * found.prediction for weight, found in zip(chosen, passes, strict=True) if weight > 0)
        self._keep_out_of_fold(blended, data, known, row_weights)

    def _make_leaderboard(
        self, passes: list[OutOfFold], values: np.ndarray, y: np.ndarray, row_weights: np.ndarray
    ) -> pd.DataFrame:
        errors = [self._error(column, y, row_weights) for column in values.T]
        table = pd.DataFrame(
            {
                "member": [found.name for found in passes],
                self._metric: [error for error, _ in errors],
                "standard_error": [error for _, error in errors],
                "weight": [self.weights_[found.name] for found in passes],
                "fit_seconds": [found.fit_seconds for found in passes],
                "predict_seconds": [found.predict_seconds for found in passes],
            }
        )
        return table.sort_values(self._metric, kind="stable", ignore_index=True)

    def _describe(self, found: OutOfFold, data: MemberRows) -> dict[str, str]:
        """Return a row of the progress table."""
        values = self._row_values(found.prediction, data)
        known = ~np.isnan(values)
        row_weights = np.ones(len(values)) if data.weights is None else data.weights
        error, standard_error = self._error(values[known], data.y[known], row_weights[known])
        seconds = f"{found.fit_seconds + found.predict_seconds:.1f}"
        return {"member": found.name, self._metric: f"{error:.4g}", "±": f"{standard_error:.2g}", "seconds": seconds}

    def _blend(self, X: Any) -> np.ndarray:
        """Return the weighted mean of the members: (n_rows, 1), or (n_rows, n_classes) of probabilities."""
        check_is_fitted(self)
        frame = align_names(self, X, read_frame(X))
        given = frame if hasattr(self, "feature_names_in_") else frame.to_numpy()
        total: Any = 0.0
        with distinct_warnings():
            for position, (weight, model) in enumerate(zip(self.estimator_weights_, self.estimators_, strict=True)):
                predicted = predict_values(model, given, getattr(self, "classes_", None))
                total = total + weight * self._calibrate(predicted, position)
        return total

    # Probabilities are calibrated; numbers stay as they are.

    def _calibrate_member(self, found: OutOfFold, data: MemberRows) -> None:
        """Learn the calibration of a member, and apply it to its out-of-fold predictions."""

    def _keep_calibration(self, by_estimator: list[Calibration]) -> None:
        """Set the calibration of each of `estimators_`."""

    def _calibrate(self, predicted: np.ndarray, position: int) -> np.ndarray:
        """Return the calibrated predictions of one of `estimators_`."""
        return predicted

    # A subclass defines the loss and the prediction.

    @abstractmethod
    def _learn_classes(self, y: np.ndarray) -> np.ndarray | None:
        """Set `classes_`, and return them; None for numbers."""

    @abstractmethod
    def _row_values(self, prediction: np.ndarray, data: MemberRows) -> np.ndarray:
        """Return one value per row that the loss depends on: the number, or the probability of the true class."""

    @abstractmethod
    def _choose_weights(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
        """Return the weights of the members, from their values (n_rows, n_members)."""

    @abstractmethod
    def _error(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> tuple[float, float]:
        """Return the error of the values of a member, and its standard error over rows."""

    @abstractmethod
    def _keep_out_of_fold(
        self, blended: np.ndarray, data: MemberRows, known: np.ndarray, row_weights: np.ndarray
    ) -> None:
        """Set the out-of-fold predictions of the ensemble."""


def _refit(used: list[OutOfFold], data: MemberRows, rows: np.ndarray, clock: Clock, progress: Progress) -> None:
    """Fit members to all rows; those for which there is no time keep their fits of the folds."""
    for found in used:
        if found.is_final:
            continue
        if found.refitted is not None:
            found.fits = [found.refitted]
            progress.advance()
            continue
        try:
            clock.check(found.fit_seconds / max(len(found.fits), 1) if clock.budget is not None else 0.0)
            with clock.limit():
                found.fits = [data.fit(found.estimator, rows)]
        except OutOfTime:
            continue
        progress.advance()


def _is_list(given: Any) -> bool:
    return isinstance(given, (list, tuple))
