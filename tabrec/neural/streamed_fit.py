"""`fit_to_stream`: train a net on rows that are read in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from tabrec.neural.devices import default_settings, read_device
from tabrec.neural.inputs import FrameReader
from tabrec.neural.streamed_data import StreamedData
from tabrec.neural.tabular_estimator import TabularEstimator
from tabrec.neural.training import Trainer
from tabrec.neural.training_data import TrainingData
from tabrec.neural.training_task import TrainingTask
from tabrec.preprocess.encoded_frames import EncodedSample
from tabrec.preprocess.warm_start import describe_parameters


def check_streamed(net: TabularEstimator) -> None:
    """Raise a ValueError for parameters that need all rows in memory."""
    net._check_parameters()
    if getattr(net, "class_weight", None) is not None:
        raise ValueError(f"class_weight={net.class_weight!r} needs all rows in memory, and they do not fit.")
    if net.validation_fraction is not None and not isinstance(net.validation_fraction, float):
        raise ValueError("validation_fraction must be a share of the rows where they do not fit in memory.")
    if net.n_nets not in (1, "auto"):
        raise ValueError(f"n_nets={net.n_nets} needs all rows in memory, and they do not fit: one net can be trained.")


@default_settings()
def fit_to_stream(
    net: TabularEstimator,
    preprocessor: Any,
    sample: EncodedSample,
    classes: Any,
    n_rows: int,
    read_blocks: Callable[[int, int], Iterator[EncodedSample]],
    valid: EncodedSample | None,
) -> None:
    """Train a net on rows that are read in blocks in every epoch; it is a single one.

    Parameters
    ----------
    net : TabularEstimator
        The estimator to fit.
    preprocessor : transformer
        The fitted preprocessor that has encoded the rows.
    sample : EncodedSample
        A sample of the rows, from which the scales of columns and target and the edges of bins are learned.
    classes : sequence or None
        The classes of all rows; None for a regression.
    n_rows : int
        Number of rows of an epoch.
    read_blocks : callable
        Takes the number of the epoch and the batch size, and yields the rows in blocks; see `StreamedData`.
    valid : EncodedSample or None
        Rows to validate on.
    """
    net._kept_parameters = describe_parameters(net, net._kept_names)
    net.preprocessor_, net.encoded_names_ = preprocessor, np.asarray(sample.encoded.columns, dtype=object)
    net.n_features_in_, net.feature_names_in_ = preprocessor.n_features_in_, preprocessor.feature_names_in_
    net._check_encoded(sample.encoded)
    net._reader = FrameReader(sample.encoded)
    net._learn_target(sample.y, sample.y if classes is None else np.asarray(classes))

    def to_data(rows: EncodedSample) -> TrainingData:
        return net._to_data(rows.encoded, rows.y, None)

    net.n_nets_ = 1
    seed = int(check_random_state(net.random_state).randint(np.iinfo(np.int32).max))
    net.model_ = net._draw_model(to_data(sample), seed)
    config = net._make_config(n_rows, seed, 1, False)
    stream = StreamedData(n_rows, lambda epoch: map(to_data, read_blocks(epoch, config.batch_size)))
    trainer = (net.trainer or Trainer)(net.model_, net._make_loss(), config, read_device(net.device))
    task = TrainingTask(trainer, stream, None if valid is None else to_data(valid), seed, None, n_rows)
    net._train([task], False)
    net.oof_prediction_ = None
