"""Draw the random numbers of a net from its own generator, so that nets can be fitted in concurrent threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Functions and methods with a parameter `generator`, and functions that make tensors of the default dtype.
_DRAWING = {
    *("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"),
    *("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "geometric_", "log_normal_", "cauchy_"),
    *("kaiming_uniform_", "kaiming_normal_"),
}
_FLOATING = {"empty", "zeros", "ones", "rand", "randn", "eye", "linspace"}
_N_WORDS = 2**16
# Held while torch's global generators, which all threads share, are seeded.
_GLOBAL_GENERATORS = threading.RLock()


class OwnDraws(TorchFunctionMode):
    """Context that makes float32 weights on the CPU, drawn from a generator with the given seed.

    It neither uses nor changes torch's global generators and default dtype, because all threads share them.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), dict(kwargs or {})
        if name in _FLOATING and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        if name in _DRAWING and kwargs.get("generator") is None:
            given = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
            device = kwargs.get("device") if given is None else given.device
            if device is None or torch.device(device).type == "cpu":
                kwargs["generator"] = self.generator
        return func(*args, **kwargs)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators for the caller's code, one thread at a time, and restore their state."""
    devices = [device] if device.type == "cuda" else []
    with _GLOBAL_GENERATORS, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class Dropout(nn.Dropout):
    """Dropout that draws from `generator`, or from torch's global generator if it is None."""

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.generator is None or not self.training or not self.p:
            return super().forward(x)
        if x.device.type != "cpu":
            return x * torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator).div_(1 - self.p)
        # 16 random bits are used per number, because drawing a float each took a quarter of the time of a step.
        n_kept = round((1 - self.p) * _N_WORDS)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None, generator=self.generator)
        kept = words.view(torch.int16)[: x.numel()] < n_kept - _N_WORDS // 2
        return x * kept.view(x.shape).to(x.dtype).mul_(_N_WORDS / max(n_kept, 1))


class MaskCodes(nn.Module):
    """In training, replaces a random share of the codes by 0, the code of unknown labels."""

    generator: torch.Generator | None = None

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, codes: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return codes
        drawn = torch.rand(codes.shape, device=codes.device, dtype=torch.float32, generator=self.generator)
        return codes * (drawn >= self.rate)


def set_generator(model: nn.Module, generator: torch.Generator | None) -> None:
    """Set the generator of the modules that draw random numbers in training."""
    for part in model.modules():
        if isinstance(part, (Dropout, MaskCodes)):
            part.generator = generator
