"""`ImplicitALS`: factors of users and items from interactions, by alternating least squares."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.collab.implicit_als_scorer import ImplicitALSScorer
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.tables.verbosity import VERBOSE


class ImplicitALS(RankingRecommender):
    """Matrix factorisation of interactions: each pair that occurs should score 1, each that does not, weakly, 0.

    The loss is ``Σ_observed s (1 - u·v)² + unobserved_weight · Σ_all (u·v)²`` plus a ridge penalty on each row that
    grows with its number of interactions. The rows of users and of items are improved in turn by a few steps of
    conjugate gradients (on a GPU, solved exactly), so that the loss falls with every half step. The time of a fit is
    proportional to the number of interactions.

    Parameters
    ----------
    n_factors : int, default=32
        Length of the factor vectors.
    n_iterations : int, default=16
        Number of times that all rows are solved.
    regularization : float, default=0.015
        Ridge penalty per interaction, the unobserved ones included with their weight.
    unobserved_weight : float, default=0.3
        Weight of the pairs without an interaction.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them. Users and items
        without interactions, but with features, have the factors that a ridge regression on the features predicts.
    device : str, default="auto"
        "auto" uses the GPU if there is one.
    verbose : bool, int or "auto", default="auto"
        Whether to show the progress and the time left; "auto" does so in terminals and notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of the initial factors; an int gives the same model each time.

    Attributes
    ----------
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
        Factors by id.
    user_vectors_, item_vectors_ : pandas.DataFrame
        The factors, whose cosine similarity `similar_users` and `similar_items` use.
    users_, items_ : pandas.Index
        Ids with interactions.
    user_name_, item_name_ : str
        Columns of the ids.
    ratings_ : pandas.DataFrame
        All interactions that the model holds: `user`, `item` and `rating`, the value of y or 1.
    user_counts_, item_counts_ : pandas.Series
        Number of interactions by id.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in fit, where X named them.

    Raises
    ------
    ValueError
        No row has both ids, a value of y is missing or not positive, or there are fewer than two columns.

    See Also
    --------
    EASE : Weights between all items: more accurate for catalogues of up to some ten thousand items.
    BPR : Factors trained to order pairs of items.

    Notes
    -----
    `new_user` solves one row. `partial_fit` solves the rows of the users and items of the new interactions. The
    contributions of an explanation sum to the score (Hu, Koren & Volinsky 2008, section 5).

    References
    ----------
    Hu, Koren & Volinsky (2008), "Collaborative filtering for implicit feedback datasets". Takács, Pilászy & Tikk
    (2011), "Applications of the conjugate gradient method for implicit feedback collaborative filtering". Rendle,
    Krichene, Zhang & Koren (2022), "Revisiting the performance of iALS on item recommendation benchmarks".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import ImplicitALS
    >>> clicks = pd.DataFrame({"user": [1, 1, 2, 2, 3, 4, 4], "item": ["a", "b", "a", "b", "a", "c", "d"]})
    >>> ImplicitALS(n_factors=2, random_state=0).fit(clicks).recommend(3, n=1)["item"].tolist()
    ['b']
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_iterations": [Interval(Integral, 1, None, closed="left")],
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "unobserved_weight": [Interval(Real, 0, None, closed="neither")],
        "verbose": VERBOSE,
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_factors: int = 32,
        *,
        n_iterations: int = 16,
        regularization: float = 0.015,
        unobserved_weight: float = 0.3,
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        device: Any = "auto",
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.n_iterations = n_iterations
        self.regularization = regularization
        self.unobserved_weight = unobserved_weight
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _make_scorer(self) -> ImplicitALSScorer:
        return ImplicitALSScorer(self.get_params(deep=False))
