"""Rows in blocks: the training loop takes them as it takes resident rows."""

import numpy as np
import pytest
import torch
from torch import nn

from tabrec.neural.streamed_data import StreamedData
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData


def make_data(n_rows):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_rows, 3, generator=generator)
    return TrainingData((x,), (x @ torch.tensor([[1.0], [2.0], [-1.0]])))


def squared(output, target):
    return ((output - target) ** 2).mean(dim=1)


def train(data, **options):
    torch.manual_seed(0)
    config = TrainingConfig(**{"epochs": 3, "batch_size": 8, "learning_rate": 0.05, "seed": 1} | options)
    model = nn.Linear(3, 1)
    history = Trainer(model, squared, config).fit(data, None)
    return model, history


@pytest.mark.parametrize("n_rows", [40, 41, 43])
def test_one_block_trains_the_net_of_resident_rows(n_rows):
    data = make_data(n_rows)
    resident, history = train(data)
    streamed, streamed_history = train(StreamedData(n_rows, lambda epoch: iter([data])))
    assert all(torch.equal(a, b) for a, b in zip(resident.parameters(), streamed.parameters(), strict=True))
    assert history["train_loss"].tolist() == streamed_history["train_loss"].tolist()


def test_every_row_of_every_block_is_in_one_batch_of_an_epoch():
    data, epochs = make_data(43), []
    rows = torch.arange(43)

    def read_blocks(epoch):
        epochs.append(epoch)
        for start, stop in ((0, 16), (16, 32), (32, 43)):
            yield data.take(rows[start:stop])

    stream = StreamedData(43, read_blocks)
    for _ in range(2):
        seen = [stream.take(batch).inputs[0] for batch in stream.batches(8, torch.Generator().manual_seed(3))]
        assert [len(batch) for batch in seen] == [8, 8, 8, 8, 8, 3]
        found = torch.cat(seen).numpy()
        assert np.array_equal(found[np.lexsort(found.T)], data.inputs[0].numpy()[np.lexsort(data.inputs[0].numpy().T)])
    assert epochs == [0, 1]


def test_blocks_are_learned_from():
    data = make_data(64)
    blocks = [data.take(torch.arange(start, start + 16)) for start in range(0, 64, 16)]
    model, history = train(StreamedData(64, lambda epoch: iter(blocks)), epochs=30)
    assert model.weight.detach().numpy().round(1).tolist() == [[1.0, 2.0, -1.0]]
    assert len(history) == 30


def test_other_rows_than_were_counted_are_an_error():
    data = make_data(16)
    with pytest.raises(ValueError, match="The table changed while it was read: 16 of 32 rows were found"):
        train(StreamedData(32, lambda epoch: iter([data])))
