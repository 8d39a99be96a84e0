"""Trainer: network, data, optimizer, steps and state of one training run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from pfld.blocks import freeze_statistics_, set_folded_training, synchronize_moments
from pfld.data.augment import AugmentationConfig, draw_augmentation
from pfld.data.face_set import FaceSet, split_by_picture
from pfld.networks import LandmarkNetwork, build_network
from pfld.preprocess import Preprocessing
from pfld.training.averaging import WeightAverage
from pfld.training.clock import RunClock
from pfld.training.config import TrainingConfig
from pfld.training.faces import FaceBatches, label_weights, mean_shape
from pfld.training.objective import (
    TrainedModule,
    landmark_loss,
)
from pfld.training.optimization import (
    FloorOfGlobalConv,
    hold_rates_,
    make_optimizer,
    set_learning_rate_,
)
from pfld.training.run_state import load_moments_, require_run_state
from pfld.training.schedule import (
    FaceOrder,
    augmentation_strength,
    in_float32,
    learning_rate,
    repeated,
    rows_of_process,
    wing_width,
)
from pfld.training.step import BatchesAhead, CapturedUpdate, StepInputs, Update
from pfld.training.teacher import Teacher
from pfld.training.transfer import freeze_layers_, start_from_
from pfld.weights import load_state

# Options that may differ between a run and its resumption: they do not change what is learnt.
MAY_CHANGE = frozenset(
    {"data", "out", "cache", "evaluate_every", "log_every", "checkpoint_minutes", "deterministic"}
)


class Trainer:
    """Everything a run consists of, on this process's device.

    Args:
        faces: The set to train on; part of it is held out (:attr:`validation`).

    Attributes:
        training, validation: Indices of the faces on either side.

    Raises:
        ValueError, FileNotFoundError: For options that do not fit together or files that do not load.
    """

    def __init__(self, config: TrainingConfig, faces: FaceSet, accelerator: Accelerator) -> None:
        self.config = config
        self.accelerator = accelerator
        self.preprocessing = Preprocessing(input_size=config.input_size)
        self.training, self.validation = split_by_picture(
            faces.pictures, config.validation_fraction
        )
        self.face_set = faces
        self.faces = FaceBatches(faces, self.preprocessing, accelerator.device)
        self.weights = label_weights(faces, self.training, config.label_trust)
        self._pass = repeated(self.training, faces.attributes, config.pose_repeats)
        self.order = FaceOrder(len(self._pass), config.batch_size, config.seed)
        self.rows = rows_of_process(
            config.batch_size, accelerator.process_index, accelerator.num_processes
        )
        self.augmentation = AugmentationConfig()
        self.clock = RunClock(config, accelerator)
        self._losses: list[Tensor] = []

        torch.manual_seed(config.seed)
        network = self._network(faces)
        self._fresh_head = bool(config.initial_weights) and start_from_(
            network, config.initial_weights, config.network
        )
        self._frozen_layers = freeze_layers_(network, config.frozen_layers)
        module = TrainedModule(network, config.loss)
        set_folded_training(module, enabled=not config.plain_branches)
        if config.synchronize:
            synchronize_moments(module)
            if accelerator.device.type == "cuda":
                module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        module.to(accelerator.device)
        fused = accelerator.device.type in ("cpu", "cuda")
        self._captures = can_capture(config, accelerator)
        optimizer = make_optimizer(module, config, fused=fused)
        hold_rates_(optimizer, capturable=self._captures, device=accelerator.device)
        self.module, self.optimizer = accelerator.prepare(module, optimizer)
        self.average = WeightAverage(self.network, config.ema) if config.ema else None
        has_floor = config.head == "regression" and not config.no_floor
        self.floor = FloorOfGlobalConv(self.network) if has_floor else None
        self.teacher = (
            Teacher(config.teacher, faces.scheme, accelerator.device) if config.teacher else None
        )
        self._ahead = BatchesAhead(self.inputs, accelerator.device)
        self._wrap = CapturedUpdate if self._captures else lambda update: update
        self._full_precision: bool | None = None
        self._take_step: Update = self.update

    @property
    def step_number(self) -> int:
        """Steps taken."""
        return self.clock.step

    def _network(self, faces: FaceSet) -> LandmarkNetwork:
        config = self.config
        network = build_network(
            config.network,
            head=config.head,
            width_multiplier=config.width_multiplier,
            num_landmarks=faces.scheme.num_landmarks,
            input_size=config.input_size,
            num_conv_branches=config.num_conv_branches,
        )
        if not config.no_mean_shape:
            shape = mean_shape(faces, self.training, self.preprocessing.crop_scale)
            network.head.start_at_mean_shape_(shape)
        return network

    def _hold_statistics_(self) -> None:
        """Puts batch norms that are to keep their statistics into eval mode, after ``train()``.

        A fresh head has none to keep.
        """
        if self.config.frozen_statistics:
            freeze_statistics_(self.module)
            if self._fresh_head:
                self.network.head.train()
        for layer in self._frozen_layers:
            freeze_statistics_(layer)

    @property
    def network(self) -> LandmarkNetwork:
        """The network being trained."""
        return self.accelerator.unwrap_model(self.module).network

    @property
    def averaged_network(self) -> LandmarkNetwork:
        """The network to validate and save: with averaged weights, or as trained without averaging."""
        return self.network if self.average is None else self.average.network

    def chosen(self, step: int) -> NDArray[np.int64]:
        """Which faces this process sees at a step."""
        return self._pass[self.order.batch(step)][self.rows]

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """This process's share of a step's augmented faces: pixels, landmarks, attributes."""
        seed = np.random.SeedSequence((self.config.seed, step)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed))
        draw = draw_augmentation(
            self.config.batch_size,
            generator,
            self.augmentation,
            strength=augmentation_strength(self.config, self.clock.progress),
        )
        return self.faces.batch(self.chosen(step), draw.rows(self.rows))

    def inputs(self, step: int) -> StepInputs:
        """The inputs of this process for an update."""
        images, landmarks, attributes = self.batch(step)
        weights = self.weights[self.chosen(step)].to(landmarks.device, non_blocking=True)
        taught = landmarks if self.teacher is None else self.teacher(images)
        return StepInputs(images, landmarks, attributes, weights, taught)

    def step(self) -> None:
        """Takes one step; its loss is kept for :meth:`take_mean_loss`."""
        self.clock.begin()
        set_learning_rate_(self.optimizer, self.config, self.clock.progress)
        full_precision = in_float32(self.config, self.clock.progress)
        if full_precision != self._full_precision:
            self._full_precision = full_precision
            self._take_step = self._wrap(self.update)
        loss = self._take_step(self._ahead.take(self.step_number))
        if self.floor is not None:
            self.floor.lift_(self.accelerator)
        self.clock.tick()
        if self.average is not None:
            self.average.update(self.step_number)
        self._losses.append(loss.detach())
        if not self.clock.done:
            self._ahead.prepare(self.step_number)

    def update(self, inputs: StepInputs) -> Tensor:
        """Updates the parameters by one batch; returns its loss. It does not wait for a GPU."""
        config, accelerator = self.config, self.accelerator
        self.optimizer.zero_grad()
        self.module.train()
        self._hold_statistics_()
        with self._autocast():
            answer = self.module(self.faces.normalized(inputs.images), inputs.landmarks)
        width = wing_width(config, self.clock.progress)

        def distance_to(points: Tensor) -> Tensor:
            return landmark_loss(
                config,
                answer,
                points,
                inputs.attributes,
                face_weights=inputs.weights,
                wing_width=width,
            )

        loss = distance_to(inputs.landmarks)
        if self.teacher is not None:
            loss = torch.lerp(loss, distance_to(inputs.taught), config.teacher_weight)
        accelerator.backward(loss)
        if config.clip:
            accelerator.clip_grad_norm_(self.module.parameters(), config.clip)
        self.optimizer.step()
        return loss

    def _autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision while the schedule asks for it.

        Casts of weights are not cached: a captured step would reuse those of its first run.
        """
        if self.config.precision == "fp16":
            return self.accelerator.autocast()
        return torch.autocast(
            self.accelerator.device.type,
            torch.bfloat16,
            enabled=not self._full_precision,
            cache_enabled=False,
        )

    def take_mean_loss(self) -> float:
        """The mean loss over all processes and all steps since the last call. Every process calls it.

        If the run was resumed in between, steps before that count as well.
        """
        losses = self._shared_losses()
        self._losses = []
        return losses.mean().item()

    def _shared_losses(self) -> Tensor:
        if not self._losses:
            return torch.zeros(0)
        return self.accelerator.reduce(torch.stack(self._losses), "mean")

    def describe(self) -> dict[str, float]:
        """Step, faces seen, learning rate and augmentation, as columns of a log row."""
        return {
            "step": self.step_number,
            "faces": self.faces_seen,
            "lr": learning_rate(self.config, self.clock.progress),
            "augmentation": augmentation_strength(self.config, self.clock.progress),
        }

    @property
    def faces_seen(self) -> int:
        """Faces trained on by all processes, counting repeats."""
        return self.step_number * self.config.batch_size

    def state(self, history: list[dict[str, float]]) -> dict[str, Any]:
        """All that resuming needs except the faces; plain tensors, numbers and text.

        Every process calls it; what it returns is the same everywhere.
        """
        scaler = self.accelerator.scaler
        return {
            "config": self.config.as_dict(),
            "module": self.accelerator.unwrap_model(self.module).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.network.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "num_faces": len(self.training),
            "losses": self._shared_losses(),
            "spent_s": self.clock.spent_s,
            "history": history,
        }

    def load(self, step: int, state: dict[str, Any]) -> None:
        """Restores the ``state`` of a step.

        Raises:
            ValueError: When it is not as a run writes it, or of one with other options or faces.
        """
        unusable = f"the checkpoint of step {step} cannot be used: {{}}; move it away or pass another --out"
        try:
            require_run_state(step, state)
        except ValueError as error:
            raise ValueError(unusable.format(error)) from error
        self._require_same_run(state)
        try:
            self._restore(step, state)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(unusable.format(str(error).partition("\n")[0])) from error

    def _require_same_run(self, state: dict[str, Any]) -> None:
        theirs, mine = state["config"], self.config.as_dict()
        changed = [
            f"{name} was {theirs.get(name)!r}, is {mine[name]!r}"
            for name in mine
            if name not in MAY_CHANGE and theirs.get(name) != mine[name]
        ]
        if state["num_faces"] != len(self.training):
            changed.append(f"training faces were {state['num_faces']}, are {len(self.training)}")
        if changed:
            raise ValueError(
                f"--resume goes on with the options a run began with; {'; '.join(changed)}. "
                "Pass the old ones, or another --out for a new run"
            )

    def _restore(self, step: int, state: dict[str, Any]) -> None:
        scaler = self.accelerator.scaler
        load_state(self.accelerator.unwrap_model(self.module), state["module"])
        # With mixed precision the first steps may be left out, until the scale of the loss fits.
        if step and not state["optimizer"]["state"] and scaler is None:
            raise ValueError("its optimizer has gathered nothing")
        load_moments_(self.optimizer, state["optimizer"])
        hold_rates_(self.optimizer, capturable=self._captures, device=self.accelerator.device)
        if self.average is not None:
            load_state(self.average.network, state["average"])
        if scaler is not None:
            scaler.load_state_dict(state["scaler"])
        self.clock.resume(step, state["spent_s"])
        self._losses = list(state["losses"].to(self.accelerator.device))


def can_capture(config: TrainingConfig, accelerator: Accelerator) -> bool:
    """Whether steps can be captured as a CUDA graph: one process, and no value changes or waits."""
    return (
        accelerator.device.type == "cuda"
        and accelerator.num_processes == 1
        and config.precision != "fp16"
        and config.loss not in ("pfld", "pfld-original")
        and not config.wing_width_end
    )


def published_name(config: TrainingConfig) -> str:
    """What a run's weight files are called: the network, with its width where that is not 1."""
    width = "" if config.width_multiplier == 1 else f"-w{config.width_multiplier:g}"
    return f"{config.architecture}{width}"
