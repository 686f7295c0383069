"""`EmbeddingScorer`: trains a net on biases, predicts by it, and folds new ids in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tabrec.collab.bias_baseline import Biases, fit_biases
from tabrec.collab.biased_net import BiasedNet
from tabrec.collab.dot_product_net import history_features
from tabrec.collab.factors import contributions_by_similarity
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.negatives import learns_ranking, make_examples
from tabrec.collab.net_training import (
    RatingScale,
    check_net_parameters,
    draw_seed,
    draw_validation,
    embeddings_of,
    fold_into_net,
    grown_net,
    hold_out,
    keep_norms,
    make_task,
    train_net_more,
)
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import FROM_METADATA, KINDS
from tabrec.collab.strengths import check_positive
from tabrec.neural.devices import default_settings, one_thread, read_device
from tabrec.neural.draws import OwnDraws
from tabrec.neural.embeddings import embedding_size
from tabrec.neural.prediction import predictor
from tabrec.neural.tabular_model import TabularModel
from tabrec.neural.training import predict
from tabrec.neural.training_task import TrainingTask

# Largest number of activations of a hidden layer in a batch of predictions.
_MOST_ACTIVATIONS = 2**21
# Largest number of ratings used to measure the noise variance.
_MOST_FOR_NOISE = 20_000
_LEAST_BATCH_SIZE = 256
# Number of singular vectors that initialise embeddings, their standard deviation, and the limit in standard deviations.
_N_COMPONENTS, _STD, _MOST_STD = 16, 0.2, 3.0
# With at most this many ratings, a part is held out to choose by how much to shrink the output of the net.
_MOST_FOR_SHARE, _HELD_OUT, _N_SHARES = 50_000, 0.2, 21
_MODEL_PARAMETERS = ("dropout", "embedding_dropout", "embedding_std", "unknown_rate", "batch_norm")


class EmbeddingScorer(Scorer):
    """Trains a net whose output is added to biases; its categories are ids and labels of side tables and context."""

    model: TabularModel
    id_biases: Biases | None = None  # None in models of tabrec 0.2
    history: pd.DataFrame
    noise_variance: float  # in units of standardised ratings
    scale: RatingScale
    seed: int

    def check_parameters(self) -> None:
        check_net_parameters(self.parameters)

    def check_ratings(self, values: np.ndarray) -> None:
        if learns_ranking(self.parameters):
            check_positive(values)
        else:
            self.scale.check(values)

    @default_settings()
    def fit(self, data: RatingsReader, context: Context = None) -> None:
        examples, context, is_valid = self._begin(data, context)
        held_out = is_valid
        if is_valid is None and len(data.ratings) <= _MOST_FOR_SHARE:
            held_out = hold_out(examples, _HELD_OUT, self.seed)
        share = 1.0
        with one_thread():
            if held_out is not None:
                self.history = self._make_task(examples, context, held_out, is_valid).run()
                share = self._find_share(examples, context, held_out)
            if is_valid is None:
                self.history = self._make_task(examples, context, None, None).run()
        with torch.no_grad():
            for parameter in self.model.output.parameters():
                parameter.mul_(share)
        self._settle()

    def make_training_task(self, data: RatingsReader, context: Context = None) -> TrainingTask:
        """Make the net and its training data."""
        examples, context, is_valid = self._begin(data, context)
        return self._make_task(examples, context, is_valid, is_valid)

    def _begin(self, data: RatingsReader, context: Context) -> tuple[Interactions, Context, np.ndarray | None]:
        """Set the data, the rating scale and the seed; returns the examples, their context and a validation mask."""
        self.data = data
        self.seed = draw_seed(self.parameters["random_state"])
        examples, context = self._examples(data.ratings, context)
        self.scale = RatingScale(self.parameters["y_range"], examples.values)
        return examples, context, draw_validation(examples, self.parameters["validation_fraction"], self.seed)

    def _examples(
        self, ratings: Interactions, context: Context = None, is_folded: bool = False
    ) -> tuple[Interactions, Context]:
        return make_examples(ratings, self.data, self.parameters, self.seed, context, is_folded)

    def _make_task(
        self, ratings: Interactions, context: Context, left_out: np.ndarray | None, is_valid: np.ndarray | None
    ) -> TrainingTask:
        """Make a net and its training on all examples but those left out; `is_valid` are validation examples."""
        parameters = self.parameters
        trained = ratings if left_out is None else ratings.take(np.flatnonzero(~left_out))
        self.id_biases = fit_biases(trained, self.data.users.n_codes, self.data.items.n_codes)
        inputs = self._inputs(Pairs(ratings.users, ratings.items, context))
        with OwnDraws(self.seed):
            self.model = self._make_model(inputs[1].shape[1] - 1)
        self._start_embeddings(trained)
        rows = self.scale.make_data(inputs, ratings)
        if left_out is not None and is_valid is None:
            rows = rows.take(torch.from_numpy(np.flatnonzero(~left_out)))
            parameters = {**parameters, "callbacks": (), "verbose": 0}  # only the final net is shown
        return make_task(self.model, rows, self.seed, parameters, _LEAST_BATCH_SIZE, self.scale, is_valid)

    def _find_share(self, examples: Interactions, context: Context, held_out: np.ndarray) -> float:
        """Return the factor of the net's output, from 0 to 1, with the lowest error on held-out ratings."""
        rows = np.flatnonzero(held_out)
        ratings = examples.take(rows)
        context = None if context is None else (context[0][rows], context[1][rows])
        pairs = Pairs(ratings.users, ratings.items, context)
        assert self.id_biases is not None
        by_biases = self.scale.to_sums(self.id_biases.predict(pairs.users, pairs.items))
        added = self.scale.to_sums(self._score(pairs)) - by_biases
        shares = np.linspace(0, 1, _N_SHARES)
        gaps = (self.scale.to_ratings(by_biases + share * added) - ratings.values for share in shares)
        errors = [np.average(gap**2, weights=ratings.weights) for gap in gaps]
        return float(shares[int(np.argmin(errors))])

    @default_settings()
    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        new_users = data.users.became_known(self.data.users.origins)
        new_items = data.items.became_known(self.data.items.origins)
        self.data = data
        self.model = grown_net(self.model, {kind: data.side(kind).n_codes for kind in KINDS})
        more, context = self._examples(more, context)
        if self.id_biases is not None:
            biases = self.id_biases.grown(data.users.n_codes, data.items.n_codes)
            self.id_biases = biases.fitted("item", new_items, more).fitted("user", new_users, more)
        self._fold("item", new_items, new_items, more, context)
        self._fold("user", new_users, new_users, more, context)
        rows = self.scale.make_data(self._inputs(Pairs(more.users, more.items, context)), more)
        self.seed += 1
        # Further ratings may be too few for batch norms to estimate their statistics.
        callbacks = (*self.parameters["callbacks"], keep_norms)
        task = self.model, rows, self.seed, self.parameters, _LEAST_BATCH_SIZE, self.scale
        self.history = train_net_more(*task, self.history, callbacks=callbacks)
        self._settle()

    @default_settings()
    def extend(self, data: RatingsReader) -> None:
        self.data = data
        self.model = grown_net(self.model, {kind: data.side(kind).n_codes for kind in KINDS})
        if self.id_biases is not None:
            self.id_biases = self.id_biases.grown(data.users.n_codes, data.items.n_codes)

    @default_settings()
    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.data = data
        self.model = grown_net(self.model, {"user": data.users.n_codes})
        given, _ = self._examples(given, is_folded=True)
        if self.id_biases is not None:
            self.id_biases = self.id_biases.grown(data.users.n_codes, data.items.n_codes).fitted("user", users, given)
        self._fold("user", users, users, given, None)

    def score(self, pairs: Pairs, features: bool = True) -> np.ndarray:
        return self.scale.clip(self._score(pairs, features))

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        scores = self._score(Pairs(np.repeat(users, len(items)), np.tile(items, len(users))))
        return scores.reshape(len(users), len(items))

    def to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return self.scale.clip(scores)

    @default_settings()
    def _score(self, pairs: Pairs, features: bool = True) -> np.ndarray:
        """Predict ratings before they are clipped."""
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
        values = np.ones(len(values)) if learns_ranking(self.parameters) else values
        vectors = self.vectors("item")
        noise = self.noise_variance * self.scale.std**2
        return contributions_by_similarity(vectors[item], vectors[rated], values - expected, noise)

    def _inputs(self, pairs: Pairs, features: bool = True) -> tuple[Tensor, Tensor]:
        """Return the inputs of the net: codes of ids, features and context, and numbers of features and context."""
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
        if self.id_biases is not None:
            by_biases = self.id_biases.predict(pairs.users, pairs.items)
            numbers.append(self.scale.to_sums(by_biases).astype(np.float32)[:, None])
        both = np.concatenate(codes, axis=1).astype(np.int32), np.concatenate(numbers, axis=1)
        return torch.from_numpy(both[0]), torch.from_numpy(both[1])

    def _make_model(self, n_numbers: int) -> TabularModel:
        parameters = self.parameters
        sizes = {kind: self.data.side(kind).n_codes for kind in KINDS}
        # Sizes are fixed here, because the default rule would change them when ids are added.
        of_ids = {kind: int(parameters["embedding_size"] or embedding_size(sizes[kind])) for kind in KINDS}
        for kind in KINDS:
            table = self.data.side(kind).table
            if table is not None:
                sizes |= {f"{kind}: {name}": size for name, size in table.category_sizes.items()}
        if self.data.context is not None:
            sizes |= {f"context: {name}": size for name, size in self.data.context.category_sizes.items()}
        return BiasedNet(
            sizes,
            n_numbers,
            1,
            layers=tuple(int(width) for width in parameters["layers"]),
            embedding_sizes=of_ids,
            y_range=self.scale.scaled_bounds,
            **{name: parameters[name] for name in _MODEL_PARAMETERS},
        )

    def _start_embeddings(self, ratings: Interactions) -> None:
        """Initialise half of each embedding by singular vectors of the rated pairs, so that similar ids start alike."""
        tables = [embeddings_of(self.model).weight(kind) for kind in KINDS]
        n_components = min(_N_COMPONENTS, *(table.shape[1] // 2 for table in tables))
        if not n_components:
            return
        n_codes = self.data.users.n_codes, self.data.items.n_codes
        taken = ratings.take(ratings.values > 0) if learns_ranking(self.parameters) else ratings
        histories = history_features(taken.users, taken.items, *n_codes, n_components, self.seed)
        with torch.no_grad():
            for table, history in zip(tables, histories, strict=True):
                columns = torch.from_numpy(_STD * np.clip(history[:, :n_components], -_MOST_STD, _MOST_STD))
                table[:, : columns.shape[1]] = columns

    def _fold(self, kind: str, codes: np.ndarray, new: np.ndarray, ratings: Interactions, context: Context) -> None:
        """Fold in the vectors of ids by their ratings; the vectors of `new` ids are left out of the prior."""
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
        """Set ids without ratings to the trained vector of unknown ids, and measure the noise variance."""
        with torch.no_grad():
            for kind in KINDS:
                table = embeddings_of(self.model).weight(kind)
                table[np.flatnonzero(self.data.side(kind).origins >= FROM_METADATA)] = table[0].clone()
        ratings, _ = self._examples(self.data.ratings)
        step = max(1, len(ratings) // _MOST_FOR_NOISE)
        predicted = self.score(Pairs(ratings.users[::step], ratings.items[::step]))
        gaps = (ratings.values[::step] - predicted) / self.scale.scaler.scales[0]
        self.noise_variance = max(float((gaps**2).mean()), 1e-4)
