"""Train a detector on several data sets, for others to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow

from backhaul.data.made import data_folder
from backhaul.data.settings import FolderData, MadeData
from backhaul.learn.settings import NoStopping
from backhaul.learn.training.pretrained import pretrained_bytes
from backhaul.storage.localcopies import local_object
from backhaul.storage.objects import read_value, replace
from backhaul.storage.scratch import scratch_folder
from backhaul.study.pretraining import PretrainingConfig
from backhaul.values.splits import Splits
from blocks.opening import resolve
from flows.arguments import readable
from flows.events import emit_flow_run
from flows.forms import NO_FORM
from flows.leftovers import end_leftovers
from flows.preparation import read_images
from tasks.data import merge_data
from tasks.progress import Progress
from tasks.split import split_images
from tasks.stage import Step
from tasks.training import digest_of_model, train_detector


@flow(name="pretraining", flow_run_name="pretraining-{config.name}")
def pretraining(config: Annotated[PretrainingConfig, NO_FORM], file: str) -> None:
    """Train on the images of all sets, and write the weights into a file.

    What stages have computed comes from the store, so a killed pretraining goes on.

    Args:
        config: The pretraining.
        file: The file, on this disk.

    Raises:
        InputError: If a data set is wrong.
    """
    emit_flow_run()
    end_leftovers()
    training, root = config.training, resolve(config.store)
    step = Step(
        root=root,
        seed=config.seed,
        device=training.device,
        threads=training.threads,
        trust=training.trust,
    )
    images = tuple(
        read_images(_folder(data, config.seed, root), step) for data in config.sets.values()
    )
    merged = merge_data(images, tuple(config.sets), step=step)
    splits = split_images(merged, None, config.fractions, step=step)
    epochs = training.initial_epochs(len(read_value(Splits, splits).train))
    last_alone = {"checkpoint_interval": epochs, "evaluation_interval": epochs}
    trained = train_detector(
        splits,
        None,
        training.of_one_run.model_copy(update=last_alone),
        NoStopping(),
        epochs=epochs,
        model_digest=digest_of_model(training),
        step=step,
    )
    with scratch_folder() as folder:
        checkpoint = local_object(trained.checkpoints[-1].artifact, folder)
        replace(Path(file).resolve().as_posix(), pretrained_bytes(checkpoint))


def _folder(data: FolderData | MadeData, seed: int, root: str) -> FolderData:
    return readable(data_folder(data, seed, root, Progress("uploading images")))
