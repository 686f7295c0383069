"""Nets that several workers train together are those of one process."""

import os
from functools import partial

import numpy as np
import pytest
import torch

from tabrec import TabularRegressor
from tabrec.datasets import make_auctions
from tabrec.neural import Trainer
from tabrec.neural.training import TrainingConfig
from tabrec.neural.training_data import TrainingData
from tabrec.scale import FrameChunks, RayTrainer, cluster

SALES = make_auctions(600, random_state=0)[["SalePrice", "YearMade", "UsageBand", "state"]]


@pytest.fixture(scope="module")
def two_workers(ray_package):
    with cluster(workers=2) as ray:
        yield ray


def make(n_rows=101, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n_rows, 4, generator=generator)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    weight = torch.rand(n_rows, generator=generator) + 0.5
    return model, TrainingData((X,), X.sum(dim=1, keepdim=True) + X[:, :1] ** 2, weight / weight.mean())


def squared(output, target):
    return ((output - target) ** 2).mean(dim=1)


def train(trainer, **options):
    model, data = make()
    valid = make(40, 1)[1]
    config = TrainingConfig(epochs=4, batch_size=25, learning_rate=0.05, seed=3, **options)
    history = trainer(model, squared, config).fit(data, valid)
    return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy(), history


@pytest.mark.long
@pytest.mark.xdist_group("ray")
class TestWithTwoWorkers:
    @pytest.mark.parametrize("options", [{"schedule": "averaged"}, {"max_grad_norm": 0.1, "patience": 1}])
    def test_weights_and_losses_are_those_of_one_process(self, two_workers, options):
        # The last batch has one row, which only one of the workers has.
        expected, losses = train(Trainer, **options)
        found, shared = train(partial(RayTrainer, workers=2), **options)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(shared["train_loss"], losses["train_loss"], rtol=1e-5)
        np.testing.assert_allclose(shared["valid_loss"], losses["valid_loss"], rtol=1e-5)

    def test_a_worker_that_is_lost_twice_changes_nothing(self, two_workers, tmp_path):
        n_times = 2

        class Dying(torch.nn.Tanh):
            def forward(self, x):
                marks = len(list(tmp_path.iterdir()))
                rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
                # Each worker passes here 5 times in an epoch.
                self.n = getattr(self, "n", 0) + self.training
                if rank == 1 and marks < n_times and self.n == 8:
                    (tmp_path / str(marks)).touch()
                    os._exit(1)
                return super().forward(x)

        def fit(trainer):
            model, data = make()
            model[1] = Dying()
            config = TrainingConfig(epochs=4, batch_size=25, learning_rate=0.05, seed=3, schedule="averaged")
            trainer(model, squared, config).fit(data)
            return torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()

        expected = fit(Trainer)
        with pytest.warns(UserWarning, match="A worker was lost") as warned:
            found = fit(partial(RayTrainer, workers=2))
        assert len(list(tmp_path.iterdir())) == n_times == len([w for w in warned if "was lost" in str(w.message)])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_an_estimator_is_trained_on_blocks_that_the_workers_read(self, two_workers):
        options = {"epochs": 2, "device": "cpu", "random_state": 0, "batch_norm": False, "dropout": 0.0}
        options |= {"unknown_rate": 0.0, "embedding_dropout": 0.0, "n_members": None}
        chunks = FrameChunks([SALES[:300], SALES[300:]], memory="30KB")
        one, two = (
            TabularRegressor((8,), trainer=partial(RayTrainer, workers=n), **options).fit(chunks, "log(SalePrice)")
            for n in (1, 2)
        )
        np.testing.assert_allclose(two.predict(SALES), one.predict(SALES), rtol=1e-4)

    def test_mistakes_are_named(self, two_workers):
        model, data = make()
        config = TrainingConfig(epochs=1, batch_size=25, learning_rate=0.1, callbacks=[print])
        with pytest.raises(ValueError, match="callbacks run in this process"):
            RayTrainer(model, squared, config).fit(data)
        with pytest.raises(ValueError, match="workers=9 must be 1 to 2, the number of CPUs of the cluster"):
            train(partial(RayTrainer, workers=9))

        class Failing(torch.nn.Tanh):
            def forward(self, x):
                os._exit(1)

        model[1] = Failing()
        config = TrainingConfig(epochs=1, batch_size=25, learning_rate=0.1)
        with pytest.raises(RuntimeError, match="Workers were lost 1 times, more than max_failures"):
            RayTrainer(model, squared, config, max_failures=0).fit(data)
