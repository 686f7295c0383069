"""`EmbeddingNN`: a net over the embeddings of user and item, and of all else that is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from tabrec.collab._net_rows import embeddings_of, fold_into_net, grown_net, keep_norms
from tabrec.collab._rating_net import RatingNet
from tabrec.collab._ratings import Ratings
from tabrec.collab._reading import Context, Pairs
from tabrec.collab._row_prior import argue_by_similarity
from tabrec.collab._sides import FROM_METADATA
from tabrec.neural.devices import read_device, seeded
from tabrec.neural.embeddings import embedding_size
from tabrec.neural.parameters import NetParameters
from tabrec.neural.tabular_estimator import predictor
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.training import predict
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.names import check_named

# Numbers that a hidden layer may hold at once while predicting.
_MOST_ACTIVATIONS = 2**21
# Ratings from which the noise around predictions is worked out.
_MOST_FOR_NOISE = 20_000


class EmbeddingNN(RatingNet):
    """A net over embeddings: of the user and the item, and of whatever else is known of them and of the occasion.

    The model is `TabularModel` with the ids as categories. Features of users and items, and columns of the ratings
    themselves (`context`), join as further columns: that is what a net is for, where a product of factors has no place
    for them.

    Parameters
    ----------
    layers : sequence of int, default=(100, 50)
        Widths of the layers.
    embedding_size : int, default=None
        Of users and items; None is `TabularModel`'s rule, min(600, round(1.6 n^0.56)), as for all other columns.
    y_range : (float, float), "auto" or None, default="auto"
        Least and greatest prediction. "auto" goes half a step beyond the ratings seen; None has no bounds.
    user, item : str, default=None
        Columns of the ids; None is the first and the second one.
    user_features, item_features : pandas.DataFrame, default=None
        What is known of users and items, indexed by id, of any kinds of columns; `TabularPreprocessor` encodes them.
    context : list of str, default=()
        Further columns of X to use, such as the time of the rating. `recommend`, which is asked for no occasion, takes
        them for missing.
    dropout : float or sequence of float, default=0.0
        After each layer, or by layer.
    embedding_dropout : float, default=0.0
        Share of an embedding's elements set to 0 while training.
    embedding_std : float, default=0.01
        Standard deviation of the embeddings at the start.
    unknown_rate : float, default=0.05
        Share of the ids and labels taken for unknown while training, so that the net knows what to make of new ones;
        0.01 is a little better for users all of whom are known.
    batch_norm : bool, default=True
    epochs : int, default=5
    batch_size : int or "auto", default="auto"
        "auto" is 256, and from 450,000 ratings on a 1,250th of them.
    learning_rate : float, default=5e-3
        The greatest of the schedule.
    weight_decay : float, default=0.3
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
    schedule : {"one_cycle", "flat_cosine", "constant"}, default="one_cycle"
    validation_fraction : float, default=None
        Share of the ratings to hold out: `history_` has their loss, and the best epoch's weights are kept.
    patience : int, default=None
        Epochs without a better validation loss after which training stops.
    callbacks : sequence of callable, default=()
        See `TabularRegressor`.
    device : str, default="auto"
        "auto" is the GPU where there is one.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    model_ : TabularModel
    history_ : pandas.DataFrame
        Losses (of standardised ratings) by epoch.
    mean_rating_ : float
    user_bias_, item_bias_ : pandas.Series
        By id: what the net adds for a user whatever the item (the item unknown), or for an item whoever the user.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, embedding_size)
        Embeddings by id.
    users_, items_ : pandas.Index
        Ids with ratings.
    user_name_, item_name_ : str
        Columns of the ids.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        No id in any row, a missing rating, ratings outside `y_range`, columns that look swapped, a column of `context`
        that is none.

    See Also
    --------
    DotProductBias : A product in the place of the net.
    TabularRegressor : The net for any table.

    Notes
    -----
    `new_user` looks for the embedding that fits the ratings best, given what learned embeddings are like; all else in
    the net stays. `explain` takes for the mean what the net predicts for an unknown user and item, for the parts of
    user and item what changes when one of them is known, for features what changes when they are, and for factors the
    rest.

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
        **RatingNet._parameter_constraints,
        **{
            name: NetParameters._parameter_constraints[name]
            for name in ("layers", "dropout", "embedding_dropout", "embedding_std", "unknown_rate", "batch_norm")
        },
        "embedding_size": [Interval(Integral, 1, None, closed="left"), None],
        "context": ["array-like"],
    }
    _least_batch_size = 256
    model_: TabularModel

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
        callbacks: Sequence[Callable] = (),
        device: Any = "auto",
        verbose: int = 0,
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
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        nobody, somebody = np.zeros(len(codes) + 1, dtype=np.int32), np.append(codes, 0)
        pairs = Pairs(somebody, nobody, None) if kind == "user" else Pairs(nobody, somebody, None)
        scores = self._score(pairs)
        return scores[:-1] - scores[-1]

    def _factors(self, kind: str) -> np.ndarray:
        return self._vectors(kind)[self._side(kind).known()]

    # Columns of the ratings.

    def _context_names(self) -> list[str]:
        return list(self._context_columns)

    def _learn_columns(self, X: Any, frame: pd.DataFrame) -> None:
        super()._learn_columns(X, frame)
        self._context_columns = check_named("context", self.context, frame.columns)
        ids = [name for name in self._context_columns if name in (self.user_name_, self.item_name_)]
        if ids:
            raise ValueError(f"context names {ids}, which are the ids: they are used anyhow.")

    def _take_context(self, frame: pd.DataFrame, rows: np.ndarray, *, fit: bool) -> Context:
        """Codes and numbers of the context columns."""
        if not self._context_columns:
            return None
        taken = frame[self._context_columns].iloc[rows]
        if fit:
            self.context_preprocessor_ = TabularPreprocessor("net").fit(taken)
        encoded = self.context_preprocessor_.transform(taken)
        labelled = [name for name, dtype in encoded.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
        if fit:
            self._context_sizes = {name: len(encoded[name].cat.categories) for name in labelled}
            self._n_context_numbers = encoded.shape[1] - len(labelled)
        codes = [encoded[name].cat.codes.to_numpy(np.int32) for name in labelled]
        return (
            np.stack(codes, axis=1) if codes else np.zeros((len(rows), 0), np.int32),
            encoded.drop(columns=labelled).to_numpy(np.float32),
        )

    # Training.

    def _learn(self, context: Context) -> None:
        self._learn_scale()
        self._seed = self._draw_seed()
        inputs = self._inputs(Pairs(self._ratings.users, self._ratings.items, context))
        with seeded(self._seed, torch.device("cpu")):
            self.model_ = self._make_model(inputs[1].shape[1])
        rows = self._make_rows(inputs, self._ratings.values, self._ratings.weights)
        self.history_ = self._train_held_out(rows, self._draw_validation())
        self._settle()

    def _learn_more(self, more: Ratings, context: Context, new_users: np.ndarray, new_items: np.ndarray) -> None:
        self.model_ = grown_net(self.model_, {"user": self._users.n_codes, "item": self._items.n_codes})
        self._fold("item", new_items, new_items, more, context)
        if context is None:
            self._fold("user", np.unique(more.users), new_users, self._ratings, None)
        else:  # of what was rated before, the occasions are not kept
            self._fold("user", new_users, new_users, more, context)
        rows = self._make_rows(self._inputs(Pairs(more.users, more.items, context)), more.values, more.weights)
        self._seed += 1
        callbacks = (*self.callbacks, keep_norms)  # a few ratings are no sample of all
        plan = self._make_plan_of_more(len(rows), callbacks=callbacks)
        history = self._train(rows, self._seed, plan)
        history["epoch"] += len(self.history_)
        self.history_ = pd.concat([self.history_, history], ignore_index=True)
        self._settle()

    def _fold_in(self, given: Ratings, users: np.ndarray) -> None:
        self.model_ = grown_net(self.model_, {"user": self._users.n_codes})
        self._fold("user", users, users, given, None)

    def _fold(self, kind: str, codes: np.ndarray, new: np.ndarray, ratings: Ratings, context: Context) -> None:
        """Find the vectors of ids by their ratings; those of new ones are no examples of what vectors are like."""
        own = ratings.users if kind == "user" else ratings.items
        rows = np.flatnonzero(np.isin(own, codes))
        if not len(rows):
            return
        if context is not None:
            context = context[0][rows], context[1][rows]
        inputs = self._inputs(Pairs(ratings.users[rows], ratings.items[rows], context))
        target = self.target_scaler_.scale(ratings.values[rows, None])[:, 0]
        trust = (np.ones(len(rows)) if ratings.weights is None else ratings.weights[rows]) / self._noise_variance
        counts = self._ratings.counts(kind, self._side(kind).n_codes)
        counts[new] = 0
        fold_into_net(self.model_, kind, codes, own[rows], inputs, target, trust, counts)

    def _measure_noise(self) -> float:
        """Variance of standardised ratings around their predictions."""
        step = max(1, len(self._ratings) // _MOST_FOR_NOISE)
        predicted = self._score(Pairs(self._ratings.users[::step], self._ratings.items[::step], None))
        gaps = (self._ratings.values[::step] - predicted) / self.target_scaler_.scales[0]
        return max(float((gaps**2).mean()), 1e-4)

    def _make_model(self, n_numbers: int) -> TabularModel:
        sizes = {"user": self._users.n_codes, "item": self._items.n_codes}
        for kind, side in zip(("user", "item"), self._sides, strict=True):
            if side.table is not None:
                sizes |= {f"{kind}: {name}": size for name, size in side.table.category_sizes.items()}
        if self._context_columns:
            sizes |= {f"context: {name}": size for name, size in self._context_sizes.items()}
        return TabularModel(
            sizes,
            n_numbers,
            1,
            layers=tuple(int(width) for width in self.layers),
            # Told, or further ids would change them.
            embedding_sizes={
                kind: int(self.embedding_size or embedding_size(sizes[kind])) for kind in ("user", "item")
            },
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            embedding_std=self.embedding_std,
            embedding_dropout=self.embedding_dropout,
            unknown_rate=self.unknown_rate,
            y_range=self._scaled_range(),
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        odd = [width for width in self.layers if not (isinstance(width, (int, np.integer)) and width > 0)]
        if odd or not len(self.layers):
            raise ValueError(f"layers={self.layers!r} must be widths of at least one layer, such as (100, 50).")

    def _settle(self) -> None:
        """Give ids without ratings the vector of an unknown one, which training has met, and measure the noise."""
        with torch.no_grad():
            for kind, side in zip(("user", "item"), self._sides, strict=True):
                table = embeddings_of(self.model_).weight(kind)
                table[np.flatnonzero(side.origins >= FROM_METADATA)] = table[0].clone()
        self._noise_variance = self._measure_noise()

    def _inputs(self, pairs: Pairs, features: bool = True) -> tuple[Tensor, Tensor]:
        """What the net takes: codes of ids, of features and of the context, and their numbers."""
        n_rows = len(pairs.users)
        codes: list[np.ndarray] = [np.stack([pairs.users, pairs.items], axis=1)]
        numbers: list[np.ndarray] = [np.zeros((n_rows, 0), np.float32)]
        for side, rows in zip(self._sides, (pairs.users, pairs.items), strict=True):
            if side.table is not None:
                rows = rows if features else np.zeros_like(rows)
                codes.append(side.table.codes[rows])
                numbers.append(side.table.numbers[rows])
        if self._context_columns:
            if pairs.context is None:  # no occasion: labels unknown, numbers at their mean
                codes.append(np.zeros((n_rows, len(self._context_sizes)), np.int32))
                numbers.append(np.zeros((n_rows, self._n_context_numbers), np.float32))
            else:
                codes.append(pairs.context[0])
                numbers.append(pairs.context[1])
        both = np.concatenate(codes, axis=1).astype(np.int32), np.concatenate(numbers, axis=1)
        return torch.from_numpy(both[0]), torch.from_numpy(both[1])

    # Predicting.

    def _score(self, pairs: Pairs, features: bool = True) -> np.ndarray:
        device = read_device(self.device)
        model = predictor(self.model_, device)
        at_once = max(16, _MOST_ACTIVATIONS // max(self.model_.config["layers"]))
        scores = np.empty(len(pairs.users))
        for start in range(0, len(scores), at_once):
            some = slice(start, start + at_once)
            codes, numbers = self._inputs(pairs.take(some), features)
            numbers = numbers.double() if device.type == "cpu" else numbers
            output = predict(model, (codes.to(device), numbers.to(device)), at_once).cpu().double().numpy()
            scores[some] = self.target_scaler_.restore(output)[:, 0]
        return scores

    def _score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        pairs = Pairs(np.repeat(users, len(items)), np.tile(items, len(users)), None)
        return self._score(pairs).reshape(len(users), len(items))

    def _vectors(self, kind: str) -> np.ndarray:
        return embeddings_of(self.model_).weight(kind).detach().double().numpy()

    def _explain(self, user: int, item: int) -> dict[str, float]:
        users, items = np.array([0, user, 0, user]), np.array([0, 0, item, item])
        nobody, of_user, of_item, of_both = self._score(Pairs(users, items, None), features=False)
        whole = self._score(Pairs(users[3:], items[3:], None))[0]
        parts = {"mean": nobody, "user": of_user - nobody, "item": of_item - nobody, "features": whole - of_both}
        parts = {name: float(part) for name, part in parts.items()}
        return parts | {"factors": float(whole) - sum(parts.values())}

    def _argue(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        expected = self._score(Pairs(np.zeros_like(rated), rated, None))
        vectors = self._vectors("item")
        noise = self._noise_variance * float(self.target_scaler_.scales[0]) ** 2
        return argue_by_similarity(vectors[item], vectors[rated], values - expected, noise)
