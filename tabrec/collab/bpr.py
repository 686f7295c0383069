"""`BPR`: factors trained to order the items of a user, on the training loop of the nets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.net_training import NET_CONSTRAINTS, draw_seed, make_config
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.strengths import StrengthScorer
from tabrec.neural.devices import default_settings, read_device
from tabrec.neural.training import Trainer
from tabrec.neural.training_data import TrainingData
from tabrec.tables.progress import quiet_if_auto

_LEAST_BATCH_SIZE = 512
_INIT_STD = 0.1
# Number of items that represent all items without an interaction when a user is folded in.
_MOST_NEGATIVES = 2_000
# The learning rate of `partial_fit`, as a share of that of `fit`.
_SHARE_OF_MORE = 0.1


class BPR(RankingRecommender):
    """Bayesian personalised ranking: factors for which an item of the user scores higher than one that is not.

    For each interaction, items that the user does not have are drawn, and the loss is -log sigmoid(score of the item -
    score of the drawn item). The score is item bias + user factors · item factors.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the factor vectors.
    n_negatives : int, default=4
        Number of items to draw for each interaction.
    hard_negatives : bool, default=False
        Whether only the drawn item with the highest score counts, as in WARP, which some data prefer. If
        False, the mean over all drawn items counts.
    regularization : float, default=0.01
        Ridge penalty on the factors and the bias, applied once per interaction.
    epochs : int, default=20
        Passes over the interactions.
    batch_size : int or "auto", default="auto"
        "auto" is 512 up to some 600,000 interactions, and then a 1,250th of them.
    learning_rate : float, default=0.01
        Maximum learning rate of the schedule.
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
        The optimizer, as in `TabularRegressor`.
    schedule : {"one_cycle", "flat_cosine", "constant", "warm_restarts"}, default="one_cycle"
        Schedule of the learning rate, as in `TabularRegressor`.
    callbacks : sequence of callable, default=()
        Functions called during training, as in `TabularRegressor`.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id. They are not used, but make their ids known.
    device : str, default="auto"
        "auto" uses the GPU if there is one.
    verbose : bool, int or "auto", default="auto"
        Whether to show the loss by epoch and the time left; "auto" does so in terminals and
        notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of all random numbers; an int gives the same model each time.

    Attributes
    ----------
    history_ : pandas.DataFrame
        Loss by epoch.
    item_bias_ : pandas.Series
        Bias of each item, by id.
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
    ImplicitALS : Factors by least squares, which needs no drawn items.
    EASE : Weights between all items, in closed form.

    Notes
    -----
    Strengths multiply the loss of an interaction. `new_user` finds the most probable row of the user and leaves the
    rest as it is; `partial_fit` does so for new ids, then trains one epoch on the new interactions at a tenth of the
    learning rate.

    References
    ----------
    Rendle, Freudenthaler, Gantner & Schmidt-Thieme (2009), "BPR: Bayesian personalized ranking from implicit
    feedback". Weston, Bengio & Usunier (2011), "WSABIE: scaling up to large vocabulary image annotation", on WARP.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import BPR
    >>> clicks = pd.DataFrame({"user": [1, 1, 2, 2, 3, 4, 4], "item": ["a", "b", "a", "b", "a", "c", "d"]})
    >>> BPR(n_factors=4, random_state=0).fit(clicks).recommend(3, n=1)["item"].tolist()
    ['b']
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        **{
            name: NET_CONSTRAINTS[name]
            for name in ("batch_size", "callbacks", "device", "epochs", "learning_rate", "optimizer", "random_state")
        },
        **{name: NET_CONSTRAINTS[name] for name in ("schedule", "verbose")},
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "hard_negatives": ["boolean"],
        "regularization": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_factors: int = 64,
        *,
        n_negatives: int = 4,
        hard_negatives: bool = False,
        regularization: float = 0.01,
        epochs: int = 20,
        batch_size: int | str = "auto",
        learning_rate: float = 0.01,
        optimizer: str | Callable = "adamw",
        schedule: str = "one_cycle",
        callbacks: Sequence[Callable] = (),
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
        self.n_negatives = n_negatives
        self.hard_negatives = hard_negatives
        self.regularization = regularization
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.optimizer = optimizer
        self.schedule = schedule
        self.callbacks = callbacks
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _make_scorer(self) -> BPRScorer:
        return BPRScorer(self.get_params(deep=False))

    @property
    def history_(self) -> pd.DataFrame:
        """Loss by epoch."""
        return self._fitted_scorer().history  # type: ignore[attr-defined]


class BPRScorer(StrengthScorer):
    """Trains and keeps the factors; the last column of a row is 1 for users and the bias for items."""

    rows: dict[str, np.ndarray]  # float32 arrays (n_codes, n_factors + 1) by kind
    history: pd.DataFrame
    seed: int

    def check_parameters(self) -> None:
        read_device(self.parameters["device"])

    @default_settings()
    def learn(self) -> None:
        self.seed = draw_seed(self.parameters["random_state"])
        generator = torch.Generator().manual_seed(self.seed)
        shape, n_factors = self.matrix.shape, int(self.parameters["n_factors"])
        net = PairwiseNet(
            *(torch.randn(n, n_factors, generator=generator, dtype=torch.float32) * _INIT_STD for n in shape)
        )
        self.history = self._train(net, self.data.ratings, {})

    @default_settings()
    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        new_users = data.users.became_known(self.data.users.origins)
        self._extend(data)
        self.count()
        self._fold_in(new_users)
        net, self.seed = PairwiseNet(*(torch.from_numpy(rows) for rows in self._factors())), self.seed + 1
        with torch.no_grad():
            net.bias.copy_(torch.from_numpy(self.rows["item"][:, -1]))
        rate = float(self.parameters["learning_rate"]) * _SHARE_OF_MORE
        verbose = quiet_if_auto(self.parameters["verbose"])
        changes = {"epochs": 1, "schedule": "constant", "learning_rate": rate, "verbose": verbose}
        history = self._train(net, more, changes)
        history["epoch"] += len(self.history)
        self.history = pd.concat([self.history, history], ignore_index=True)

    def extend(self, data: RatingsReader) -> None:
        self._extend(data)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self._extend(data)
        self._fold_in(users)

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.einsum("pf,pf->p", self.rows["user"][users], self.rows["item"][items], dtype=np.float64)

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return (self.rows["user"][users] @ self.rows["item"][items].T).astype(np.float64)

    def search_vectors(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.with_popularity(kind, codes, self.rows[kind][codes])

    def vectors(self, kind: str) -> np.ndarray:
        return self.rows[kind][:, :-1]

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.rows[kind][codes, -1] if kind == "item" else np.zeros(len(codes))

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        return Scorer.similarities(self, kind, codes, others)

    def explain(self, user: int, item: int) -> dict[str, float]:
        parts = super().explain(user, item)
        if "factors" not in parts:
            return parts
        bias = float(self.rows["item"][item, -1])
        return {"item": bias + parts.get("item", 0.0), "factors": parts["factors"] - bias}

    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.rows["user"][:, :-1].copy(), self.rows["item"][:, :-1].copy()

    def _train(self, net: PairwiseNet, ratings: Interactions, changes: dict[str, Any]) -> pd.DataFrame:
        parameters = {**self.parameters, "weight_decay": 0.0, "patience": None}
        config = make_config(parameters, len(ratings), _LEAST_BATCH_SIZE, **changes, seed=self.seed)
        device = read_device(parameters["device"])
        weights = torch.from_numpy(self._strengths(ratings).astype(np.float32))
        codes = torch.from_numpy(np.stack([ratings.users, ratings.items], axis=1).astype(np.int64))
        data = TrainingData((codes,), weights[:, None], weights)
        trainer = PairwiseTrainer(net, config, device, self.data.ratings, self.parameters, self.seed)
        history = trainer.fit(data)
        users, items, bias = (part.detach().cpu().numpy() for part in (net.users, net.items, net.bias))
        users, items = np.column_stack([users, np.ones(len(users), np.float32)]), np.column_stack([items, bias])
        items[self.popularity == 0] = 0.0
        self.rows = {"user": users, "item": items}
        return history

    def _strengths(self, ratings: Interactions) -> np.ndarray:
        strengths = self.strengths(ratings.values)
        return strengths if ratings.weights is None else strengths * ratings.weights

    def _extend(self, data: RatingsReader) -> None:
        """Take further interactions, with rows of zeros for new ids."""
        self.take(data)
        self.popularity = np.pad(self.popularity, (0, data.items.n_codes - len(self.popularity)))
        n_new = {kind: data.side(kind).n_codes - len(rows) for kind, rows in self.rows.items()}
        self.rows = {kind: np.pad(rows, ((0, n_new[kind]), (0, 0))) for kind, rows in self.rows.items()}
        self.rows["user"][:, -1] = 1.0

    def _fold_in(self, users: np.ndarray) -> None:
        rows = self.rows["user"].copy()
        known = self.data.items.known()
        others = known[:: max(1, len(known) // _MOST_NEGATIVES)]
        for user in users:
            mine = self.data.ratings.of_user(user)
            own, values = self.data.ratings.items[mine], self.data.ratings.values[mine]
            negatives = np.setdiff1d(others, own)
            items = self.rows["item"].astype(np.float64)
            rows[user, :-1] = fold_in_pairwise(
                items[own], items[negatives], self.strengths_of(user, values), self.parameters["regularization"]
            )
        self.rows = self.rows | {"user": rows}


class PairwiseNet(nn.Module):
    """Factors of users and items, and biases of items."""

    def __init__(self, users: Tensor, items: Tensor):
        super().__init__()
        self.users, self.items = nn.Parameter(users), nn.Parameter(items)
        self.bias = nn.Parameter(torch.zeros(len(items), dtype=torch.float32))

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of (B,) users and (B, n) items, (B, n), and the squared norms of the rows used, (B,)."""
        # The backward pass of an embedding is several times as fast as that of an index.
        of_users, of_items = nn.functional.embedding(users, self.users), nn.functional.embedding(items, self.items)
        biases = nn.functional.embedding(items, self.bias.unsqueeze(1)).squeeze(2)
        norms = (of_users**2).sum(dim=1) + (of_items**2).sum(dim=(1, 2)) + (biases**2).sum(dim=1)
        return biases + torch.bmm(of_items, of_users.unsqueeze(2)).squeeze(2), norms


class PairwiseTrainer(Trainer):
    """Draws items without an interaction in each step, and orders them below the items of the batch."""

    def __init__(
        self,
        model: PairwiseNet,
        config: Any,
        device: torch.device,
        ratings: Interactions,
        parameters: Any,
        seed: int,
    ):
        super().__init__(model, lambda output, target: output, config, device)
        self.n_negatives, self.is_hard = int(parameters["n_negatives"]), bool(parameters["hard_negatives"])
        self.regularization = float(parameters["regularization"])
        self.items = torch.from_numpy(np.unique(ratings.items).astype(np.int64)).to(device)
        self.stride = int(ratings.items.max()) + 1
        pairs = np.unique(ratings.users.astype(np.int64) * self.stride + ratings.items)
        self.pairs = torch.from_numpy(pairs).to(device)
        self.generator = torch.Generator(device).manual_seed(seed)

    def train_step(self, batch: TrainingData) -> Tensor:
        """Return the mean of -log sigmoid(score - score of drawn items), and the ridge penalty of the rows used."""
        net: PairwiseNet = self.model  # type: ignore[assignment]
        users, items = batch.inputs[0].unbind(dim=1)
        drawn = self.draw(users)
        if self.is_hard:
            with torch.no_grad():
                drawn = drawn.gather(1, net(users, drawn)[0].argmax(dim=1, keepdim=True))
        scores, norms = net(users, torch.cat([items.unsqueeze(1), drawn], dim=1))  # (B, 1 + n)
        losses = nn.functional.softplus(scores[:, 1:] - scores[:, :1]).mean(dim=1)
        weights = batch.weight
        loss = ((losses if weights is None else losses * weights) + self.regularization / 2 * norms).mean()
        for parameter in net.parameters():
            parameter.grad = None
        loss.backward()
        return loss.detach()

    def draw(self, users: Tensor) -> Tensor:
        """Return items for each user, drawn again once where the user has the item: (B, n_negatives)."""
        drawn = self._draw_any(len(users))
        pairs = users.unsqueeze(1) * self.stride + drawn
        place = torch.searchsorted(self.pairs, pairs).clamp_(max=len(self.pairs) - 1)
        has_item = self.pairs[place] == pairs
        return torch.where(has_item, self._draw_any(len(users)), drawn)

    def _draw_any(self, n: int) -> Tensor:
        place = torch.randint(
            len(self.items), (n, self.n_negatives), generator=self.generator, device=self.items.device
        )
        return self.items[place]


def fold_in_pairwise(own: np.ndarray, others: np.ndarray, strengths: np.ndarray, penalty: float) -> np.ndarray:
    """Return the factors of a user that best order some item rows, bias last, above others: (n_factors,)."""

    def loss(vector: np.ndarray) -> tuple[float, np.ndarray]:
        gaps = (own[:, :-1] @ vector + own[:, -1])[:, None] - (others[:, :-1] @ vector + others[:, -1])  # (k, n)
        slopes = -expit(-gaps) * strengths[:, None] / max(len(others), 1)
        value = (np.logaddexp(0, -gaps) * strengths[:, None]).sum() / max(len(others), 1)
        gradient = slopes.sum(axis=1) @ own[:, :-1] - slopes.sum(axis=0) @ others[:, :-1]
        ridge = penalty * len(own)
        return value + ridge * vector @ vector / 2, gradient + ridge * vector

    return minimize(loss, np.zeros(own.shape[1] - 1), jac=True, method="L-BFGS-B").x
