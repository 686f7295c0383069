"""Where nets live: which device, in which precision, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tabrec.neural.embeddings import PackedEmbedding

# Below so many multiplications a step, casting to bfloat16 on a CPU costs more than it saves.
_WORTH_CASTING = 30_000_000


def read_device(device: Any) -> torch.device:
    """The device asked for; "auto" is the GPU where there is one.

    Raises
    ------
    ValueError
        No such device, or none on this machine.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is no device: give 'auto', 'cpu', 'cuda' or 'mps'.") from error
    is_there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (found.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not is_there.get(found.type, False):
        raise ValueError(f"device={device!r} is not on this machine: device='auto' takes what there is.")
    return found


def uses_bfloat16(mixed_precision: Any, device: torch.device, multiplications: int) -> bool:
    """Whether matrix products are computed in bfloat16, from float32 weights.

    "auto" does so where the processor computes in bfloat16 and a step's matrix products are large enough to gain.
    """
    if mixed_precision != "auto":
        return bool(mixed_precision)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and _cpu_has_bfloat16() and multiplications >= _WORTH_CASTING


def _cpu_has_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
    return bool(torch.cpu._is_avx512_bf16_supported())


def multiplications_per_row(model: nn.Module) -> int:
    """About how many multiplications a row costs in a net's linear layers."""
    layers = [module for module in model.modules() if not isinstance(module, (nn.Embedding, PackedEmbedding))]
    matrices = [p for layer in layers for p in layer.parameters(recurse=False) if p.ndim == 2]
    return (getattr(model, "n_members", None) or 1) * sum(matrix.numel() for matrix in matrices)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's random numbers from `seed`, and afterwards as if nothing had been drawn."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers too small for full precision as 0: moments of rows seldom visited fade to such, and are slow then."""
    tiny = torch.tensor([1e-40])
    was_on = bool((tiny * 1.0 == 0).item())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_on)


@contextmanager
def explain_memory(n_rows: int, n_bytes: int, batch_size: int) -> Iterator[None]:
    """Say of a GPU that is full what filled it and what to lower."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(
            f"The GPU is out of memory: {n_rows:,} rows of {n_bytes / 2**20:,.0f} MiB, in batches of {batch_size:,}. "
            "Lower batch_size, layers or n_members, or set device='cpu'."
        ) from error
