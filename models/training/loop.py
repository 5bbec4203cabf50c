"""The training loop that all networks share: schedule, averaging, checkpoints, resuming."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import cos, pi
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from tqdm import tqdm

from backend.precision import fast_type
from models.training.datasets import Batch, DrawSample, FinishBatch, batches


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
        workers: processes that make samples.
        seed: fixes initial weights and samples.
    """

    steps: int = 1000
    batch_size: int = 4
    crop: int = 256
    learning_rate: float = 3e-4
    warm_up_steps: int = 100
    average: float = 0.998
    checkpoint_seconds: float = 180.0
    workers: int = 1
    seed: int = 1


@dataclass(frozen=True)
class Player:
    """A part of the module with a loss of its own: one for plain training, two for a GAN.

    Attributes:
        parts: names of the module's parts that it may change; empty: all.
        compute_loss: (module, batch) -> terms, already weighted; their sum is minimised. It may
            put results into the batch for the players after it.
        betas: of Adam.
        rate: multiplies the learning rate.
    """

    compute_loss: Callable[[nn.Module, Batch], dict[str, Tensor]]
    parts: tuple[str, ...] = ()
    betas: tuple[float, float] = (0.9, 0.99)
    rate: float = 1.0

    def parameters(self, module: nn.Module) -> list[nn.Parameter]:
        chosen = [module.get_submodule(part) for part in self.parts] or [module]
        return [parameter for part in chosen for parameter in part.parameters()]


@dataclass
class Progress:
    """What a checkpoint says of the run so far.

    Attributes:
        step: steps done.
        seconds: time spent in them, over all sessions.
        history: the terms of the loss at each checkpoint.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)

    def summary(self, config: LoopConfig, data: Sequence[str]) -> dict[str, Any]:
        """What the weight file and the model card say of the run."""
        return {
            "steps": self.step,
            "hours": round(self.seconds / 3600, 2),
            "data": list(data),
            "config": asdict(config),
            "loss": self.history[-1] if self.history else {},
        }


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    if step < config.warm_up_steps:
        return config.learning_rate * (step + 1) / config.warm_up_steps
    progress = (step - config.warm_up_steps) / max(1, config.steps - config.warm_up_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + cos(pi * min(1.0, progress))))


def begin_with(module: nn.Module, weights: Path | None) -> None:
    """Give a module the values of a weight file, which must fit exactly; None leaves it as it is.

    Raises:
        RuntimeError: a name or shape differs.
        FileNotFoundError: there is no such file.
    """
    if weights is not None:
        state = safetensors.torch.load_file(weights)
        module.load_state_dict({name: value.float() for name, value in state.items()})


class Training:
    """A module with its optimisers and moving average; resumes from its checkpoint.

    Args:
        module: what to train; its weights are overwritten by a checkpoint.
        players: who changes what, in turn.
        checkpoint: file of the training state, replaced from time to time.
    """

    def __init__(
        self, module: nn.Module, config: LoopConfig, players: Sequence[Player], checkpoint: Path
    ) -> None:
        self.config, self.players, self.checkpoint = config, players, checkpoint
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Channels-last and bf16 together make a step about twice as fast, on CUDA and on CPUs with
        # bf16 instructions; weights, averages and optimisers stay float32.
        self.module = module.to(self.device).train()
        self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.module).eval()
        self.reduced = fast_type(self.device) == torch.bfloat16
        self.optimisers = [
            torch.optim.Adam(p.parameters(self.module), lr=config.learning_rate, betas=p.betas)
            for p in players
        ]
        self.progress = Progress()
        if checkpoint.exists():
            self._resume()

    def stream(self, draw: DrawSample, finish: FinishBatch) -> Callable[[int], Iterator[Batch]]:
        """What `run` takes: batches as the config wants them, for the training's device."""

        def start_at(step: int) -> Iterator[Batch]:
            return batches(
                draw,
                finish,
                batch_size=self.config.batch_size,
                seed=self.config.seed,
                start=step,
                workers=self.config.workers,
                device=self.device,
            )

        return start_at

    def run(
        self,
        make_batches: Callable[[int], Iterator[Batch]],
        on_checkpoint: Callable[[nn.Module, Progress], None],
    ) -> nn.Module:
        """Train to the last step.

        Args:
            make_batches: given the number of the first batch, yields batches for ever.
            on_checkpoint: gets the averaged module with each checkpoint.

        Returns:
            The module with averaged weights.
        """
        done = self.progress.step
        stream = make_batches(done)
        started = saved = time.monotonic()
        before = self.progress.seconds
        bar = tqdm(
            range(done, self.config.steps), initial=done, total=self.config.steps, mininterval=20
        )
        for step in bar:
            terms = self._step(step, next(stream))
            now = time.monotonic()
            self.progress.step, self.progress.seconds = step + 1, before + now - started
            is_last = step + 1 == self.config.steps
            if is_last or now - saved > self.config.checkpoint_seconds:
                values = {name: float(value) for name, value in terms.items()}
                bar.set_postfix({name: f"{value:.4f}" for name, value in values.items()})
                self.progress.history.append({"step": float(step + 1), **values})
                self._save()
                on_checkpoint(self.averaged, self.progress)
                saved = now
        return self.averaged

    def _step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        batch = {name: self._placed(tensor) for name, tensor in batch.items()}
        terms: dict[str, Tensor] = {}
        for player, optimiser in zip(self.players, self.optimisers, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = player.rate * learning_rate_at(step, self.config)
            own = player.parameters(self.module)
            # Gradients of the other players' weights would be computed for nothing.
            self.module.requires_grad_(False)
            for parameter in own:
                parameter.requires_grad_(True)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced):
                losses = player.compute_loss(self.module, batch)
            loss = torch.stack(list(losses.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(own, 1.0)
            optimiser.step()
            terms |= {name: value.detach() for name, value in losses.items()}
        self._update_average(min(self.config.average, (step + 1) / (step + 10)))
        return terms

    def _placed(self, tensor: Tensor) -> Tensor:
        """On the device; pictures with the layout that is fast there."""
        if tensor.ndim == 4:
            return tensor.to(self.device, memory_format=torch.channels_last)
        return tensor.to(self.device)

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        pairs = zip(self.averaged.parameters(), self.module.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, 1 - decay)
        # Running statistics of batch norms and spectral norms are averages already.
        for target, source in zip(self.averaged.buffers(), self.module.buffers(), strict=True):
            target.copy_(source)

    def _save(self) -> None:
        """Write beside and rename, so that a stop never leaves half a checkpoint."""
        state = {
            "module": self.module.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": asdict(self.progress),
            "config": asdict(self.config),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _resume(self) -> None:
        state: dict[str, Any] = torch.load(
            self.checkpoint, map_location=self.device, weights_only=True
        )
        self.module.load_state_dict(state["module"])
        self.averaged.load_state_dict(state["averaged"])
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        self.progress = Progress(**state["progress"])
