"""`DotProductBias`: biases and factors, trained as a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from sklearn.utils._param_validation import Interval

from tabrec.collab._dot_product import DotProduct, history_features
from tabrec.collab._factors import FactorRecommender, RowPrior
from tabrec.collab._rating_net import RatingNet
from tabrec.collab._ratings import Ratings
from tabrec.collab._reading import Context, Pairs
from tabrec.collab._row_prior import fit_row_prior, fold_in_row
from tabrec.collab._sides import FROM_METADATA
from tabrec.neural.devices import seeded
from tabrec.neural.training_data import TrainingData

# Ratings from which the noise around predictions is worked out.
_MOST_FOR_NOISE = 200_000
# Standard deviation of features as the net sees them: maps of them are learned at the pace of rows.
_SPREAD = 0.1
_KINDS = ("user", "item")


class DotProductBias(RatingNet, FactorRecommender):
    """Matrix factorisation with biases: a rating is mean + user bias + item bias + user factors · item factors.

    The sum goes through a sigmoid scaled to `y_range`. It is trained by the same loop as `TabularRegressor`, on the GPU
    where there is one. Features of users and of items, where given, add to rows by a linear map that is learned with
    them, so that an id of few ratings, or of none, borrows from those that are alike.

    Parameters
    ----------
    n_factors : int, default=50
    y_range : (float, float), "auto" or None, default="auto"
        Least and greatest prediction. "auto" goes half a step beyond the ratings seen: (0.5, 5.5) for 1 to 5 stars;
        None has no bounds.
    user, item : str, default=None
        Columns of the ids; None is the first and the second one.
    user_features, item_features : pandas.DataFrame, default=None
        What is known of users and items, indexed by id, of any kinds of columns; `TabularPreprocessor` encodes them.
        Ids without a rating are predicted by their features.
    n_history : int, default=0
        Singular vectors of who rated what that join the features, as SVD++ has users known by what they rate; 32 are
        plenty.
    row_penalty : float, default=0.095
        Ridge penalty that a user's and an item's row pay once for each of their ratings, in units of the squared error
        of standardised ratings.
    epochs : int, default=5
    batch_size : int or "auto", default="auto"
        "auto" is 64 up to 100,000 ratings, and then a 1,250th of them.
    learning_rate : float, default=4e-3
        The greatest of the schedule.
    weight_decay : float, default=0.3
        Of the maps of features and history, at every step.
    init_std : float, default=0.01
        Standard deviation of factors at the start.
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
    model_ : torch.nn.Module
    history_ : pandas.DataFrame
        Losses (of standardised ratings) by epoch.
    mean_rating_ : float
    user_bias_, item_bias_ : pandas.Series
        By id; on the scale of the sum, before the sigmoid.
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
    users_, items_ : pandas.Index
        Ids with ratings.
    user_name_, item_name_ : str
        Columns of the ids.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        No id in any row, a missing rating, ratings outside `y_range`, columns that look swapped, fewer than two
        columns.

    See Also
    --------
    BayesianFactorization : The same model as a posterior distribution: better ratings, and how sure they are.
    EmbeddingNN : A net in the place of the product.

    Notes
    -----
    Model, features and `partial_fit`: an unknown id has the mean of the known rows. `partial_fit` folds new items
    and all users concerned in first, and then trains one epoch on the ratings given, at a tenth of the learning rate.
    The ratings are kept with the model, which needs them to leave out what has been rated, and to explain.

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
        **RatingNet._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_history": [Interval(Integral, 0, None, closed="left")],
        "row_penalty": [Interval(Real, 0, None, closed="left")],
        "init_std": [Interval(Real, 0, None, closed="left")],
    }
    model_: DotProduct

    def __init__(
        self,
        n_factors: int = 50,
        *,
        y_range: Any = "auto",
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
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
        callbacks: Sequence[Callable] = (),
        device: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.y_range = y_range
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
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
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _learn(self, context: Context) -> None:
        self._learn_scale()
        self._seed = self._draw_seed()
        is_valid = self._draw_validation()
        self._designs = self._make_designs(is_valid)
        self.model_ = self._make_model(int(self.n_factors))
        self.history_ = self._train_held_out(self._to_rows(self._ratings), is_valid)
        self._settle()

    def _learn_more(self, more: Ratings, context: Context, new_users: np.ndarray, new_items: np.ndarray) -> None:
        for kind in ("user", "item"):
            self._extend(kind)
        self._fold("item", new_items, more)
        self._fold("user", np.unique(more.users), self._ratings)
        self.model_ = self._grown_model()
        rows = self._to_rows(more)
        self._seed += 1
        history = self._train(rows, self._seed, self._make_plan_of_more(len(rows)))
        history["epoch"] += len(self.history_)
        self.history_ = pd.concat([self.history_, history], ignore_index=True)
        self._settle()

    def _make_designs(self, is_valid: np.ndarray | None) -> dict[str, np.ndarray]:
        """Features of users and of items and, behind them, their history: (n_codes, n_columns)."""
        designs = [side.design() for side in self._sides]
        self._n_features = {kind: design.shape[1] for kind, design in zip(_KINDS, designs, strict=True)}
        if self.n_history:
            trained = slice(None) if is_valid is None else ~is_valid
            histories = history_features(
                self._ratings.users[trained],
                self._ratings.items[trained],
                self._users.n_codes,
                self._items.n_codes,
                int(self.n_history),
                self._seed,
            )
            designs = [np.column_stack(both) for both in zip(designs, histories, strict=True)]
        return {kind: _SPREAD * design for kind, design in zip(_KINDS, designs, strict=True)}

    def _make_model(self, n_factors: int) -> DotProduct:
        with seeded(self._seed, torch.device("cpu")):
            model = DotProduct(
                self._users.n_codes - 1,
                self._items.n_codes - 1,
                n_factors,
                mean=float(self.target_scaler_.scale(self._mean_within())[0]),
                y_range=self._scaled_range(),
                std=self.init_std,
                row_penalty=self.row_penalty,
                n_user_features=self._designs["user"].shape[1],
                n_item_features=self._designs["item"].shape[1],
            )
        model.set_features(self._designs["user"], self._designs["item"])
        return model

    def _mean_within(self) -> float:
        """The mean rating, a little within the bounds: no sum has a sigmoid at its end."""
        if self._bounds is None:
            return self._ratings.mean()
        low, high = self._bounds
        margin = 0.01 * (high - low)
        return float(np.clip(self._ratings.mean(), low + margin, high - margin))

    def _to_rows(self, ratings: Ratings) -> TrainingData:
        codes = torch.from_numpy(np.stack([ratings.users, ratings.items], axis=1))
        return self._make_rows((codes,), ratings.values, ratings.weights)

    def _grown_model(self) -> DotProduct:
        """A net of the sizes that the sides have now, with the rows and all else learned so far."""
        grown, old = self._make_model(self._user_rows.shape[2] - 1), self.model_
        with torch.no_grad():
            for new, learned in ((grown.user_map, old.user_map), (grown.item_map, old.item_map)):
                if new is not None and learned is not None:
                    new.copy_(learned)
            grown.base.copy_(old.base)
            effects = grown.user_feature_table(), grown.item_feature_table()
            rows = (np.roll(self._side_rows(kind)[:, 0], -1, axis=1) for kind in _KINDS)
            own = [of_side - effect for of_side, effect in zip(rows, effects, strict=True)]
            grown.vectors.weight.copy_(torch.from_numpy(np.concatenate(own)))
        return grown

    def _settle(self) -> None:
        """Take the rows from the net, and give those that no rating has trained what learned rows are like."""
        self._means = np.array([float(self.model_.base.detach())])
        tables = self.model_.user_table(), self.model_.item_table()
        self._user_rows, self._item_rows = (np.roll(table, 1, axis=1)[:, None] for table in tables)
        self._feature_parts = {kind: self._feature_part(kind) for kind in _KINDS}
        self._noise_variance = self._measure_noise()
        self._row_priors = {kind: self._fit_prior(kind) for kind in _KINDS}
        for kind, side in zip(_KINDS, self._sides, strict=True):
            self._set_to_prior(kind, np.flatnonzero(side.origins >= FROM_METADATA))

    def _feature_part(self, kind: str) -> np.ndarray | None:
        """What features add to rows, history left out."""
        weight, n = (self.model_.user_map if kind == "user" else self.model_.item_map), self._n_features[kind]
        if weight is None or not n:
            return None
        return np.roll(self._designs[kind][:, :n] @ weight.detach().numpy()[:n], 1, axis=1)

    def _fit_prior(self, kind: str) -> RowPrior:
        side = self._side(kind)
        known = side.known()
        rows = self._own_rows(kind)[known].astype(np.float64)
        return fit_row_prior(rows, self._ratings.counts(kind, side.n_codes)[known])

    def _measure_noise(self) -> float:
        """Variance of ratings around their predictions."""
        step = max(1, len(self._ratings) // _MOST_FOR_NOISE)
        some = Pairs(self._ratings.users[::step], self._ratings.items[::step], None)
        gaps = self._ratings.values[::step] - self._score(some)
        return max(float((gaps**2).mean()), 1e-4 * float(self.target_scaler_.scales[0]) ** 2)

    def _extend(self, kind: str) -> None:
        """Rows for ids that have come since; what there was is not written into."""
        side = self._side(kind)
        n_new = side.n_codes - len(self._side_rows(kind))
        setattr(self, f"_{kind}_rows", np.pad(self._side_rows(kind), ((0, n_new), (0, 0), (0, 0))))
        self._designs = self._designs | {kind: np.pad(self._designs[kind], ((0, n_new), (0, 0)))}
        part = self._feature_parts[kind]
        if part is not None:
            self._feature_parts = self._feature_parts | {kind: np.pad(part, ((0, n_new), (0, 0)))}
        self._set_to_prior(kind, np.arange(side.n_codes - n_new, side.n_codes))

    def _fold(self, kind: str, codes: np.ndarray, ratings: Ratings) -> None:
        """Fold ids in by their ratings, in rows that are ours to write into."""
        own, others = (ratings.users, ratings.items) if kind == "user" else (ratings.items, ratings.users)
        other_rows = self._side_rows("item" if kind == "user" else "user")[:, 0]
        rows, order = self._side_rows(kind), np.argsort(own, kind="stable")
        own, others, values = own[order], others[order], ratings.values[order]
        trust = np.ones(len(own)) if ratings.weights is None else ratings.weights[order]
        trust = trust / self._noise_variance
        for code in codes:
            mine = slice(*np.searchsorted(own, [code, code + 1]))
            design = other_rows[others[mine]].astype(np.float64)
            offsets = design[:, 0] + self._means[0]
            design[:, 0] = 1.0
            prior = self._prior_of(kind, code)
            rows[code, 0] = fold_in_row(prior, design, offsets, values[mine], trust[mine], self._rate, self._slope)

    def _fold_in(self, given: Ratings, users: np.ndarray) -> None:
        self._extend("user")
        self._fold("user", users, given)

    def _prior_of(self, kind: str, code: int) -> RowPrior:
        prior = self._row_priors[kind]
        return replace(prior, mean=prior.mean + self._feature_rows(kind, code))

    def _row_prior(self, user: int) -> RowPrior:
        return self._prior_of("user", user)

    def _noise_precision(self, user: int, rated: np.ndarray, slope: np.ndarray) -> np.ndarray:
        return np.full((1, len(rated)), 1 / self._noise_variance)

    def _feature_rows(self, kind: str, code: int) -> np.ndarray:
        part = self._feature_parts[kind]
        return np.zeros((1, self._user_rows.shape[2])) if part is None else part[code][None].astype(np.float64)

    def _own_rows(self, kind: str) -> np.ndarray:
        """Rows without the part that comes from features."""
        rows, part = self._side_rows(kind)[:, 0], self._feature_parts[kind]
        return rows if part is None else rows - part

    def _set_to_prior(self, kind: str, codes: np.ndarray) -> None:
        """Give ids the row that is foretold without ratings."""
        rows, part = self._side_rows(kind), self._feature_parts[kind]
        rows[codes, 0] = self._row_priors[kind].mean[0]
        if part is not None:
            rows[codes, 0] += part[codes]

    def _rate(self, sums: np.ndarray) -> np.ndarray:
        bounds = self._scaled_range()
        if bounds is not None:
            sums = bounds[0] + (bounds[1] - bounds[0]) * expit(sums)
        return self.target_scaler_.restore(sums)

    def _score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        user_rows, item_rows = (
            self._user_rows[users, 0].astype(np.float64),
            self._item_rows[items, 0].astype(np.float64),
        )
        sums = user_rows[:, 1:] @ item_rows[:, 1:].T
        sums += user_rows[:, :1]
        sums += item_rows[:, 0]
        return sums

    def _to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return self._rate(scores + self._means)
