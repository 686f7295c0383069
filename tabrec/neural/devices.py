"""Device, precision and settings of a training."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tabrec.neural.embeddings import PackedEmbedding

# With fewer multiplications per step, casting to bfloat16 on a CPU costs more than it saves.
_MIN_MULTIPLICATIONS = 30_000_000
_THREADS_LOCK = threading.Lock()
# The number of threads to restore, once for each running fit.
_limits: list[int] = []


def read_device(device: Any) -> torch.device:
    """Validate `device`; "auto" is the GPU if there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'mps'; got {device!r}.") from error
    is_available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (found.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not is_available.get(found.type, False):
        raise ValueError(f"device={device!r} is not available on this machine; device='auto' chooses one that is.")
    return found


def uses_bfloat16(mixed_precision: Any, device: torch.device, multiplications: int) -> bool:
    """Return whether matrix products are computed in bfloat16, from float32 weights.

    "auto" uses bfloat16 if the processor supports it and the matrix products of a step are large enough to gain.
    """
    if mixed_precision != "auto":
        return bool(mixed_precision)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and _cpu_has_bfloat16() and multiplications >= _MIN_MULTIPLICATIONS


def _cpu_has_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
    return bool(torch.cpu._is_avx512_bf16_supported())


def multiplications_per_row(model: nn.Module) -> int:
    """Return the approximate number of multiplications per row in the linear layers of a net."""
    layers = [module for module in model.modules() if not isinstance(module, (nn.Embedding, PackedEmbedding))]
    matrices = [p for layer in layers for p in layer.parameters(recurse=False) if p.ndim == 2]
    return (getattr(model, "n_members", None) or 1) * sum(matrix.numel() for matrix in matrices)


@contextmanager
def default_settings() -> Iterator[None]:
    """Compute with the default settings of torch: with gradients, without autocast, on the CPU by default."""
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, which makes sums reproducible and small steps faster.

    Concurrent fits share the setting of torch; the last one to end restores the value that the first one found.
    """
    with _THREADS_LOCK:
        _limits.append(_limits[0] if _limits else torch.get_num_threads())
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _THREADS_LOCK:
            torch.set_num_threads(_limits.pop())


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Flush denormal numbers to 0, because they are slow and the moments of rare labels decay to them."""
    tiny = torch.tensor([1e-40], dtype=torch.float32)
    was_on = bool((tiny * 1.0 == 0).item())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_on)


@contextmanager
def explain_memory(n_rows: int, n_bytes: int, batch_size: int) -> Iterator[None]:
    """Raise a MemoryError that names the parameters to lower if the GPU is out of memory."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(
            f"The GPU is out of memory: {n_rows:,} rows of {n_bytes / 2**20:,.0f} MiB, in batches of {batch_size:,}. "
            "Lower batch_size, layers or n_members, or set device='cpu'."
        ) from error


class CapturedStep:
    """A training step that is captured as a CUDA graph and replayed for each full batch, without launching kernels.

    For smaller batches, and models that cannot be captured, the step is called. It takes the positions of a batch,
    returns its loss and leaves the gradients in the parameters.
    """

    _N_WARM_UP = 3  # steps before a capture, which PyTorch recommends

    def __init__(
        self,
        step: Callable[[Tensor], Tensor],
        model: nn.Module,
        batch_size: int,
        generator: torch.Generator | None = None,
    ):
        self.step, self.model, self.batch_size, self.generator = step, model, batch_size, generator
        self.graph: Any = None
        self.n_seen = 0
        self.can_capture = True
        self.gradients: list[Tensor | None] = []

    def __call__(self, batch: Tensor) -> Tensor:
        if not self.can_capture or len(batch) != self.batch_size or self.n_seen < self._N_WARM_UP:
            self.n_seen += len(batch) == self.batch_size
            return self.step(batch)
        if self.graph is None and not self._capture(batch):
            return self.step(batch)
        self.batch.copy_(batch)
        self.graph.replay()
        for parameter, gradient in zip(self.model.parameters(), self.gradients, strict=True):
            parameter.grad = gradient
        return self.loss

    def _capture(self, batch: Tensor) -> bool:
        self.batch = batch.clone()
        try:
            graph = torch.cuda.CUDAGraph()
            if self.generator is not None:
                graph.register_generator_state(self.generator)  # so that each replay draws new numbers
            torch.cuda.synchronize()
            with torch.cuda.graph(graph):
                self.loss = self.step(self.batch)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:
            self.can_capture = False
            return False
        self.graph = graph
        self.gradients = [parameter.grad for parameter in self.model.parameters()]
        return True
