"""The training process: Ultralytics' trainer, with settings for which it has no option.

Run as ``python -m backhaul.learn.training.trainer``, see `backhaul.learn.training.child`.
"""

from __future__ import annotations

import os
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

from backhaul.learn.training.child import Events, begin, reason_to_stop
from backhaul.learn.training.job import (
    UNUSABLE_STATE,
    EpochDone,
    EpochRecord,
    ImageLeftOut,
    StepDone,
    TrainingJob,
)
from backhaul.look.checkpoints import load_model, model_digest
from backhaul.look.libraries import isolate_libraries, require_safe_loading

isolate_libraries()

import torch  # noqa: E402 - Ultralytics reads its environment when imported
from ultralytics.data.utils import check_image  # noqa: E402
from ultralytics.models.yolo.detect import DetectionTrainer  # noqa: E402
from ultralytics.nn.tasks import torch_safe_load  # noqa: E402
from ultralytics.utils import SETTINGS  # noqa: E402

INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
"""Loggers that would write or send somewhere by themselves."""

NO_ONLINE_AUGMENTATION: dict[str, Any] = {
    "mosaic": 0.0,
    "close_mosaic": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "copy_paste": 0.0,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "degrees": 0.0,
    "translate": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "perspective": 0.0,
    "flipud": 0.0,
    "fliplr": 0.0,
    "bgr": 0.0,
    "erasing": 0.0,
    "auto_augment": None,
    "augmentations": [],
}


class Trainer(DetectionTrainer):  # type: ignore[misc] # Ultralytics has no types
    """A training with checkpoints by epoch, our stopping criteria, events for the parent."""

    def __init__(self, job: TrainingJob, events: Events) -> None:
        self.job = job
        self.events = events
        self.records = list(job.history)
        self.started = time.monotonic()
        self.state = job.folder / "state.pt"
        super().__init__(overrides=ultralytics_settings(job))
        self.add_callback("on_train_epoch_start", Trainer._begin_epoch)
        self.add_callback("on_train_batch_end", Trainer._report_step)
        self.add_callback("on_train_epoch_end", Trainer._choose_validation)

    def build_dataset(
        self, img_path: str, mode: str = "train", batch: int | None = None
    ) -> Any:
        """Also tell the parent which images Ultralytics leaves out without a word."""
        dataset = super().build_dataset(img_path, mode, batch)
        taken = set(dataset.im_files)
        for path in sorted(Path(img_path).iterdir()):
            if str(path) not in taken:
                self.events.tell(ImageLeftOut(image_id=path.stem, reason=_refusal(path)))
        return dataset

    def optimizer_step(self) -> None:
        """Step with the campaign's own limit on the gradient; Ultralytics' is fixed at 10."""
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.job.settings.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        self.ema.update(self.model)

    def save_model(self) -> bool:
        """End an epoch: save what is due after it, and tell the parent."""
        record = self._record()
        self.records.append(record)
        stop = reason_to_stop(self.job, self.records)
        self.stop = stop is not None
        settings = self.job.settings
        path, digest, state = None, None, None
        if self.stop or self._is_due(settings.resume_interval):
            state = self.state
        with_checkpoint = self.stop or self._is_due(settings.checkpoint_interval)
        self.events.wait_until_stored()
        if state is not None or with_checkpoint:
            super().save_model()
        if state is not None:
            self._save_state()
        if with_checkpoint:
            path, digest = self._save_checkpoint(record.epoch)
        self.events.tell(
            EpochDone(record=record, checkpoint=path, sha256=digest, state=state, stop=stop)
        )
        return True

    def _is_due(self, interval: int) -> bool:
        return bool((self.epoch + 1) % interval == 0)

    def _save_state(self) -> None:
        """Save all that a training goes on from, in full precision.

        Ultralytics saves the optimizer's moments in half precision, in which small squares
        vanish: the first steps after a resume would be far too long.
        """
        state, _ = torch_safe_load(self.last)
        ema = deepcopy(self.ema.ema)
        ema.criterion = None
        state |= {
            "ema": ema,
            "optimizer": self.optimizer.state_dict(),
            "live": self.model.state_dict(),
        }
        torch.save(state, self.state)

    def resume_training(self, ckpt: dict[str, Any] | None) -> None:
        """Resume with the weights of the last epoch; Ultralytics would use their average."""
        super().resume_training(ckpt)
        if ckpt is not None and self.resume:
            self.model.load_state_dict(ckpt["live"])

    def final_eval(self) -> None:
        """Do nothing: checkpoints are evaluated by a stage of their own."""

    def _begin_epoch(self) -> None:
        self.started = time.monotonic()
        self.steps_done = 0
        if self.train_loader.num_workers == 0:  # so that a resumed training sees the same order
            self.train_loader.reset()
            self.train_loader.generator.manual_seed(self.job.seed + self.epoch)

    def _report_step(self) -> None:
        self.steps_done += 1
        steps, wanted = len(self.train_loader), self.job.settings.logs_per_epoch
        if self.steps_done * wanted // steps > (self.steps_done - 1) * wanted // steps:
            self.events.tell(
                StepDone(
                    epoch=self._epoch_number(),
                    step=self.steps_done,
                    steps=steps,
                    train_loss=sum(float(v) for v in self.tloss.values()),
                )
            )

    def _choose_validation(self) -> None:
        due = self._is_due(self.job.settings.evaluation_interval)
        self.args.val = due or self.epoch + 1 == self.epochs

    def _record(self) -> EpochRecord:
        valid = [float(v) for k, v in self.metrics.items() if k.startswith("val/")]
        return EpochRecord(
            epoch=self._epoch_number(),
            train_loss=sum(float(v) for v in self.tloss.values()),
            valid_loss=sum(valid) if self.args.val else None,
            mAP50=float(self.metrics["metrics/mAP50(B)"]) if self.args.val else None,
            seconds=time.monotonic() - self.started,
        )

    def _save_checkpoint(self, epoch: int) -> tuple[Path, str]:
        full, _ = torch_safe_load(self.last)
        model = full["ema"]
        path = self.wdir / f"ckpt_{epoch}.pt"
        torch.save(
            {
                "epoch": -1,
                "model": model,
                "train_args": full["train_args"],
                "version": full["version"],
                "license": full["license"],
            },
            path,
        )
        return path, model_digest(model)

    def _epoch_number(self) -> int:
        return self.job.start_epoch + int(self.epoch) + 1


def _refusal(path: Path) -> str:
    """Return why Ultralytics does not take an image."""
    try:
        check_image(str(path))
    except Exception as error:  # whatever it raises, it takes for a reason as well
        return str(error) or type(error).__name__
    return "Ultralytics does not take its labels"


def ultralytics_settings(job: TrainingJob) -> dict[str, Any]:
    """Return the settings of `job` as Ultralytics names them."""
    settings = job.settings
    return {
        **({} if settings.online_augmentation else NO_ONLINE_AUGMENTATION),
        "task": "detect",
        "mode": "train",
        "model": str(job.start) if job.start else model_file(settings.model),
        "resume": str(job.resume) if job.resume else False,
        "data": str(job.folder / "data.yaml"),
        "save_dir": str(job.folder / "ultralytics"),
        "epochs": job.epochs,
        "patience": 0,
        "imgsz": settings.img_size,
        "batch": settings.batch_size,
        "nbs": settings.batch_size * settings.gradient_accumulations,
        "optimizer": settings.optimizer,
        "lr0": settings.lr0,
        "lrf": settings.lrf,
        "momentum": settings.momentum,
        "weight_decay": settings.weight_decay,
        "warmup_epochs": settings.warmup_epochs,
        "multi_scale": settings.multiscale,
        "workers": settings.n_cpu,
        "device": device(settings.device),
        "amp": settings.amp,
        "seed": job.seed,
        "plots": False,
        "verbose": False,
    }


def model_file(model: str) -> str:
    """Return the file of a model's name; a bare name means its YAML, never a download."""
    return model if model.endswith((".pt", ".yaml", ".yml")) else f"{model}.yaml"


def device(name: str) -> str:
    """Return Ultralytics' name of a device; ``auto`` is the first GPU, or else the CPU."""
    if name == "auto":
        return "0" if torch.cuda.is_available() else "cpu"
    return name


def choose_integrations(mlflow: bool) -> None:
    """Switch off all loggers that Ultralytics has on where it finds them, except as asked.

    All other settings are those of a new file, in the folder that the environment names: they
    may have been read from another one, before it did.
    """
    SETTINGS.file_path = Path(os.environ["YOLO_CONFIG_DIR"]) / "settings.json"
    SETTINGS.update(SETTINGS.defaults | dict.fromkeys(INTEGRATIONS, False) | {"mlflow": mlflow})


def _require_state(path: Path) -> None:
    """End this process with a code of its own unless a resume state can be loaded."""
    try:
        torch_safe_load(path)
    except TypeError as error:  # as Ultralytics says what it refuses, or cannot read
        reason = str(error).splitlines()[0]
        sys.stderr.write(f"{path.name}: cannot be loaded: {reason}\n")
        sys.stderr.flush()
        os._exit(UNUSABLE_STATE)


def main() -> None:
    """Run the training whose job is on standard input."""
    job, events = begin()
    choose_integrations(job.settings.mlflow)
    torch.set_num_threads(job.settings.threads)
    if not job.settings.trust:
        require_safe_loading()
    if job.start is not None:
        load_model(job.start, job.class_names, trust=job.settings.trust)
    if job.resume is not None:
        _require_state(job.resume)
    Trainer(job, events).train()
    os._exit(0)  # every event is flushed; taking torch apart would only cost time


if __name__ == "__main__":
    main()
