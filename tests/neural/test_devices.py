"""Devices, precision and memory: the choices of "auto", and invalid values."""

import contextlib

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn

from tabrec import TabularClassifier, TabularModel, TabularRegressor
from tabrec.neural.devices import (
    CapturedStep,
    explain_memory,
    flushed_denormals,
    multiplications_per_row,
    read_device,
    uses_bfloat16,
)
from tabrec.neural.draws import seeded
from tabrec.neural.losses import regression_loss
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NET = {
    "layers": (16,),
    "n_members": None,
    "batch_norm": False,
    "dropout": 0.0,
    "numeric_embedding": None,
    "numeric_embedding_size": 8,
    "n_bins": 8,
    "epochs": 15,
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "device": "cpu",
    "random_state": 0,
}


def make_frame(seed=0, n_rows=200):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"state": generator.choice(["Ohio", "Utah"], n_rows), "age": generator.uniform(0, 10, n_rows)})
    return X, (X["age"] + 5 * (X["state"] == "Utah") + generator.normal(0, 0.3, n_rows)).to_numpy()


# --- Which device ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("available", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_the_gpu_if_there_is_one(monkeypatch, available, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert read_device("auto").type == expected


@pytest.mark.parametrize("device", ["cpu", CPU])
def test_a_device_may_be_named_or_given(device):
    assert read_device(device) == CPU
    X, y = make_frame()
    expected = TabularRegressor(**NET | {"epochs": 2}).fit(X, y).predict(X)
    np.testing.assert_array_equal(
        TabularRegressor(**NET | {"epochs": 2, "device": device}).fit(X, y).predict(X), expected
    )


@pytest.mark.parametrize("device", ["foo", "", "cpu:x", "gpu"])
def test_an_unknown_device_raises(device):
    with pytest.raises(ValueError, match=f"device must be 'auto', 'cpu', 'cuda' or 'mps'; got '{device}'"):
        TabularRegressor(**NET | {"device": device}).fit(*make_frame())


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "meta", "xpu"])
def test_an_unavailable_device_raises(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"device='{device}' is not available on this machine"):
        TabularRegressor(**NET | {"device": device}).fit(*make_frame())


def test_an_unavailable_gpu_index_raises(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert read_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="device='cuda:2' is not available on this machine"):
        read_device("cuda:2")


def test_a_fitted_net_is_on_the_cpu_and_ready_to_predict():
    net = TabularRegressor(**NET | {"epochs": 2, "device": "auto"}).fit(*make_frame())
    assert {parameter.device for parameter in net.model_.parameters()} == {CPU}
    assert {parameter.dtype for parameter in net.model_.parameters()} == {torch.float32}
    assert not net.model_.training


# --- Random numbers --------------------------------------------------------------------------------------------------


def test_seeded_numbers_depend_on_the_seed_and_restore_the_state():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(5, CPU):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(5, CPU):
        assert torch.equal(torch.rand(3), first)


# --- Precision -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False])
def test_a_given_precision_is_used_on_every_machine(given):
    assert uses_bfloat16(given, CPU, 1) is given
    assert uses_bfloat16(given, CUDA, 10**12) is given


@pytest.mark.parametrize(
    ("capabilities", "multiplications", "expected"),
    [
        ({"avx512_bf16": True}, 10**9, True),
        ({"amx_bf16": True}, 10**9, True),
        ({"bf16": True}, 10**9, True),
        ({"avx512_bf16": True}, 10**4, False),
        ({"avx2": True}, 10**9, False),
        ({}, 10**9, False),
    ],
)
def test_auto_casts_on_a_cpu_that_has_bfloat16_where_a_step_is_large(
    monkeypatch, capabilities, multiplications, expected
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert uses_bfloat16("auto", CPU, multiplications) is expected


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_auto_asks_an_older_torch_another_way(monkeypatch, has_bfloat16):
    monkeypatch.setattr(torch.cpu, "get_capabilities", None, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16, raising=False)
    assert uses_bfloat16("auto", CPU, 10**9) is has_bfloat16


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_auto_casts_on_a_gpu_that_has_bfloat16(monkeypatch, has_bfloat16):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bfloat16)
    assert uses_bfloat16("auto", CUDA, 1) is has_bfloat16


def test_auto_does_not_cast_elsewhere():
    assert uses_bfloat16("auto", torch.device("mps"), 10**12) is False


def test_multiplications_of_a_row_are_those_of_the_matrices():
    assert multiplications_per_row(nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))) == 200 + 60
    plain = TabularModel({"state": 1000}, 2, layers=(8, 4), batch_norm=False, embedding_sizes={"state": 3})
    assert multiplications_per_row(plain) == 5 * 8 + 8 * 4 + 4


KINDS = {
    "plain": {},
    "y_range": {"y_range": (-2, 20)},
    "members": {"n_members": 4},
    "batch norm": {"batch_norm": True, "n_members": 4},
    "piecewise": {"numeric_embedding": "piecewise"},
    "periodic": {"numeric_embedding": "periodic", "n_members": 4},
    "quantile": {"loss": "quantile"},
    "validated": {"validation_fraction": 0.2, "y_range": "auto"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_trained_in_bfloat16_predicts_nearly_the_same(kind):
    X, y = make_frame()
    plain, cast = (
        TabularRegressor(**NET | KINDS[kind] | {"mixed_precision": mixed}).fit(X, y) for mixed in (False, True)
    )
    assert r2_score(plain.predict(X), cast.predict(X)) > 0.97
    assert abs(plain.predict(X) - cast.predict(X)).max() > 0
    assert {parameter.dtype for parameter in cast.model_.parameters()} == {torch.float32}


def test_a_classifier_trained_in_bfloat16_predicts_nearly_the_same():
    X, y = make_frame()
    plain, cast = (
        TabularClassifier(**NET | {"mixed_precision": mixed}).fit(X, y > 7).predict_proba(X) for mixed in (False, True)
    )
    assert abs(plain - cast).mean() < 0.03


# --- Memory ----------------------------------------------------------------------------------------------------------


def test_a_full_gpu_raises_with_rows_batches_and_parameters_to_lower():
    with (
        pytest.raises(MemoryError) as raised,
        explain_memory(n_rows=1_000_000, n_bytes=3 * 2**30, batch_size=8192),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    assert str(raised.value) == (
        "The GPU is out of memory: 1,000,000 rows of 3,072 MiB, in batches of 8,192. "
        "Lower batch_size, layers or n_members, or set device='cpu'."
    )


def test_other_errors_are_not_changed():
    with pytest.raises(RuntimeError, match="another"), explain_memory(1, 1, 1):
        raise RuntimeError("another")


# --- Steps captured as CUDA graphs -----------------------------------------------------------------------------------


class EagerStep:
    """A step that counts its calls and leaves known gradients."""

    def __init__(self, model):
        self.model, self.sizes = model, []

    def __call__(self, batch):
        self.sizes.append(len(batch))
        loss = (self.model.weight * batch.float().sum()).sum()
        self.model.weight.grad = None
        loss.backward()
        return loss.detach()


def pretend_cuda(monkeypatch, graph):
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)


class FakeGraph:
    n_replays = 0

    def replay(self):
        FakeGraph.n_replays += 1

    def register_generator_state(self, generator):
        self.generator = generator


def refuses(error):
    @contextlib.contextmanager
    def graph(_):
        raise error
        yield

    return graph


BATCHES = [torch.arange(4) + start for start in range(8)]


def test_a_net_that_cannot_be_captured_runs_eagerly_with_the_same_result(monkeypatch):
    pretend_cuda(monkeypatch, refuses(RuntimeError("operation not permitted when stream is capturing")))
    plain_model, model = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    model.load_state_dict(plain_model.state_dict())
    plain, eager = EagerStep(plain_model), EagerStep(model)
    captured = CapturedStep(eager, model, batch_size=4)
    for batch in [*BATCHES, BATCHES[0][:3]]:
        assert torch.equal(captured(batch), plain(batch))
        assert torch.equal(model.weight.grad, plain_model.weight.grad)
    assert eager.sizes == plain.sizes


def test_a_failed_capture_is_not_repeated(monkeypatch):
    tries = []

    @contextlib.contextmanager
    def graph(_):
        tries.append(1)
        raise RuntimeError("not capturable")
        yield

    pretend_cuda(monkeypatch, graph)
    model = nn.Linear(1, 1, bias=False)
    captured = CapturedStep(EagerStep(model), model, batch_size=4)
    for batch in BATCHES:
        captured(batch)
    assert len(tries) == 1


def test_a_captured_step_draws_from_the_generator_of_the_training(monkeypatch):
    pretend_cuda(monkeypatch, lambda _: contextlib.nullcontext())
    model, generator = nn.Linear(1, 1, bias=False), torch.Generator()
    captured = CapturedStep(EagerStep(model), model, batch_size=4, generator=generator)
    for batch in BATCHES[:4]:
        captured(batch)
    assert captured.graph.generator is generator


def test_a_full_gpu_in_a_capture_raises(monkeypatch):
    pretend_cuda(monkeypatch, refuses(torch.cuda.OutOfMemoryError("CUDA out of memory")))
    model = nn.Linear(1, 1, bias=False)
    captured = CapturedStep(EagerStep(model), model, batch_size=4)
    for batch in BATCHES[:3]:
        captured(batch)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        captured(BATCHES[3])


def test_full_batches_are_replayed_after_three_and_others_run_eagerly(monkeypatch):
    pretend_cuda(monkeypatch, lambda _: contextlib.nullcontext())
    monkeypatch.setattr(FakeGraph, "n_replays", 0)
    model = nn.Linear(1, 1, bias=False)
    eager = EagerStep(model)
    captured = CapturedStep(eager, model, batch_size=4)
    for batch in BATCHES[:3]:
        captured(batch)
    captured(BATCHES[0][:2])
    assert (eager.sizes, FakeGraph.n_replays) == ([4, 4, 4, 2], 0)
    captured(BATCHES[4])
    gradient = model.weight.grad
    model.weight.grad = None
    captured(BATCHES[5])
    assert model.weight.grad is gradient
    assert torch.equal(captured.batch, BATCHES[5])
    captured(BATCHES[0][:2])
    assert (eager.sizes, FakeGraph.n_replays) == ([4, 4, 4, 2, 4, 2], 2)


def test_only_the_default_train_step_is_captured(monkeypatch):
    class Overridden(Trainer):
        def train_step(self, batch):
            return super().train_step(batch)

    captured = []
    monkeypatch.setattr("tabrec.neural.training.CapturedStep", lambda step, *_: captured.append(step) or step)
    data, model = TrainingData((torch.zeros(8, 2),), torch.zeros(8, 1)), nn.Linear(2, 1)
    config = TrainingConfig(epochs=1, batch_size=4, learning_rate=0.1, mixed_precision=False)
    for make, n_captured in ((Overridden, 0), (Trainer, 1)):
        trainer = make(model, regression_loss("mse"), config, "cuda")
        trainer.make_update(trainer.make_optimizer(), data)
        assert len(captured) == n_captured


def test_the_cpu_captures_nothing(monkeypatch):
    def graph(_):
        raise AssertionError("captured on a CPU")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    X, y = make_frame()
    assert TabularRegressor(**NET).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("was_on", [True, False])
def test_denormals_are_flushed_for_as_long_as_training_lasts(was_on):
    def is_on():
        return bool((torch.tensor([1e-40]) * 1.0 == 0).item())

    def fail():
        with flushed_denormals():
            assert is_on()
            raise ZeroDivisionError

    torch.set_flush_denormal(was_on)
    try:
        with pytest.raises(ZeroDivisionError):
            fail()
        assert is_on() == was_on
    finally:
        torch.set_flush_denormal(False)
