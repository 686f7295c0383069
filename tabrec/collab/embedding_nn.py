"""`EmbeddingNN`: a net over embeddings of users, items, their features and the context of a rating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.collab.duplicates import DUPLICATES
from tabrec.collab.embedding_scorer import EmbeddingScorer
from tabrec.collab.negatives import OBJECTIVE
from tabrec.collab.net_recommender import NetRecommender
from tabrec.collab.net_training import NET_CONSTRAINTS
from tabrec.neural.parameters import NetParameters

_MODEL_PARAMETERS = ("dropout", "embedding_dropout", "embedding_std", "unknown_rate", "batch_norm")


class EmbeddingNN(NetRecommender):
    """A net over embeddings of the user, the item, their features and the context of the rating, added to their biases.

    The model is `TabularModel` with the ids as categories, whose output is added to the biases of user and item, within
    the range. User and item features and `context` columns, which describe the rating itself, are additional inputs.

    Parameters
    ----------
    layers : sequence of int, default=(100, 50)
        Widths of the hidden layers; () is a linear model of the embeddings.
    embedding_size : int, default=None
        Length of the embeddings of users and items; None is min(600, round(1.6 n^0.56)) for n ids, the rule for all
        other columns.
    objective : {"rating", "ranking"}, default="rating"
        The quantity to learn: "rating" predicts ratings; "ranking" learns from interactions, which count as 1. For
        each, three items that the user does not have are drawn and count as 0. y is then optional and its values do not
        matter (`sample_weight` does); `predict` returns how likely the pair is beside drawn ones, from 0 to 1 with
        `y_range="auto"`; and `recommend` orders items by it.
    y_range : (float, float), "auto" or None, default="auto"
        Lowest and highest prediction. "auto" extends the range of the ratings by half a step; None has no bounds.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, encoded as by `DotProductBias`.
    duplicates : {"all", "last", "mean"}, default="all"
        The ratings that count if a pair is rated more than once: all, that of the last row, or their mean. A later
        call of `partial_fit` comes after all earlier rows.
    context : list of str, default=()
        Further columns of X to use, such as the time of the rating. `recommend` treats them as missing.
    dropout : float or sequence of float, default=0.0
        Dropout rate after each layer, or one rate per layer.
    embedding_dropout : float, default=0.0
        Dropout rate of the elements of the embeddings.
    embedding_std : float, default=0.01
        Standard deviation of the initial embeddings.
    unknown_rate : float, default=0.05
        Share of the ids and labels masked as unknown during training, so that the net learns to predict for new ones;
        0.01 is slightly better if all users are known.
    batch_norm : bool, default=True
        Whether to use batch normalisation.
    epochs : int, default=5
        Passes over the ratings.
    batch_size : int or "auto", default="auto"
        "auto" is 256, and from 450,000 ratings on a 1,250th of them.
    learning_rate : float, default=2e-3
        Maximum learning rate of the schedule.
    weight_decay : float, default=1.0
        Weight decay of all parameters.
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
        Metrics of the validation ratings by epoch, as in `TabularRegressor`.
    callbacks : sequence of callable, default=()
        Functions called during training, as in `TabularRegressor`.
    device : str, default="auto"
        "auto" uses the GPU if there is one.
    verbose : bool, int or "auto", default="auto"
        Whether to show a table by epoch and the time left; "auto" does so in terminals and notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of all random numbers; an int gives the same model each time.

    Attributes
    ----------
    model_ : TabularModel
        The trained net.
    history_ : pandas.DataFrame
        Losses (of standardised ratings) by epoch.
    mean_rating_ : float
        Weighted mean of all ratings.
    user_bias_, item_bias_ : pandas.Series
        By id: the prediction for the user with an unknown item, or for the item with an unknown user, minus that for
        both unknown.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, embedding_size)
        Embeddings by id.
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
        No row has both ids, a rating is missing or outside `y_range`, the columns look swapped, or a column of
        `context` does not exist.

    See Also
    --------
    DotProductBias : A product of factors instead of the net.
    TabularRegressor : The same net for any table.

    Notes
    -----
    The biases are damped means. The embeddings start with leading singular vectors of the 0/1 matrix of rated pairs, so
    that items with the same users are similar. Up to 50,000 ratings, a fifth is held out to find the share of the net's
    output that is not noise, and the net is then trained on all. Training uses one thread of the CPU, so that the model
    of a seed does not depend on the number of threads.

    `new_user` finds the most probable embedding given the ratings and the distribution of the learned embeddings; the
    other parameters are fixed. In `explain`, the mean is the prediction for an unknown user and item, the parts of user
    and item are the changes when one of them becomes known, the part of features is the change when the features
    become known, and factors is the rest.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 8, "Deep learning for
    collaborative filtering". He et al. (2017), "Neural collaborative filtering".

    Examples
    --------
    >>> from tabrec import EmbeddingNN
    >>> from tabrec.datasets import make_ratings
    >>> ratings = make_ratings(3_000, random_state=0)
    >>> model = EmbeddingNN(epochs=2, random_state=0).fit(ratings[["user", "item"]], ratings["rating"])
    >>> model.item_factors_.index.equals(model.items_)
    True
    >>> explanation = model.explain(5, 10)
    >>> bool(abs(explanation.parts.sum() - explanation.prediction) < 1e-6)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "duplicates": DUPLICATES,
        "objective": OBJECTIVE,
        **NET_CONSTRAINTS,
        **{name: NetParameters._parameter_constraints[name] for name in ("layers", *_MODEL_PARAMETERS)},
        "embedding_size": [Interval(Integral, 1, None, closed="left"), None],
        "context": ["array-like"],
    }

    def __init__(
        self,
        layers: Sequence[int] = (100, 50),
        *,
        embedding_size: int | None = None,
        objective: str = "rating",
        y_range: Any = "auto",
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        duplicates: str = "all",
        context: Sequence[str] = (),
        dropout: float | Sequence[float] = 0.0,
        embedding_dropout: float = 0.0,
        embedding_std: float = 0.01,
        unknown_rate: float = 0.05,
        batch_norm: bool = True,
        epochs: int = 5,
        batch_size: int | str = "auto",
        learning_rate: float = 2e-3,
        weight_decay: float = 1.0,
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
        self.layers = layers
        self.embedding_size = embedding_size
        self.objective = objective
        self.y_range = y_range
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.duplicates = duplicates
        self.context = context
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout
        self.embedding_std = embedding_std
        self.unknown_rate = unknown_rate
        self.batch_norm = batch_norm
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.metrics = metrics
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _make_scorer(self) -> EmbeddingScorer:
        return EmbeddingScorer(self.get_params(deep=False))
