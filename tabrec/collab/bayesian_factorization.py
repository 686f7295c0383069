"""`BayesianFactorization`: biases and factors as a posterior distribution, by Gibbs sampling."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from rich.progress import track
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from tabrec.collab._factors import FactorRecommender, RowPrior
from tabrec.collab._gibbs import GibbsPlan, GibbsState, sample
from tabrec.collab._gibbs_posterior import (
    Posterior,
    feature_effects,
    fold_in,
    predict_pairs,
    prior_rows,
    score_block,
)
from tabrec.collab._gibbs_priors import history_matrix
from tabrec.collab._ordinal import probabilities
from tabrec.collab._ratings import Ratings
from tabrec.collab._reading import Context, Pairs

# Of an ordinal scale, at most so many steps.
_MOST_LEVELS = 1000
# The share of the sweeps that `partial_fit` makes.
_SHARE_OF_MORE = 3


class BayesianFactorization(FactorRecommender):
    """Matrix factorisation with biases, averaged over its posterior distribution.

    A rating is mean + user bias + item bias + user factors · item factors + noise. Rows of users and of items are
    normal, around a mean that is linear in their features and in their history (whom one has ratings with); how far
    around, how much either tells and how noisy each user's and item's ratings are is learned too. Gibbs sampling draws
    all of it in turn; a prediction is the mean over the samples kept, and their spread says how sure it is. There is no
    learning rate and hardly anything to tune.

    Parameters
    ----------
    n_factors : int, default=10
    n_sweeps : int, default=300
        How often everything is drawn; 100 are nearly as good.
    n_burn_in : int, default=60
        Sweeps before the first sample is kept; at most a third of them.
    n_samples : int, default=100
        How many samples to keep, evenly spaced: what the model's size and the time of a prediction grow with.
    likelihood : {"normal", "ordinal"}, default="normal"
        "ordinal" takes ratings for ranks on a scale of its own, with learned cutpoints.
    history : bool, default=True
        Whether a row's mean depends on whom it has ratings with.
    user, item : str, default=None
        Columns of the ids; None is the first and the second one.
    user_features, item_features : pandas.DataFrame, default=None
        What is known of users and items, indexed by id, of any kinds of columns; `TabularPreprocessor` encodes them.
        Ids without a rating are predicted by their features.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    posterior_ : Posterior
        The samples.
    mean_rating_ : float
    user_bias_, item_bias_ : pandas.Series
        Posterior mean, by id.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
        Those whose products are nearest to the posterior mean of the products: samples may be turned against each
        other.
    users_, items_ : pandas.Index
        Ids with ratings.
    user_name_, item_name_ : str
        Columns of the ids.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        No id in any row, a missing rating, columns that look swapped, fewer than two columns; more than 1,000 distinct
        ratings for an ordinal likelihood.

    See Also
    --------
    DotProductBias : One estimate of the same model, for many millions of ratings.

    Notes
    -----
    Predictions are kept between the least and the greatest rating seen. `partial_fit` goes on with the chain on all
    ratings, for a third of the sweeps. `new_user` draws the user's row given the ratings, for each sample. The ratings
    are kept with the model.

    References
    ----------
    Salakhutdinov & Mnih (2008), "Bayesian probabilistic matrix factorization using Markov chain Monte Carlo". Simm et
    al. (2017), "Macau: scalable Bayesian factorization with high-dimensional side information using MCMC". Koren
    (2008), "Factorization meets the neighborhood". Rendle, Zhang & Koren (2019), "On the difficulty of evaluating
    baselines".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.datasets import make_ratings
    >>> ratings = make_ratings(5_000, random_state=0)
    >>> model = BayesianFactorization(n_sweeps=30, random_state=0).fit(ratings[["user", "item"]], ratings["rating"])
    >>> asked = pd.DataFrame({"user": [5, 5], "item": [10, 999_999]})
    >>> predicted, std = model.predict(asked, return_std=True)
    >>> bool(std[0] < std[1])
    True
    >>> new = model.new_user({10: 5.0, 20: 1.0})
    >>> new.predict(pd.DataFrame({"user": ["new user"], "item": [30]}), return_path=True)[1].tolist()
    ['fold-in']
    """

    _parameter_constraints: ClassVar[dict] = {
        **FactorRecommender._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "n_burn_in": [Interval(Integral, 0, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions({"normal", "ordinal"})],
        "history": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }
    posterior_: Posterior
    _designs: tuple[np.ndarray | None, np.ndarray | None]

    def __init__(
        self,
        n_factors: int = 10,
        n_sweeps: int = 300,
        *,
        n_burn_in: int = 60,
        n_samples: int = 100,
        likelihood: str = "normal",
        history: bool = True,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.n_sweeps = n_sweeps
        self.n_burn_in = n_burn_in
        self.n_samples = n_samples
        self.likelihood = likelihood
        self.history = history
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.verbose = verbose
        self.random_state = random_state

    def predict(self, X: Any, *, return_std: bool = False, return_path: bool = False) -> Any:
        """Predict ratings, of unknown users and items too.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Ids of users and items, in columns named as in fit; an array is read by position.
        return_std : bool, default=False
            Whether to give the standard deviation of a rating around its prediction: what is not known of the model,
            and the noise of ratings. Nine in ten ratings lie within 1.645 of it.
        return_path : bool, default=False
            Whether to tell how each prediction came about; see `DotProductBias.predict`.

        Returns
        -------
        predicted : ndarray of shape (n_pairs,)
            Never NaN.
        std : ndarray of shape (n_pairs,)
            Only with `return_std`.
        path : ndarray of shape (n_pairs,), object
            Only with `return_path`.

        Raises
        ------
        ValueError
            No rows, a column is missing, or ids are of another type than in fit ("196" for 196).
        """
        check_is_fitted(self)
        pairs = self._read_pairs(X)
        mean, variance = predict_pairs(self.posterior_, pairs.users, pairs.items)
        found = [self._with_mean(pairs, self._to_ratings(mean))]
        if return_std:
            found.append(np.sqrt(variance))
        if return_path:
            found.append(self._paths(pairs))
        return tuple(found) if len(found) > 1 else found[0]

    @property
    def _means(self) -> np.ndarray:  # type: ignore[override]
        return self.posterior_.mean

    @property
    def _user_rows(self) -> np.ndarray:  # type: ignore[override]
        return self.posterior_.users.transpose(1, 0, 2)

    @property
    def _item_rows(self) -> np.ndarray:  # type: ignore[override]
        return self.posterior_.items.transpose(1, 0, 2)

    def _check_values(self, values: np.ndarray) -> None:
        levels = self.posterior_.levels
        if levels is not None and not np.isin(values, levels).all():
            odd = values[~np.isin(values, levels)][0]
            raise ValueError(f"The rating {odd:g} is none of those in fit, as likelihood='ordinal' needs: {levels}.")

    def _check_given(self, values: np.ndarray) -> None:
        super()._check_given(values)
        low, high = self._range
        outside = values[(values < low) | (values > high)]
        if len(outside):
            raise ValueError(f"The rating {outside[0]:g} lies outside {low:g} to {high:g}, the ratings in fit.")

    def _learn(self, context: Context) -> None:
        values = self._ratings.values
        if self.likelihood == "ordinal" and len(np.unique(values)) > _MOST_LEVELS:
            raise ValueError(
                f"likelihood='ordinal' is for ratings on a scale of at most {_MOST_LEVELS} steps, but there are "
                f"{len(np.unique(values))} distinct ones: set likelihood='normal'."
            )
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self._sample(int(self.n_sweeps), None)

    def _learn_more(self, more: Ratings, context: Context, new_users: np.ndarray, new_items: np.ndarray) -> None:
        self._seed += 1
        self._sample(max(1, int(self.n_sweeps) // _SHARE_OF_MORE), self._state)

    def _sample(self, n_sweeps: int, start: GibbsState | None) -> None:
        ratings = self._ratings
        plan = GibbsPlan(
            n_factors=int(self.n_factors),
            n_sweeps=n_sweeps,
            n_burn_in=min(int(self.n_burn_in), n_sweeps // 3),
            n_kept=int(self.n_samples),
            likelihood=self.likelihood,
            history=bool(self.history),
        )
        if start is not None:  # a chain goes on as what it was begun
            plan = replace(
                plan,
                n_factors=start.users.rows.shape[1] - 1,
                likelihood="normal" if start.cutpoints is None else "ordinal",
                history=start.users.history_weights is not None,
            )
        users, items = (None if side.table is None else side.table.design() for side in self._sides)
        self._designs = users, items
        with _progress(n_sweeps, self.verbose) as on_sweep:
            self.posterior_, self._state = sample(
                ratings.users,
                ratings.items,
                ratings.values,
                ratings.weights,
                self._users.n_codes,
                self._items.n_codes,
                users,
                items,
                plan,
                np.random.default_rng(self._seed),
                start,
                on_sweep,
            )
        self._range = float(ratings.values.min()), float(ratings.values.max())

    def _fold_in(self, given: Ratings, users: np.ndarray) -> None:
        old, n_new = self.posterior_, self._users.n_codes - self.posterior_.users.shape[1]
        made = copy.copy(old)
        made.users = np.pad(old.users, ((0, 0), (0, n_new), (0, 0)))
        made.user_noise = np.concatenate([old.user_noise, np.repeat(old.user_noise[:, :1], n_new, axis=1)], axis=1)
        if self._designs[0] is not None:
            self._designs = np.pad(self._designs[0], ((0, n_new), (0, 0))), self._designs[1]
        position = np.searchsorted(users, given.users)
        features = None if self._designs[0] is None else self._designs[0][users]
        # By their ratings alone, so that no user depends on who else is new.
        own = (given.users == user for user in users)
        rngs = [self._make_rng(given.items[rows], given.values[rows]) for rows in own]
        made.users[:, users] = fold_in(
            old, "user", given.items, given.values, position, len(users), features, rngs=rngs
        )
        self.posterior_ = made

    def _make_rng(self, items: np.ndarray, values: np.ndarray) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(items.tobytes()), zlib.crc32(values.tobytes())])

    def _score(self, pairs: Pairs) -> np.ndarray:
        return self._to_ratings(predict_pairs(self.posterior_, pairs.users, pairs.items)[0])

    def _to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return np.clip(scores, *self._range)

    def _score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return score_block(self.posterior_, users, items)

    def _explain(self, user: int, item: int) -> dict[str, float]:
        parts = super()._explain(user, item)
        # What leads out of the range of ratings is taken back from all parts alike.
        whole, inside = sum(parts.values()), float(np.clip(sum(parts.values()), *self._range))
        if whole != inside:
            share = (inside - parts["mean"]) / (whole - parts["mean"])
            parts = {name: part if name == "mean" else part * share for name, part in parts.items()}
        return parts

    def _rate(self, sums: np.ndarray) -> np.ndarray:
        levels, cutpoints = self.posterior_.levels, self.posterior_.cutpoints
        if levels is None or cutpoints is None:
            return sums
        of_samples = [probabilities(sums[..., s], cutpoints[s]) @ levels for s in range(len(cutpoints))]
        return np.stack(of_samples, axis=-1)

    def _feature_rows(self, kind: str, code: int) -> np.ndarray:
        design = self._designs[kind != "user"]
        if design is None:
            return np.zeros((len(self._means), self._user_rows.shape[2]))
        side: Literal["user", "item"] = "user" if kind == "user" else "item"
        return feature_effects(self.posterior_, side, design[code : code + 1])[:, 0]

    def _row_prior(self, user: int) -> RowPrior:
        prior = self.posterior_.user_prior
        rated = self._ratings.items[self._ratings.of_user(user)]
        history = history_matrix(np.zeros(len(rated), np.int64), rated, (1, self._items.n_codes))
        features = None if self._designs[0] is None else self._designs[0][user : user + 1]
        mean = prior_rows(self.posterior_, "user", features, history)[:, 0]
        return RowPrior(mean, prior.precision)

    def _noise_precision(self, user: int, rated: np.ndarray, slope: np.ndarray) -> np.ndarray:
        posterior = self.posterior_
        noise = posterior.noise_precision[:, None] * posterior.user_noise[:, [user]] * posterior.item_noise[:, rated]
        return noise / np.maximum(slope, 1e-3) ** 2


@contextmanager
def _progress(n_sweeps: int, verbose: int) -> Iterator[Callable[[int], Any] | None]:
    """Calls to make after each sweep, which move a bar where `verbose` asks for one."""
    if not verbose:
        yield None
        return
    bar = iter(track(range(n_sweeps), description="sampling"))
    next(bar)
    yield lambda sweep: next(bar, None)
    for _ in bar:
        pass
