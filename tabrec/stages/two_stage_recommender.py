"""`TwoStageRecommender`: candidates of several recommenders, ranked by a model of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval

from tabrec.collab.explanation import Explanation
from tabrec.collab.popular import read_days
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.recommender import Recommender
from tabrec.stages.two_stage_scorer import TwoStageScorer
from tabrec.tables.names import check_named


class TwoStageRecommender(RankingRecommender):
    """Candidates retrieved by several recommenders and ranked by a model of tables.

    Each retriever lists its best items for a user; those highest in any list, or in the weighted sum of the scores, are
    the candidates. The ranker, any classifier or regressor, learns which candidates users take from the scores and
    ranks of the retrievers, the histories of user and item, their features and the context. It is trained on
    interactions that are held out from the retrievers and from the histories. A score is the weighted sum of the
    ranker's prediction and the retrievers' scores.

    Parameters
    ----------
    retrievers : sequence of Recommender, default=None
        Unfitted recommenders of any kind; None takes `EASE`, `ImplicitALS`, `ItemKNN` and `Popular`. They learn from
        the ids and side tables of this estimator; their own parameters `user`, `item`, `user_features` and
        `item_features` are ignored.
    ranker : classifier or regressor, default=None
        Unfitted model of the frame of features, whose target is 1 for candidates that are taken and 0 for others. None
        takes the mean of the probabilities of logistic regression and of a `BoostingClassifier` of 80 small trees.
    n_candidates : int, default=200
        Number of candidates per user. Other items are ordered by the retrievers, below most candidates.
    weights : array-like of shape (n_retrievers,), default=None
        Weights of the retrievers in the sum of their scores, at least 0. None weights those that are given equally; of
        the retrievers by default, `EASE` and `ImplicitALS` alone.
    ranker_weight : float, default=0.5
        Weight of the ranker's prediction in the score, 0 to 1; the rest is that of the retrievers. Both are
        standardised per user.
    n_draws : int, default=4
        Number of parts that are held out in turn; the retrievers are fitted to the rest of each.
    validation_fraction : float, default=0.2
        Share of the interactions in a part: of each user's interactions, or, with `time`, of all.
    time : str, default=None
        Column of the times of the interactions, dates or seconds. With it, parts are held out from a moment on, so that
        the ranker learns to predict later interactions, and histories show how recent they are.
    context : list of str, default=()
        Further columns of X for the ranker, known when recommendations are made, such as the device or the weekday.
        They are labels, numbers or dates. The ranker learns from the context of the interactions held out.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them, for the ranker and for the retrievers.
    random_state : int, RandomState or None, default=None
        Seed of the parts, and of retrievers and a ranker whose own `random_state` is None.

    Attributes
    ----------
    ranker_ : classifier or regressor
        The fitted ranker; None where no candidate is among the interactions held out.
    weights_ : pandas.Series of shape (n_retrievers,)
        Weight of each retriever in the sum of their scores, by the name of its features; they sum to 1.
    feature_names_ : list of str
        Columns of the frame that the ranker learned from.
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
    BlendedRecommender : The weighted sum alone, in a fraction of the time.
    tabrec.interpret.contributions : Explains the ranker's predictions.

    Notes
    -----
    The ranker learns from at most a million candidates, of users drawn at random where there are more.

    `partial_fit` updates the retrievers and the histories, but not the ranker, and `new_user` represents a user in all
    retrievers. Items that the user has are not ranked by the ranker: with `exclude_seen=False` the retrievers alone
    order them.

    References
    ----------
    Covington, Adams & Sargin (2016), "Deep neural networks for YouTube recommendations".

    Examples
    --------
    >>> from tabrec import EASE, BoostingClassifier, ItemKNN, TwoStageRecommender
    >>> from tabrec.datasets import make_ratings
    >>> clicks = make_ratings(3_000, n_users=100, n_items=60, random_state=0)[["user", "item"]]
    >>> ranker = BoostingClassifier(max_iter=20)
    >>> model = TwoStageRecommender([EASE(50.0), ItemKNN()], ranker, n_candidates=20, random_state=0).fit(clicks)
    >>> len(model.recommend(1, n=5))
    5
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "retrievers": ["array-like", None],
        "ranker": [HasMethods(["fit", "predict"]), None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "weights": ["array-like", None],
        "ranker_weight": [Interval(Real, 0, 1, closed="both")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "time": [str, None],
        "context": ["array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        retrievers: Sequence[Recommender] | None = None,
        ranker: Any = None,
        *,
        n_candidates: int = 200,
        weights: Any = None,
        ranker_weight: float = 0.5,
        n_draws: int = 4,
        validation_fraction: float = 0.2,
        time: str | None = None,
        context: Sequence[str] = (),
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        random_state: Any = None,
    ):
        self.retrievers = retrievers
        self.ranker = ranker
        self.n_candidates = n_candidates
        self.weights = weights
        self.ranker_weight = ranker_weight
        self.n_draws = n_draws
        self.validation_fraction = validation_fraction
        self.time = time
        self.context = context
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.random_state = random_state

    @property
    def ranker_(self) -> Any:
        """The fitted ranker."""
        return self._two_stage_scorer().ranker

    @property
    def weights_(self) -> pd.Series:
        """Weight of each retriever, by the name of its features."""
        scorer = self._two_stage_scorer()
        return pd.Series(scorer.weights, index=scorer.lists()[:-1], name="weight")

    @property
    def feature_names_(self) -> list[str]:
        """Columns of the frame that the ranker learned from."""
        return self._two_stage_scorer().background.columns.tolist()

    def explain(self, user: Any, item: Any, *, n: int = 5) -> Explanation:
        """Explain a score by its parts, by the features of the pair and by the user's interactions.

        Parameters
        ----------
        user, item : id
            Either may be unknown.
        n : int, default=5
            Number of the user's interactions, and of features, to show.

        Returns
        -------
        Explanation
            `parts` sum to the score: "features" is the ranker's share that is due to histories, side tables and
            context, and "factors" that of the retrievers. `features` has the contribution of each feature of a
            candidate to the score, by `contributions` of the ranker, the largest first; it has no rows for other items.
            `ratings` has the contributions of the user's interactions to the scores of the retrievers.
        """
        found = super().explain(user, item, n=n)
        users, items = self._reader.users.ids.encode_list(user), self._reader.items.ids.encode_list(item)
        return replace(found, features=self._two_stage_scorer().reasons(int(users[0]), int(items[0])).head(n))

    def _make_scorer(self) -> TwoStageScorer:
        return TwoStageScorer(self.get_params(deep=False))

    def _two_stage_scorer(self) -> TwoStageScorer:
        return cast(TwoStageScorer, self._fitted_scorer())

    def _read_days(self, frame: pd.DataFrame) -> np.ndarray | None:
        if self.time is None:
            return None
        return read_days(frame, check_named("time", [self.time], frame.columns.tolist())[0])
