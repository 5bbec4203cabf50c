"""The training loop that all networks share: schedule, averaging, checkpoints, resuming."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.training.datasets import Sample


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps of the whole run; the schedule is laid over them.
        batch_size: samples per step.
        crop: side of the training crops in pixels.
        learning_rate: of Adam, after the warm-up.
        warm_up_steps: linear rise of the learning rate.
        average: decay of the moving average of the weights, per step.
        checkpoint_seconds: time between checkpoints.
        seed: fixes initial weights and samples.
    """

    steps: int
    batch_size: int
    crop: int
    learning_rate: float
    warm_up_steps: int = 100
    average: float = 0.998
    checkpoint_seconds: float = 180.0
    seed: int = 1


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    if step < config.warm_up_steps:
        return config.learning_rate * (step + 1) / config.warm_up_steps
    progress = (step - config.warm_up_steps) / max(1, config.steps - config.warm_up_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + cos(pi * min(1.0, progress))))


def train(
    module: nn.Module,
    config: LoopConfig,
    make_batches: Callable[[int], Iterator[Sample]],
    compute_loss: Callable[[nn.Module, Sample], dict[str, Tensor]],
    checkpoint: Path,
    on_checkpoint: Callable[[nn.Module, int], None],
) -> nn.Module:
    """Train, or go on with training where `checkpoint` left off.

    Args:
        module: what to train; its weights are overwritten by a checkpoint.
        make_batches: given the number of the first sample, yields batches for ever.
        compute_loss: the terms of the loss, already weighted; their sum is minimised.
        checkpoint: file of the training state, replaced from time to time.
        on_checkpoint: gets the averaged module and the steps done with each checkpoint.

    Returns:
        The module with averaged weights.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # Channels-last and bf16 together make a step about twice as fast, on CUDA and on CPUs with
    # bf16 instructions; weights, averages and optimiser stay float32.
    module = module.to(device).train()
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    reduced = _computes_bfloat16(device)
    averaged = copy.deepcopy(module)
    optimiser = torch.optim.Adam(module.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))
    first_step = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        module.load_state_dict(state["module"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        first_step = int(state["step"])
    stream = make_batches(first_step * config.batch_size)
    saved_at = time.monotonic()
    steps = range(first_step, config.steps)
    bar = tqdm(steps, initial=first_step, total=config.steps, mininterval=20)
    for step in bar:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(step, config)
        batch = {
            name: tensor.to(device, memory_format=torch.channels_last)
            for name, tensor in next(stream).items()
        }
        with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
            terms = compute_loss(module, batch)
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        _update_average(averaged, module, min(config.average, (step + 1) / (step + 10)))
        bar.set_postfix({name: f"{value.item():.4f}" for name, value in terms.items()})
        if time.monotonic() - saved_at > config.checkpoint_seconds or step + 1 == config.steps:
            _save(checkpoint, module, averaged, optimiser, step + 1, asdict(config))
            on_checkpoint(averaged.eval(), step + 1)
            saved_at = time.monotonic()
    return averaged.eval()


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@torch.no_grad()
def _update_average(averaged: nn.Module, module: nn.Module, decay: float) -> None:
    for mean, weight in zip(averaged.parameters(), module.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    # Running statistics of batch norms and spectral norms are averages already.
    for target, source in zip(averaged.buffers(), module.buffers(), strict=True):
        target.copy_(source)


def _save(
    path: Path,
    module: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    config: dict[str, Any],
) -> None:
    """Write beside and rename, so that a stop never leaves half a checkpoint."""
    state = {
        "module": module.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "config": config,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    partial.replace(path)
