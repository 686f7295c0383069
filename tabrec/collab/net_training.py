"""Training of recommenders that are nets: the scale of ratings, validation ratings and folding in."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, logit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from tabrec.collab.factors import fit_row_prior
from tabrec.collab.interactions import Interactions
from tabrec.collab.recommender import Recommender
from tabrec.neural.devices import one_thread, read_device
from tabrec.neural.embeddings import PackedEmbedding
from tabrec.neural.inputs import TargetScaler, read_range
from tabrec.neural.losses import regression_loss, regression_units
from tabrec.neural.metrics import read_metrics
from tabrec.neural.parameters import NetParameters, check_layers
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData
from tabrec.neural.training_task import TrainingTask
from tabrec.tables.progress import quiet_if_auto

_SHARED = (
    *("batch_size", "weight_decay", "optimizer", "schedule", "patience", "metrics", "callbacks", "device"),
    *("verbose", "random_state"),
)
NET_CONSTRAINTS: dict[str, Any] = {
    **Recommender._parameter_constraints,
    **{name: NetParameters._parameter_constraints[name] for name in _SHARED},
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "y_range": ["array-like", StrOptions({"auto"}), None],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
}
# Ratings with at most this many distinct values are on a scale with steps.
_MOST_STEPS = 100
# The learning rate of `partial_fit`, as a share of that of `fit`.
_SHARE_OF_MORE = 0.1
_MARGIN = 0.01
_N_STEPS = 30
_N_HALVINGS = 10
# Largest number of matrix elements in memory at once.
_BLOCK = 2**24


def check_net_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise a ValueError for an unknown device, wrong layers, or patience without validation ratings."""
    read_device(parameters["device"])
    check_layers(parameters.get("layers", ()))
    patience = parameters["patience"]
    if patience is not None and parameters["validation_fraction"] is None:
        raise ValueError(f"patience={patience} needs validation ratings: set validation_fraction.")


def draw_seed(random_state: Any) -> int:
    """Return a seed for the parts of a model that draw random numbers."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class RatingScale:
    """Standardises ratings for a net; `bounds` is the range of its predictions in units of the ratings, or None."""

    limits: tuple[float, float] | None = None  # limits of predictions; None in models of tabrec 0.2

    def __init__(self, y_range: Any, values: np.ndarray):
        bounds = read_range(y_range, values, half_step)
        self.bounds = None if bounds is None else (float(bounds[0]), float(bounds[1]))
        # The bounds are half a step beyond the ratings, so that a sigmoid can reach the ratings; predictions are
        # clipped.
        self.limits = (float(values.min()), float(values.max())) if isinstance(y_range, str) else self.bounds
        self.scaler = TargetScaler(values[:, None])

    @property
    def scaled_bounds(self) -> tuple[float, float] | None:
        """The range in standardised units."""
        if self.bounds is None:
            return None
        low, high = (float(self.scaler.scale(bound)[0]) for bound in self.bounds)
        return low, high

    def read_metrics(self, metrics: Sequence) -> dict[str, Callable[[Tensor, Tensor], float]]:
        """Return metrics of the ratings as functions of the outputs and targets of a net."""

        def restore(scaled: Tensor) -> np.ndarray:
            return self.scaler.restore(scaled.double().cpu().numpy())[:, 0]

        return read_metrics(metrics, restore, restore)

    def to_sums(self, values: np.ndarray) -> np.ndarray:
        """Invert `to_ratings`; ratings are moved away from the bounds, which no finite output reaches."""
        if self.bounds is None:
            return self.scaler.scale(values[:, None])[:, 0]
        low, high = self.bounds
        share_of_mean = (float(self.scaler.means[0]) - low) / (high - low)
        # The margin is at most half the distance from a bound to the mean, which may be small, as for counts.
        margin = min(_MARGIN, share_of_mean / 2, (1 - share_of_mean) / 2)
        return logit(np.clip((self.clip(values) - low) / (high - low), max(margin, 1e-9), 1 - max(margin, 1e-9)))

    def to_ratings(self, sums: np.ndarray) -> np.ndarray:
        """Map raw model outputs to ratings within the range."""
        if self.bounds is None:
            return self.scaler.restore(sums)
        low, high = self.bounds
        return low + (high - low) * expit(sums)

    @property
    def std(self) -> float:
        """Standard deviation of the ratings in fit."""
        return float(self.scaler.scales[0])

    def clip(self, ratings: np.ndarray) -> np.ndarray:
        """Clip ratings to those in fit if `y_range` is "auto", or to the range."""
        return ratings if self.limits is None else np.clip(ratings, *self.limits)

    def check(self, values: np.ndarray) -> None:
        """Raise a ValueError for ratings outside the range."""
        if self.bounds is None:
            return
        low, high = self.bounds
        outside = values[(values < low) | (values > high)]
        if len(outside):
            raise ValueError(f"The rating {outside[0]:g} is outside ({low:g}, {high:g}), the range of the model.")

    def make_data(self, inputs: tuple[Tensor, ...], ratings: Interactions) -> TrainingData:
        """Return training data of a net: its inputs, standardised ratings and their weights."""
        target = torch.from_numpy(self.scaler.scale(ratings.values[:, None]).astype(np.float32))
        weights = None if ratings.weights is None else torch.from_numpy(ratings.weights.astype(np.float32))
        data = TrainingData(inputs, target, weights)
        return data.take(torch.tensor([0, 0])) if len(data) == 1 else data  # batch norm needs two rows


def make_task(
    model: nn.Module,
    data: TrainingData,
    seed: int,
    parameters: Mapping[str, Any],
    least_batch_size: int,
    scale: RatingScale,
    is_valid: np.ndarray | None = None,
) -> TrainingTask:
    """Make the training of a net on ratings, some of which may be validation ratings."""
    valid = None
    if is_valid is not None:
        data, valid = (data.take(torch.from_numpy(np.flatnonzero(some))) for some in (~is_valid, is_valid))
    shown = {"metrics": scale.read_metrics(parameters["metrics"]), "units": regression_units("mse", scale.std)}
    config = make_config(parameters, len(data), least_batch_size, seed=seed, **shown)
    trainer = Trainer(model, regression_loss("mse"), config, read_device(parameters["device"]))
    return TrainingTask(trainer, data, valid, seed)


def train_net_more(
    model: nn.Module,
    data: TrainingData,
    seed: int,
    parameters: Mapping[str, Any],
    least_batch_size: int,
    scale: RatingScale,
    history: pd.DataFrame,
    **changes: Any,
) -> pd.DataFrame:
    """Train one more epoch at a constant, reduced learning rate, to avoid forgetting; return the continued history."""
    rate = float(parameters["learning_rate"]) * _SHARE_OF_MORE
    shown = {"units": regression_units("mse", scale.std), "verbose": quiet_if_auto(parameters["verbose"])}
    changes = {"epochs": 1, "schedule": "constant", "learning_rate": rate} | shown | changes
    config = make_config(parameters, len(data), least_batch_size, seed=seed, **changes)
    trainer = Trainer(model, regression_loss("mse"), config, read_device(parameters["device"]))
    with one_thread():
        more = trainer.fit(data)
    more["epoch"] += len(history)
    return pd.concat([history, more], ignore_index=True)


def make_config(parameters: Mapping[str, Any], n_rows: int, least_batch_size: int, **changes: Any) -> TrainingConfig:
    """Make the training configuration from the parameters of an estimator."""
    batch_size = parameters["batch_size"]
    options: dict[str, Any] = {
        "epochs": int(parameters["epochs"]),
        "batch_size": default_batch_size(n_rows, least_batch_size) if batch_size == "auto" else int(batch_size),
        "learning_rate": float(parameters["learning_rate"]),
        "weight_decay": float(parameters["weight_decay"]),
        "optimizer": parameters["optimizer"],
        "schedule": parameters["schedule"],
        "patience": parameters["patience"],
        "callbacks": tuple(parameters["callbacks"]),
        "verbose": parameters["verbose"],
    }
    return TrainingConfig(**(options | changes))


def draw_validation(ratings: Interactions, fraction: float | None, seed: int) -> np.ndarray | None:
    """Draw a mask of validation ratings; a pair is not divided, and every id keeps a pair to train on."""
    if fraction is None:
        return None
    held_out = hold_out(ratings, fraction, seed)
    if held_out is None:
        raise ValueError(
            f"validation_fraction={fraction} of {len(ratings)} ratings leaves none to validate on: every user and item "
            "keeps one to be trained on."
        )
    return held_out


def hold_out(ratings: Interactions, fraction: float, seed: int) -> np.ndarray | None:
    """Draw a mask of held-out ratings, None if there are none; a pair is not divided, and every id keeps a pair."""
    is_next = (np.diff(ratings.users, prepend=-1) != 0) | (np.diff(ratings.items, prepend=-1) != 0)
    users, items = ratings.users[is_next], ratings.items[is_next]
    order = np.random.default_rng(seed).permutation(len(users))
    kept = np.concatenate([np.unique(side[order], return_index=True)[1] for side in (users, items)])
    free = np.delete(order, kept)[: round(len(users) * fraction)]
    return np.isin(np.cumsum(is_next) - 1, free) if len(free) else None


def half_step(values: np.ndarray) -> float:
    """Return half the smallest step between ratings, the margin of the range of predictions.

    Examples
    --------
    >>> import numpy as np
    >>> half_step(np.array([1.0, 5.0, 4.0, 2.0])), half_step(np.array([0.5, 4.0, 1.0]))
    (0.5, 0.25)
    """
    levels = np.unique(values)
    if len(levels) == 1:
        return 1.0
    return float(np.diff(levels).min() / 2 if len(levels) <= _MOST_STEPS else (levels[-1] - levels[0]) / 20)


def default_batch_size(n_ratings: int, least: int) -> int:
    """Return a batch size, a power of two of at least `least`, with about 1,250 batches per epoch.

    Examples
    --------
    >>> [default_batch_size(n, 64) for n in (1_000, 80_000, 1_000_000, 25_000_000)]
    [64, 64, 1024, 16384]
    """
    return max(least, 2 ** round(math.log2(max(n_ratings, 1) / 1250)))


def embeddings_of(model: TabularModel) -> PackedEmbedding:
    """Return the embeddings of a net."""
    assert model.embeddings is not None
    return model.embeddings


def grown_net(model: TabularModel, sizes: dict[str, int]) -> TabularModel:
    """Return a copy of the net with more codes in some columns; they get the vector of an unknown label."""
    config = model.config | {"category_sizes": model.config["category_sizes"] | sizes}
    grown = type(model).from_config(config)
    state = model.state_dict()
    for name, size in sizes.items():
        old = state[f"embeddings.{name}.weight"]
        state[f"embeddings.{name}.weight"] = torch.cat([old, old[:1].expand(size - len(old), -1)])
    grown.load_state_dict(state)
    return grown.eval()


def keep_norms(event: str, state: Any) -> None:
    """Keep batch norms in evaluation mode, with the statistics learned in fit (a callback)."""
    if event == "epoch_start":
        for module in state.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


def fold_into_net(
    model: TabularModel,
    column: str,
    codes: np.ndarray,
    own: np.ndarray,
    inputs: tuple[Tensor, Tensor],
    target: np.ndarray,
    rating_precision: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Find the most probable vectors of some codes, in ascending order, with the net fixed, and write them into it.

    `own` is the code of each rating, `inputs` and `target` the inputs of the net and the value to predict, and
    `rating_precision` the precision around the prediction. `counts`, (n_codes,), are the numbers of ratings by which
    each vector was learned, 0 for those that were not.
    """
    table, learned = embeddings_of(model).weight(column), np.flatnonzero(counts)
    precision = torch.from_numpy(fit_row_prior(table.detach().double().numpy()[learned], counts[learned]).precision[0])
    # The prior mean is the vector of an unknown label, which masking has trained.
    mean = table[0].detach().double().clone()
    net = copy.deepcopy(model).double().eval().requires_grad_(False)
    order = np.argsort(own, kind="stable")
    edges = np.searchsorted(own[order], np.append(codes, codes[-1] + 1))
    per_block = max(1, _BLOCK // len(mean) ** 2)
    start = 0
    while start < len(codes):
        # The number of codes that fit into a block, at least one.
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + per_block, side="right")) - 1)
        rows = torch.from_numpy(order[edges[start] : edges[stop]])
        position = torch.from_numpy(np.repeat(np.arange(stop - start), np.diff(edges[start : stop + 1])))
        wanted = torch.from_numpy(target)[rows], torch.from_numpy(rating_precision)[rows]
        some = _Rated(net, column, (inputs[0][rows], inputs[1][rows].double()), position, *wanted)
        found = _find_rows(some, stop - start, mean, precision)
        with torch.no_grad():
            table[torch.from_numpy(codes[start:stop].astype(np.int64))] = found.to(table.dtype)
        start = stop


class _Rated:
    """Ratings of the ids whose vectors are fitted."""

    def __init__(
        self,
        net: Any,
        column: str,
        inputs: tuple[Tensor, Tensor],
        position: Tensor,
        target: Tensor,
        precision: Tensor,
    ):
        group, first = embeddings_of(net).place_of(column)
        self.net, self.position, self.target, self.precision, self.numbers = net, position, target, precision, inputs[1]
        self.name, self.base = f"embeddings.table_{group}", embeddings_of(net).tables[group].detach()
        self.codes = inputs[0].long().clone()
        # Every rating looks up a vector in a row of its own, which is appended to the table.
        place = list(net.config["category_sizes"]).index(column)
        self.codes[:, place] = len(self.base) - first + torch.arange(len(target))

    def predict(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return predictions, (n_ratings,), and their derivatives with respect to the vectors, (n_ratings, width)."""
        vectors = rows[self.position].requires_grad_()
        with torch.enable_grad():
            whole = {self.name: torch.cat([self.base, vectors])}
            predicted = torch.func.functional_call(self.net, whole, (self.codes, self.numbers))[:, 0]
            (slopes,) = torch.autograd.grad(predicted.sum(), vectors)
        return predicted.detach(), slopes

    def add_up(self, of_ratings: Tensor, n: int) -> Tensor:
        """Return the sums over the ratings of each id."""
        return of_ratings.new_zeros((n, *of_ratings.shape[1:])).index_add_(0, self.position, of_ratings)


@torch.no_grad()
def _find_rows(rated: _Rated, n: int, mean: Tensor, precision: Tensor) -> Tensor:
    """Fit the vector of every id separately by Gauss-Newton steps with halving: (n, width)."""

    def cost(rows: Tensor) -> Tensor:
        gaps, away = rated.target - rated.predict(rows)[0], rows - mean
        return rated.add_up(rated.precision * gaps**2, n) + (away @ precision * away).sum(dim=1)

    rows = mean.repeat(n, 1)
    for _ in range(_N_STEPS):
        predicted, slopes = rated.predict(rows)  # (R,), (R, W)
        pull = rated.add_up((rated.precision * (rated.target - predicted)).unsqueeze(1) * slopes, n)  # (n, W)
        curvature = rated.add_up(
            (rated.precision.unsqueeze(1) * slopes).unsqueeze(2) * slopes.unsqueeze(1), n
        )  # (n, W, W)
        step = torch.linalg.solve(precision + curvature, pull - (rows - mean) @ precision)
        now, length = cost(rows), torch.ones(n, 1, dtype=rows.dtype)
        for _ in range(_N_HALVINGS):
            is_worse = cost(rows + length * step) > now
            if not is_worse.any():
                break
            length[is_worse] /= 2
        else:
            length[cost(rows + length * step) > now] = 0.0
        rows = rows + length * step
        if (length * step).abs().max() < 1e-7:
            break
    return rows
