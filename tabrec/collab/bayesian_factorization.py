"""`BayesianFactorization`: biases and factors as a posterior distribution, by Gibbs sampling."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, cast

import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.collab.duplicates import DUPLICATES
from tabrec.collab.posterior import (
    Posterior,
)
from tabrec.collab.posterior_scorer import PosteriorScorer
from tabrec.collab.rating_recommender import RatingRecommender
from tabrec.tables.verbosity import VERBOSE


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
    implicit_feedback : bool, default=True
        Whether the prior mean of a row depends on the ids it has ratings with.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them.
        Ids without a rating are predicted by their features.
    duplicates : {"all", "last", "mean"}, default="all"
        The ratings that count if a pair is rated more than once: all, that of the last row, or their mean. A later
        call of `partial_fit` comes after all earlier rows.
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
    Predictions are clipped to the range of the ratings. Where ratings are skewed, such as counts, the noise is the same
    for all ids. `partial_fit` of up to 5 % of all ratings draws the rows of their users and items again in each sample;
    otherwise it continues the chain on all ratings, for a third of the sweeps. `new_user` draws the user's row given
    the ratings, for each sample. The model keeps the ratings.

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
        "duplicates": DUPLICATES,
        **RatingRecommender._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "n_burn_in": [Interval(Integral, 0, None, closed="left")],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions({"normal", "ordinal"})],
        "implicit_feedback": ["boolean"],
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
        implicit_feedback: bool = True,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        duplicates: str = "all",
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.n_sweeps = n_sweeps
        self.n_burn_in = n_burn_in
        self.n_samples = n_samples
        self.likelihood = likelihood
        self.implicit_feedback = implicit_feedback
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.duplicates = duplicates
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
