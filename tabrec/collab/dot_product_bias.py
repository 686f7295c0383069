"""`DotProductBias`: biases and factors, trained as a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.collab.dot_product_scorer import DotProductScorer
from tabrec.collab.duplicates import DUPLICATES
from tabrec.collab.negatives import OBJECTIVE
from tabrec.collab.net_recommender import NetRecommender
from tabrec.collab.net_training import NET_CONSTRAINTS


class DotProductBias(NetRecommender):
    """Matrix factorisation with biases: a rating is mean + user bias + item bias + user factors · item factors.

    A sigmoid scales the sum to `y_range`. The training loop is that of `TabularRegressor`, on the GPU where there is
    one. Features of users and of items, where given, are mapped linearly to biases and factors, and the map is learned
    with them, so that ids with few or no ratings share the parameters of similar ids.

    Parameters
    ----------
    n_factors : int, default=50
        Length of the factor vectors.
    objective : {"rating", "ranking"}, default="rating"
        The quantity to learn: "rating" predicts ratings; "ranking" learns from interactions, which count as 1. For
        each, three items that the user does not have are drawn and count as 0. y is then optional and its values do not
        matter (`sample_weight` does); `predict` returns how likely the pair is beside drawn ones, from 0 to 1 with
        `y_range="auto"`; and `recommend` orders items by it.
    y_range : (float, float), "auto" or None, default="auto"
        Lowest and highest prediction. "auto" extends the range of the ratings by half a step, to (0.5, 5.5) for 1 to 5
        stars; None has no bounds.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them.
        Ids without a rating are predicted by their features.
    duplicates : {"all", "last", "mean"}, default="all"
        The ratings that count if a pair is rated more than once: all, that of the last row, or their mean. A later
        call of `partial_fit` comes after all earlier rows.
    bias : bool, default=True
        Whether users and items have biases. False is the plain product of factors, plus the mean.
    n_history : int, default=0
        Number of singular vectors of the 0/1 matrix of rated pairs that are added to the features, a low-rank form of
        the implicit feedback of SVD++; 32 is usually enough.
    row_penalty : float, default=0.095
        Ridge penalty on the rows of user and item, applied once per rating, in units of the squared error of
        standardised ratings.
    epochs : int, default=5
        Passes over the ratings.
    batch_size : int or "auto", default="auto"
        "auto" is 64 up to 100,000 ratings, and then a 1,250th of them.
    learning_rate : float, default=4e-3
        Maximum learning rate of the schedule.
    weight_decay : float, default=0.3
        Weight decay of the maps of features and history.
    init_std : float, default=0.01
        Standard deviation of the initial factors.
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
        The optimizer, as in `TabularRegressor`.
    schedule : {"one_cycle", "flat_cosine", "constant", "warm_restarts"}, default="one_cycle"
        Schedule of the learning rate, as in `TabularRegressor`.
    validation_fraction : float, default=None
        Share of the ratings held out for validation: `history_` has their loss, and the weights of the best epoch are
        kept.
    patience : int, default=None
        Number of epochs without a better validation loss after which training stops.
    metrics : sequence of str or callable, default=()
        Metrics of the validation ratings by epoch, as in `TabularRegressor`; `history_` has them.
    callbacks : sequence of callable, default=()
        Functions called during training, as in `TabularRegressor`.
    device : str, default="auto"
        "auto" uses the GPU if there is one.
    verbose : bool, int or "auto", default="auto"
        Whether to show a table by epoch, in units of the ratings, and the time left; "auto" does so in terminals and
        notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of all random numbers; an int gives the same model each time.

    Attributes
    ----------
    model_ : torch.nn.Module
        The trained net.
    history_ : pandas.DataFrame
        Losses (of standardised ratings) by epoch.
    mean_rating_ : float
        Weighted mean of all ratings.
    user_bias_, item_bias_ : pandas.Series
        By id; on the scale of the sum, before the sigmoid.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
        Factors by id.
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
        No row has both ids, a rating is missing or outside `y_range`, the columns look swapped, or there are fewer than
        two columns.

    See Also
    --------
    BayesianFactorization : The posterior distribution of the same model: better ratings, with standard deviations.
    EmbeddingNN : A net instead of the product of factors.

    Notes
    -----
    An unknown id has the mean of the known rows. `partial_fit` first folds in new items and all users of the new
    ratings, and then trains one epoch on the new ratings at a tenth of the learning rate. The model keeps the ratings:
    they are needed to exclude seen items and to explain predictions.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 8. Koren, Bell & Volinsky
    (2009), "Matrix factorization techniques for recommender systems". Kula (2015), "Metadata embeddings for user and
    item cold-start recommendations".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import DotProductBias
    >>> from tabrec.datasets import make_ratings
    >>> ratings = make_ratings(5_000, random_state=0)
    >>> model = DotProductBias(n_factors=10, random_state=0).fit(ratings[["user", "item"]], ratings["rating"])
    >>> model.recommend(5, n=2)[["user", "rank"]]
       user  rank
    0     5     1
    1     5     2
    >>> asked = pd.DataFrame({"user": [5, 5], "item": [10, 999_999]})
    >>> predicted, path = model.predict(asked, return_path=True)
    >>> path.tolist()
    ['learned', 'user bias']
    """

    _parameter_constraints: ClassVar[dict] = {
        "duplicates": DUPLICATES,
        "objective": OBJECTIVE,
        **NET_CONSTRAINTS,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "bias": ["boolean"],
        "n_history": [Interval(Integral, 0, None, closed="left")],
        "row_penalty": [Interval(Real, 0, None, closed="left")],
        "init_std": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_factors: int = 50,
        *,
        objective: str = "rating",
        y_range: Any = "auto",
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        duplicates: str = "all",
        bias: bool = True,
        n_history: int = 0,
        row_penalty: float = 0.095,
        epochs: int = 5,
        batch_size: int | str = "auto",
        learning_rate: float = 4e-3,
        weight_decay: float = 0.3,
        init_std: float = 0.01,
        optimizer: str | Callable = "adamw",
        schedule: str = "one_cycle",
        validation_fraction: float | None = None,
        patience: int | None = None,
        metrics: Sequence = (),
        callbacks: Sequence[Callable] = (),
        device: Any = "auto",
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.objective = objective
        self.y_range = y_range
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.duplicates = duplicates
        self.bias = bias
        self.n_history = n_history
        self.row_penalty = row_penalty
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.init_std = init_std
        self.optimizer = optimizer
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.metrics = metrics
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _make_scorer(self) -> DotProductScorer:
        return DotProductScorer(self.get_params(deep=False))
