"""Predict with trained nets, also training rows by the nets that they were held out from."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tabrec.neural.devices import explain_memory
from tabrec.neural.training import predict
from tabrec.neural.training_task import TrainingTask

# Largest number of activations of a hidden layer in memory, over all members.
_MAX_ACTIVATIONS = 2**19

# Copies of models for prediction, with the version of the weights that they were copied from; see `predictor`.
_PREDICTORS: weakref.WeakKeyDictionary[nn.Module, tuple[int, nn.Module]] = weakref.WeakKeyDictionary()


def predict_outputs(model: nn.Module, inputs: Sequence[Tensor], device: torch.device, width: int) -> Tensor:
    """Compute the outputs of a trained net; `width` is the largest number of activations of a row in a layer."""
    if device.type == "cpu":
        inputs = [part.double() if part.is_floating_point() else part for part in inputs]
    n_bytes = sum(part.numel() * part.element_size() for part in inputs)
    at_once = max(16, _MAX_ACTIVATIONS // width)
    with explain_memory(len(inputs[0]), n_bytes, at_once):
        return predict(predictor(model, device), tuple(part.to(device) for part in inputs), at_once).cpu()


def predict_held_out(
    tasks: Sequence[TrainingTask], to_values: Callable[[Tensor], np.ndarray], width: int
) -> np.ndarray | None:
    """Return the predictions of each row by the net that was validated on it; NaN for other rows, None if all are."""
    found = None
    for task in tasks:
        if task.held_out is None or task.valid is None:
            continue
        values = to_values(predict_outputs(task.trainer.model, task.valid.inputs, task.trainer.device, width))
        found = np.full((task.n_rows, *values.shape[1:]), np.nan) if found is None else found
        found[task.held_out] = values
        _PREDICTORS.pop(task.trainer.model, None)  # it will only predict as part of an ensemble
    return found


def predictor(model: nn.Module, device: torch.device) -> nn.Module:
    """Return a cached copy of the model to predict with; it is in float64 on a CPU, for batch-independent rows."""
    version = hash((device, *(p._version for p in model.parameters()), *(b._version for b in model.buffers())))
    if model not in _PREDICTORS or _PREDICTORS[model][0] != version:
        made = copy.deepcopy(model).to(device).eval().requires_grad_(False)
        _PREDICTORS[model] = version, made.double() if device.type == "cpu" else made
    return _PREDICTORS[model][1]
