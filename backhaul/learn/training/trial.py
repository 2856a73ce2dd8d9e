"""The process that tries how fast trainings are, see `backhaul.learn.training.speed`.

It is a training as any other, and ends after a few steps.
"""

from __future__ import annotations

import os
import time

from backhaul.learn.training.child import Events, begin
from backhaul.learn.training.job import TrainingJob
from backhaul.learn.training.speed import LIMIT_S, STEPS, StepTimes
from backhaul.learn.training.trainer import Trainer, choose_integrations
from backhaul.look.libraries import require_safe_loading

import torch  # isort: skip - after the modules that set what Ultralytics reads


class Trial(Trainer):
    """A training that tells what its first steps took, and ends."""

    def __init__(self, job: TrainingJob, events: Events) -> None:
        super().__init__(job, events)
        self.steps, self.wall_s, self.processor_s = -1, 0.0, 0.0
        self.before = self._now()
        self.callbacks["on_model_save"].clear()
        self.add_callback("on_train_epoch_start", Trial._begin_clock)
        self.add_callback("on_train_batch_end", Trial._note_step)

    def save_model(self) -> bool:
        """Save nothing: of the epochs of a small set nothing is kept either."""
        return False

    def _now(self) -> tuple[float, float]:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def _begin_clock(self) -> None:
        self.before = self._now()

    def _note_step(self) -> None:
        now = self._now()
        self.steps += 1
        if self.steps:  # the first one warms up
            self.wall_s += now[0] - self.before[0]
            self.processor_s += now[1] - self.before[1]
        self.before = now
        if self.steps >= STEPS or (self.steps and self.wall_s > LIMIT_S):
            self._end()

    def _end(self) -> None:
        times = StepTimes(
            images=self.steps * min(self.job.settings.batch_size, self.n_images),
            wall_s=self.wall_s,
            processor_s=self.processor_s,
            on_gpu=self.device.type == "cuda",
        )
        self.events.tell(times)
        os._exit(0)

    @property
    def n_images(self) -> int:
        """Images that are trained with."""
        return len(self.train_loader.dataset)


def main() -> None:
    """Run the trial whose job is on standard input."""
    job, events = begin()
    choose_integrations(mlflow=False)
    torch.set_num_threads(job.settings.threads)
    require_safe_loading()
    Trial(job, events).train()


if __name__ == "__main__":
    main()
