"""`EmbeddingNN`: a net over embeddings of users, items, their features and the context of a rating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from tabrec.collab.factors import contributions_by_similarity
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.net_recommender import NetRecommender
from tabrec.collab.net_training import (
    NET_CONSTRAINTS,
    RatingScale,
    check_net_parameters,
    draw_seed,
    draw_validation,
    embeddings_of,
    fold_into_net,
    grown_net,
    keep_norms,
    make_task,
    train_net_more,
)
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import FROM_METADATA, KINDS
from tabrec.neural.devices import default_settings, read_device
from tabrec.neural.draws import OwnDraws
from tabrec.neural.embeddings import embedding_size
from tabrec.neural.parameters import NetParameters
from tabrec.neural.tabular_estimator import predictor
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.training import predict
from tabrec.neural.training_task import TrainingTask

# Numbers that a hidden layer may hold at once while predicting.
_MOST_ACTIVATIONS = 2**21
# Ratings from which the noise around predictions is measured.
_MOST_FOR_NOISE = 20_000
_LEAST_BATCH_SIZE = 256
_MODEL_PARAMETERS = ("dropout", "embedding_dropout", "embedding_std", "unknown_rate", "batch_norm")


class EmbeddingNN(NetRecommender):
    """A net over embeddings of the user, the item, their features and the context of the rating.

    The model is `TabularModel` with the ids as categories. Features of users and items, and columns of the ratings
    themselves (`context`), are further columns of its input, which a product of factors cannot use.

    Parameters
    ----------
    layers : sequence of int, default=(100, 50)
        Widths of the hidden layers; () is a linear model of the embeddings.
    embedding_size : int, default=None
        Length of the embeddings of users and items; None is min(600, round(1.6 n^0.56)) for n ids, the rule for all
        other columns.
    y_range : (float, float), "auto" or None, default="auto"
        Lowest and highest prediction. "auto" extends the range of the ratings by half a step; None has no bounds.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, encoded as by `DotProductBias`.
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
        Whether to use batch normalization.
    epochs : int, default=5
        Passes over the ratings.
    batch_size : int or "auto", default="auto"
        "auto" is 256, and from 450,000 ratings on a 1,250th of them.
    learning_rate : float, default=5e-3
        Maximum learning rate of the schedule.
    weight_decay : float, default=0.3
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
        "auto" takes the GPU where there is one.
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
        y_range: Any = "auto",
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        context: Sequence[str] = (),
        dropout: float | Sequence[float] = 0.0,
        embedding_dropout: float = 0.0,
        embedding_std: float = 0.01,
        unknown_rate: float = 0.05,
        batch_norm: bool = True,
        epochs: int = 5,
        batch_size: int | str = "auto",
        learning_rate: float = 5e-3,
        weight_decay: float = 0.3,
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
        self.y_range = y_range
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
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


class EmbeddingScorer(Scorer):
    """Trains a `TabularModel` whose categories are the ids and the labels of side tables and context."""

    model: TabularModel
    history: pd.DataFrame
    noise_variance: float  # of standardised ratings
    scale: RatingScale
    seed: int

    def check_parameters(self) -> None:
        check_net_parameters(self.parameters)

    def check_ratings(self, values: np.ndarray) -> None:
        self.scale.check(values)

    @default_settings()
    def fit(self, data: RatingsReader, context: Context = None) -> None:
        self.history = self.make_training_task(data, context).run()
        self._settle()

    def make_training_task(self, data: RatingsReader, context: Context = None) -> TrainingTask:
        """Make the net and what it is trained on."""
        self.data, ratings = data, data.ratings
        self.scale = RatingScale(self.parameters["y_range"], ratings.values)
        self.seed = draw_seed(self.parameters["random_state"])
        inputs = self._inputs(Pairs(ratings.users, ratings.items, context))
        with OwnDraws(self.seed):
            self.model = self._make_model(inputs[1].shape[1])
        is_valid = draw_validation(ratings, self.parameters["validation_fraction"], self.seed)
        rows = self.scale.make_data(inputs, ratings)
        return make_task(self.model, rows, self.seed, self.parameters, _LEAST_BATCH_SIZE, self.scale, is_valid)

    @default_settings()
    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        new_users = data.users.became_known(self.data.users.origins)
        new_items = data.items.became_known(self.data.items.origins)
        self.data = data
        self.model = grown_net(self.model, {kind: data.side(kind).n_codes for kind in KINDS})
        self._fold("item", new_items, new_items, more, context)
        if context is None:
            self._fold("user", np.unique(more.users), new_users, data.ratings, None)
        else:  # the contexts of earlier ratings are not kept
            self._fold("user", new_users, new_users, more, context)
        rows = self.scale.make_data(self._inputs(Pairs(more.users, more.items, context)), more)
        self.seed += 1
        # A few ratings are too few for batch norms to estimate statistics from.
        callbacks = (*self.parameters["callbacks"], keep_norms)
        task = self.model, rows, self.seed, self.parameters, _LEAST_BATCH_SIZE, self.scale
        self.history = train_net_more(*task, self.history, callbacks=callbacks)
        self._settle()

    @default_settings()
    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.data = data
        self.model = grown_net(self.model, {"user": data.users.n_codes})
        self._fold("user", users, users, given, None)

    @default_settings()
    def score(self, pairs: Pairs, features: bool = True) -> np.ndarray:
        device = read_device(self.parameters["device"])
        model = predictor(self.model, device)
        at_once = max(16, _MOST_ACTIVATIONS // max(self.model.config["layers"], default=1))
        scores = np.empty(len(pairs.users))
        for start in range(0, len(scores), at_once):
            some = slice(start, start + at_once)
            codes, numbers = self._inputs(pairs.take(some), features)
            numbers = numbers.double() if device.type == "cpu" else numbers
            output = predict(model, (codes.to(device), numbers.to(device)), at_once).cpu().double().numpy()
            scores[some] = self.scale.scaler.restore(output)[:, 0]
        return scores

    def vectors(self, kind: str) -> np.ndarray:
        return embeddings_of(self.model).weight(kind).detach().double().numpy()

    def explain(self, user: int, item: int) -> dict[str, float]:
        users, items = np.array([0, user, 0, user]), np.array([0, 0, item, item])
        nobody, of_user, of_item, of_both = self.score(Pairs(users, items), features=False)
        whole = self.score(Pairs(users[3:], items[3:]))[0]
        parts = {"mean": nobody, "user": of_user - nobody, "item": of_item - nobody, "features": whole - of_both}
        parts = {name: float(part) for name, part in parts.items()}
        return parts | {"factors": float(whole) - sum(parts.values())}

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        expected = self.score(Pairs(np.zeros_like(rated), rated))
        vectors = self.vectors("item")
        noise = self.noise_variance * self.scale.std**2
        return contributions_by_similarity(vectors[item], vectors[rated], values - expected, noise)

    def _inputs(self, pairs: Pairs, features: bool = True) -> tuple[Tensor, Tensor]:
        """The inputs of the net: codes of ids, features and context, and numbers of features and context."""
        n_rows = len(pairs.users)
        codes: list[np.ndarray] = [np.stack([pairs.users, pairs.items], axis=1)]
        numbers: list[np.ndarray] = [np.zeros((n_rows, 0), np.float32)]
        for side, rows in ((self.data.users, pairs.users), (self.data.items, pairs.items)):
            if side.table is not None:
                rows = rows if features else np.zeros_like(rows)
                codes.append(side.table.codes[rows])
                numbers.append(side.table.numbers[rows])
        if self.data.context is not None:
            context = self.data.context.unknown(n_rows) if pairs.context is None else pairs.context
            codes.append(context[0])
            numbers.append(context[1])
        both = np.concatenate(codes, axis=1).astype(np.int32), np.concatenate(numbers, axis=1)
        return torch.from_numpy(both[0]), torch.from_numpy(both[1])

    def _make_model(self, n_numbers: int) -> TabularModel:
        parameters = self.parameters
        sizes = {kind: self.data.side(kind).n_codes for kind in KINDS}
        # Fixed now, because the rule would give other sizes once there are more ids.
        of_ids = {kind: int(parameters["embedding_size"] or embedding_size(sizes[kind])) for kind in KINDS}
        for kind in KINDS:
            table = self.data.side(kind).table
            if table is not None:
                sizes |= {f"{kind}: {name}": size for name, size in table.category_sizes.items()}
        if self.data.context is not None:
            sizes |= {f"context: {name}": size for name, size in self.data.context.category_sizes.items()}
        return TabularModel(
            sizes,
            n_numbers,
            1,
            layers=tuple(int(width) for width in parameters["layers"]),
            embedding_sizes=of_ids,
            y_range=self.scale.scaled_bounds,
            **{name: parameters[name] for name in _MODEL_PARAMETERS},
        )

    def _fold(self, kind: str, codes: np.ndarray, new: np.ndarray, ratings: Interactions, context: Context) -> None:
        """Find the vectors of ids by their ratings; those of new ids do not count for the prior."""
        own = ratings.users if kind == "user" else ratings.items
        rows = np.flatnonzero(np.isin(own, codes))
        if not len(rows):
            return
        if context is not None:
            context = context[0][rows], context[1][rows]
        inputs = self._inputs(Pairs(ratings.users[rows], ratings.items[rows], context))
        target = self.scale.scaler.scale(ratings.values[rows, None])[:, 0]
        precision = (np.ones(len(rows)) if ratings.weights is None else ratings.weights[rows]) / self.noise_variance
        counts = self.data.ratings.counts(kind, self.data.side(kind).n_codes)
        counts[new] = 0
        fold_into_net(self.model, kind, codes, own[rows], inputs, target, precision, counts)

    def _settle(self) -> None:
        """Give ids without ratings the vector of an unknown id, which is trained, and measure the noise."""
        with torch.no_grad():
            for kind in KINDS:
                table = embeddings_of(self.model).weight(kind)
                table[np.flatnonzero(self.data.side(kind).origins >= FROM_METADATA)] = table[0].clone()
        ratings = self.data.ratings
        step = max(1, len(ratings) // _MOST_FOR_NOISE)
        predicted = self.score(Pairs(ratings.users[::step], ratings.items[::step]))
        gaps = (ratings.values[::step] - predicted) / self.scale.scaler.scales[0]
        self.noise_variance = max(float((gaps**2).mean()), 1e-4)
