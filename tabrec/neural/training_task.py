"""`TrainingTask`: a prepared training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import pandas as pd

from tabrec.neural.draws import seeded
from tabrec.neural.streamed_data import StreamedData
from tabrec.neural.training import Trainer
from tabrec.neural.training_data import TrainingData


class TrainingTask(NamedTuple):
    """A trainer with the data and the seed of one training."""

    trainer: Trainer
    data: TrainingData | StreamedData
    valid: TrainingData | None
    seed: int
    held_out: np.ndarray | None = None  # positions of the validation rows among those of `fit`
    n_rows: int = 0  # number of rows of `fit`

    def run(self) -> pd.DataFrame:
        """Train; returns the history."""
        with self.seeded():
            return self.trainer.fit(self.data, self.valid)

    def seeded(self) -> AbstractContextManager:
        """Seed torch's global generators if the caller's code draws from them."""
        return seeded(self.seed, self.trainer.device) if self.trainer.config.seed is None else nullcontext()
