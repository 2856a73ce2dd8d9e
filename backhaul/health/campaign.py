"""Would a campaign run? Everything that it names is looked at as its stages look at it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from backhaul.campaign.claim import stored_config
from backhaul.campaign.config import CampaignConfig
from backhaul.data.images import OnProgress
from backhaul.data.settings import InboxData
from backhaul.errors import DamagedRecordError, InputError
from backhaul.health.check import Status
from backhaul.health.dataset import look_at, look_at_arrangement, look_at_lists
from backhaul.health.faults import Fault, Resolve, faults_of
from backhaul.health.machine import check_gpu
from backhaul.health.storage import check_store
from backhaul.learn.given import find_checkpoints
from backhaul.learn.settings import Training
from backhaul.learn.training.start import checked_digest, require_model
from backhaul.look.checkpoints import open_checkpoint
from backhaul.storage.localcopies import local_file
from backhaul.storage.places import filesystem
from backhaul.storage.scratch import scratch_folder


def faults(
    config: CampaignConfig,
    replaced: Collection[str],
    resolve: Resolve,
    bar: Callable[[str], OnProgress],
) -> Iterator[Fault]:
    """Yield all that is wrong with what a campaign names, without starting or keeping anything.

    Args:
        config: The campaign.
        replaced: Top-level keys of it that were wrong, in place of which others stand.
        resolve: Returns where an address is, with the keys of a block taken up.
        bar: Returns what is called as images are read.
    """
    yield from _store(config, replaced, resolve)
    yield from _bandwidth(config, replaced)
    seed = config.each_seed[0].seed  # streams of other seeds differ, but not in their sizes
    data = look_at("data", config.data, seed, resolve, bar, whole="data" not in replaced)
    yield from data.faults
    own = None
    if config.initial.data is not None:
        part = config.initial.data
        own = look_at("initial.data", part, seed, resolve, bar, whole="initial" not in replaced)
        yield from own.faults
    lists, wrong = look_at_lists(config.lists)
    yield from wrong
    images = data.images
    known = images is not None or isinstance(config.data, InboxData)
    apart = own is None or own.images is not None
    if known and apart and not wrong and not {"initial", "batches", "lists"} & set(replaced):
        own_images = None if own is None else own.images
        yield from look_at_arrangement(config, images, own_images, lists)
    given = own.images if own is not None and images is None else images
    yield from _detector(config, None if given is None else given.class_names, resolve)


def _store(
    config: CampaignConfig, replaced: Collection[str], resolve: Resolve
) -> Iterator[Fault]:
    answer = check_store(config.store, resolve)
    if answer.status is not Status.OK:
        yield Fault("store", f"{answer.found}; {answer.remedy}")
        return
    if not replaced:
        try:
            for each in config.each_seed:
                stored_config(each.model_copy(update={"store": resolve(config.store)}))
        except DamagedRecordError:
            pass  # it is set aside when the run starts
        except InputError as error:
            yield Fault("name", str(error))
    if isinstance(config.data, InboxData):
        yield from _inbox(config.data, resolve(config.store), resolve)


def _inbox(data: InboxData, store: str, resolve: Resolve) -> Iterator[Fault]:
    for key, folder in (("data.inbox", data.inbox), ("data.labels", data.labels)):
        fs, path = filesystem(f"{store}/{folder.strip('/')}")
        try:
            if fs.isfile(path):
                yield Fault(key, f"{folder}: is a file, expected a folder below the store")
            elif fs.exists(path):
                fs.ls(path, detail=False)
            else:
                yield Fault(key, f"nothing at {folder} in the store yet", "warning")
        except Exception as error:  # whatever the libraries of a service raise
            yield Fault(key, f"{folder}: cannot be listed: {' '.join(str(error).split())}")


def _bandwidth(config: CampaignConfig, replaced: Collection[str]) -> Iterator[Fault]:
    unknown = {"bandwidth", "batches"} & set(replaced) or config.uplink or config.lists
    images, size = config.bandwidth.images, config.batches.sampling_batch
    if unknown or images is None or images < size:
        return
    text = (
        f"{images} images, and a batch has {size} (batches.sampling_batch): nothing to choose"
    )
    yield Fault("bandwidth.images", text, "warning")


def _detector(
    config: CampaignConfig, class_names: tuple[str, ...] | None, resolve: Resolve
) -> Iterator[Fault]:
    training = config.training
    if training.detector is not None:
        code = training.detector
        for number, arm in enumerate(config.methods):
            if "features" in arm.needs and not callable(getattr(code.load(), "features", None)):
                text = f"{arm.label} needs features, and {code.use} has no method features"
                yield Fault(f"methods.{number}", text)
    else:
        yield from _model(training)
    yield from _device(training)
    if config.start is not None:
        yield from _start(config, class_names, resolve)


def _model(training: Training) -> Iterator[Fault]:
    try:
        require_model(training)
    except InputError as error:
        yield Fault("training.model", str(error))


def _device(training: Training) -> Iterator[Fault]:
    if training.device.isdigit():
        answer = check_gpu(training.device)
        if answer.status is Status.FAILED:
            yield Fault("training.device", f"{answer.found}; {answer.remedy}")


def _start(
    config: CampaignConfig, class_names: tuple[str, ...] | None, resolve: Resolve
) -> Iterator[Fault]:
    start, training = config.start, config.training
    assert start is not None  # noqa: S101 - the caller has looked
    try:
        place = resolve(start.checkpoint)
        given = find_checkpoints(start.model_copy(update={"checkpoint": place}))
        with scratch_folder() as folder:
            for each in given:
                path = local_file(each.uri, folder)
                if class_names is not None:
                    checked_digest(path, class_names, training)
                elif training.detector is None:
                    open_checkpoint(Path(path), training.trust)
    except InputError as error:
        yield from faults_of("start.checkpoint", error)


__all__ = ["Fault", "faults"]
