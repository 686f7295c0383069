"""`BayesianFactorization`: biases and factors as a posterior distribution, by Gibbs sampling."""

from __future__ import annotations

import copy
import zlib
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Literal, cast

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.collab.factors import Factors, RowPrior
from tabrec.collab.gibbs import GibbsPlan, GibbsState, sample
from tabrec.collab.gibbs_draws import history_matrix, probabilities
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.posterior import Posterior, feature_effects, fold_in, predict_pairs, prior_rows, score_block
from tabrec.collab.rating_recommender import RatingRecommender
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.tables.progress import VERBOSE, quiet_if_auto, show_progress

# Maximum number of distinct ratings for the ordinal likelihood.
_MOST_LEVELS = 1000
# `partial_fit` makes a third of the sweeps of `fit`.
_SHARE_OF_MORE = 3


class BayesianFactorization(RatingRecommender):
    """Matrix factorisation with biases, averaged over its posterior distribution.

    A rating is mean + user bias + item bias + user factors · item factors + noise. The rows of users and of items have
    a normal prior, whose mean is linear in their features and in their history (which ids they have ratings with). The
    covariance of the prior, the weights of features and history, and the noise of each user and item are learned too.
    Gibbs sampling draws each of them in turn. A prediction is the mean over the kept samples; their spread measures its
    uncertainty. There is no learning rate and little to tune.

    Parameters
    ----------
    n_factors : int, default=10
        Length of the factor vectors.
    n_sweeps : int, default=300
        Number of sweeps, each of which draws all unknowns once; 100 are nearly as good.
    n_burn_in : int, default=60
        Number of sweeps before the first sample is kept; at most a third of `n_sweeps`.
    n_samples : int, default=100
        Number of evenly spaced samples to keep. The size of the model and the time of a prediction are proportional to
        it.
    likelihood : {"normal", "ordinal"}, default="normal"
        "ordinal" treats ratings as ordered categories with learned cutpoints.
    history : bool, default=True
        Whether the prior mean of a row depends on the ids it has ratings with.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them.
        Ids without a rating are predicted by their features.
    verbose : bool, int or "auto", default="auto"
        Whether to show the progress and the time left; "auto" does so in terminals and notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of all random numbers; an int gives the same model each time.

    Attributes
    ----------
    posterior_ : Posterior
        The samples.
    mean_rating_ : float
        Weighted mean of all ratings.
    user_bias_, item_bias_ : pandas.Series
        Posterior mean, by id.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
        The factors whose products are nearest to the posterior mean of the products; the factors of single samples may
        be rotated against each other.
    users_, items_ : pandas.Index
        Ids with ratings.
    user_name_, item_name_ : str
        Columns of the ids.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in fit, where X named them.
    ratings_ : pandas.DataFrame
        All ratings that the model holds: `user`, `item` and `rating`.
    user_counts_, item_counts_ : pandas.Series
        Number of ratings by id.
    user_vectors_, item_vectors_ : pandas.DataFrame
        Vectors by id, whose cosine similarity `similar_users` and `similar_items` use.

    Raises
    ------
    ValueError
        No row has both ids, a rating is missing, the columns look swapped, there are fewer than two columns, or more
        than 1,000 distinct ratings for the ordinal likelihood.

    See Also
    --------
    DotProductBias : A point estimate of the same model, for many millions of ratings.
    EmbeddingNN : A net that also uses the context of ratings.

    Notes
    -----
    Predictions are clipped to the range of the ratings. `partial_fit` continues the chain on all ratings, for a third
    of the sweeps. `new_user` draws the user's row given the ratings, for each sample. The model keeps the ratings.

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
        **RatingRecommender._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "n_burn_in": [Interval(Integral, 0, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions({"normal", "ordinal"})],
        "history": ["boolean"],
        "verbose": VERBOSE,
        "random_state": ["random_state"],
    }

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
        verbose: bool | int | str = "auto",
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
        """Predict ratings, including those of unknown users and items.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Ids of users and items, in columns named as in fit; the columns of an array are matched by position.
        return_std : bool, default=False
            Whether to return the standard deviation of each rating around its prediction, due to the uncertainty of the
            model and the noise of ratings. About 90 % of the ratings are within 1.645 standard deviations.
        return_path : bool, default=False
            Whether to return the source of each prediction; see `DotProductBias.predict`.

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
            X has no rows, a column is missing, or ids are of another type than in fit ("196" for 196).
        """
        pairs = self._read_pairs(X)
        predicted, std = cast(PosteriorScorer, self._fitted_scorer()).score_with_std(pairs)
        found = [self._with_mean(pairs, predicted)]
        if return_std:
            found.append(std)
        if return_path:
            found.append(self._paths(pairs))
        return tuple(found) if len(found) > 1 else found[0]

    @property
    def posterior_(self) -> Posterior:
        """The samples."""
        return cast(PosteriorScorer, self._fitted_scorer()).posterior

    def _make_scorer(self) -> PosteriorScorer:
        return PosteriorScorer(self.get_params(deep=False))


class PosteriorScorer(Scorer):
    """Samples the posterior distribution of biases and factors, and averages over the samples."""

    posterior: Posterior
    state: GibbsState
    designs: tuple[np.ndarray | None, np.ndarray | None]  # features of users and of items
    range: tuple[float, float]  # of the ratings
    seed: int

    def check_ratings(self, values: np.ndarray) -> None:
        levels = self.posterior.levels
        if levels is not None and not np.isin(values, levels).all():
            odd = values[~np.isin(values, levels)][0]
            raise ValueError(f"The rating {odd:g} does not occur in fit, as likelihood='ordinal' needs: {levels}.")

    def check_given(self, values: np.ndarray) -> None:
        self.check_ratings(values)
        low, high = self.range
        outside = values[(values < low) | (values > high)]
        if len(outside):
            raise ValueError(f"The rating {outside[0]:g} is outside {low:g} to {high:g}, the ratings in fit.")

    def fit(self, data: RatingsReader, context: Context = None) -> None:
        self.data = data
        n_levels = len(np.unique(data.ratings.values))
        if self.parameters["likelihood"] == "ordinal" and n_levels > _MOST_LEVELS:
            raise ValueError(
                f"likelihood='ordinal' takes at most {_MOST_LEVELS} distinct ratings, but there are {n_levels}: set "
                "likelihood='normal'."
            )
        self.seed = int(check_random_state(self.parameters["random_state"]).randint(np.iinfo(np.int32).max))
        self._sample(int(self.parameters["n_sweeps"]), None)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        self.data = data
        self.seed += 1
        self._sample(max(1, int(self.parameters["n_sweeps"]) // _SHARE_OF_MORE), self.state)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.data, old = data, self.posterior
        n_new = data.users.n_codes - old.users.shape[1]
        made = copy.copy(old)
        made.users = np.pad(old.users, ((0, 0), (0, n_new), (0, 0)))
        made.user_noise = np.concatenate([old.user_noise, np.repeat(old.user_noise[:, :1], n_new, axis=1)], axis=1)
        if self.designs[0] is not None:
            self.designs = np.pad(self.designs[0], ((0, n_new), (0, 0))), self.designs[1]
        position = np.searchsorted(users, given.users)
        features = None if self.designs[0] is None else self.designs[0][users]
        # Seeded by a user's own ratings, so that no user depends on the others that are new.
        own = (given.users == user for user in users)
        rngs = [self._make_rng(given.items[rows], given.values[rows]) for rows in own]
        made.users[:, users] = fold_in(
            old, "user", given.items, given.values, position, len(users), features, rngs=rngs
        )
        self.posterior = made

    def score(self, pairs: Pairs) -> np.ndarray:
        return self.to_ratings(predict_pairs(self.posterior, pairs.users, pairs.items)[0])

    def score_with_std(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """Predicted ratings, and the standard deviation of ratings around them."""
        mean, variance = predict_pairs(self.posterior, pairs.users, pairs.items)
        return self.to_ratings(mean), np.sqrt(variance)

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return score_block(self.posterior, users, items)

    def to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return np.clip(scores, *self.range)

    def vectors(self, kind: str) -> np.ndarray:
        return self.factor_model.vectors(kind)

    def factors(self, kind: str) -> np.ndarray:
        return self.factor_model.mean_factors(self.data.users.known(), self.data.items.known())[kind != "user"]

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.factor_model.biases(kind, codes)

    def explain(self, user: int, item: int) -> dict[str, float]:
        parts = self.factor_model.explain(
            user, item, (self._feature_rows("user", user), self._feature_rows("item", item))
        )
        # Where the sum is outside the range of ratings, all parts shrink alike.
        whole, inside = sum(parts.values()), float(np.clip(sum(parts.values()), *self.range))
        if whole != inside:
            share = (inside - parts["mean"]) / (whole - parts["mean"])
            parts = {name: part if name == "mean" else part * share for name, part in parts.items()}
        return parts

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        posterior = self.posterior

        def noise_precision(slope: np.ndarray) -> np.ndarray:
            noise = posterior.noise_precision[:, None] * posterior.user_noise[:, [user]]
            return noise * posterior.item_noise[:, rated] / np.maximum(slope, 1e-3) ** 2

        return self.factor_model.contributions(user, item, rated, values, self._row_prior(user), noise_precision)

    @property
    def factor_model(self) -> Factors:
        """The samples of rows as a factor model."""
        users, items = self.posterior.users.transpose(1, 0, 2), self.posterior.items.transpose(1, 0, 2)
        return Factors(self.posterior.mean, users, items, self._link)

    def _link(self, sums: np.ndarray) -> np.ndarray:
        levels, cutpoints = self.posterior.levels, self.posterior.cutpoints
        if levels is None or cutpoints is None:
            return sums
        of_samples = [probabilities(sums[..., s], cutpoints[s]) @ levels for s in range(len(cutpoints))]
        return np.stack(of_samples, axis=-1)

    def _sample(self, n_sweeps: int, start: GibbsState | None) -> None:
        ratings, parameters = self.data.ratings, self.parameters
        plan = GibbsPlan(
            n_factors=int(parameters["n_factors"]),
            n_sweeps=n_sweeps,
            n_burn_in=min(int(parameters["n_burn_in"]), n_sweeps // 3),
            n_kept=int(parameters["n_samples"]),
            likelihood=parameters["likelihood"],
            history=bool(parameters["history"]),
        )
        if start is not None:  # a chain keeps the model it started with
            plan = replace(
                plan,
                n_factors=start.users.rows.shape[1] - 1,
                likelihood="normal" if start.cutpoints is None else "ordinal",
                history=start.users.history_weights is not None,
            )
        sides = self.data.users, self.data.items
        users, items = (None if side.table is None else side.table.design() for side in sides)
        self.designs = users, items
        verbose = parameters["verbose"] if start is None else quiet_if_auto(parameters["verbose"])
        with show_progress("Sampling", n_sweeps, verbose) as progress:
            self.posterior, self.state = sample(
                ratings.users,
                ratings.items,
                ratings.values,
                ratings.weights,
                self.data.users.n_codes,
                self.data.items.n_codes,
                users,
                items,
                plan,
                np.random.default_rng(self.seed),
                start,
                lambda sweep: progress.advance(),
            )
        self.range = float(ratings.values.min()), float(ratings.values.max())

    def _make_rng(self, items: np.ndarray, values: np.ndarray) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(items.tobytes()), zlib.crc32(values.tobytes())])

    def _feature_rows(self, kind: Literal["user", "item"], code: int) -> np.ndarray:
        design = self.designs[kind != "user"]
        if design is None:
            return np.zeros((len(self.posterior.mean), self.posterior.users.shape[2]))
        return feature_effects(self.posterior, kind, design[code : code + 1])[:, 0]

    def _row_prior(self, user: int) -> RowPrior:
        ratings, prior = self.data.ratings, self.posterior.user_prior
        rated = ratings.items[ratings.of_user(user)]
        history = history_matrix(np.zeros(len(rated), np.int64), rated, (1, self.data.items.n_codes))
        features = None if self.designs[0] is None else self.designs[0][user : user + 1]
        mean = prior_rows(self.posterior, "user", features, history)[:, 0]
        return RowPrior(mean, prior.precision)
