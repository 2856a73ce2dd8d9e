"""One batch of one method: look, choose, label, retrain, evaluate."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State

from backhaul.campaign.claim import files_of
from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.records import RoundRecord, Standing
from backhaul.campaign.setting import Play
from backhaul.code import UserCode
from backhaul.errors import AwaitingLabelsError
from backhaul.events import ImagesSent, emit
from backhaul.inbox.tolabel import Seen, write_list
from backhaul.link.exchange import Carried
from backhaul.measure.gatesettings import Gate
from backhaul.sampling import Method
from backhaul.storage.objects import read_value
from backhaul.values.artifacts import Artifact
from backhaul.values.bandwidth import Bandwidth, NodeBandwidths
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.detections import BESIDE, VECTORS, Need
from backhaul.values.results import Sent, TrainingResult
from backhaul.values.splits import Splits
from flows.arguments import following_truth, known_truth, label, step_of
from flows.arrived import drawn_by_chance, within_equal_bytes
from flows.forms import NO_FORM
from flows.proportion import settle_mixing
from flows.sending import offer, truth_of
from flows.states import awaiting
from flows.uplinks import limits_of
from tasks.augmentation import augment
from tasks.evaluation import TestSets, benchmark_batch, evaluate, measure_explored
from tasks.gate import drawn_tests
from tasks.inference import infer
from tasks.labelling import require_labels
from tasks.mixing import merge_seen, mix_splits
from tasks.nearness import nearness_in
from tasks.sampling import select_images
from tasks.split import nothing_new, split_images
from tasks.stage import Lookups, Step, timed
from tasks.training import digest_of_model, train_detector
from tasks.transfer import transfer
from tasks.validation import match_validation, validation_set


@flow(name="batch", flow_run_name="batch-{method.label}-{play.number}")
def batch(
    config: Annotated[CampaignConfig, NO_FORM],
    method: Annotated[Method, NO_FORM],
    play: Annotated[Play, NO_FORM],
    standing: Annotated[Standing, NO_FORM],
) -> RoundRecord | State[None]:
    """Play one batch; ends Completed, named AwaitingLabels, where labels are missing."""
    try:
        return play_batch(config, method, play, standing)
    except AwaitingLabelsError as error:
        seen = _seen(config, method, play, standing)
        uri = write_list(files_of(config), method.label, play, error.image_ids, seen)
        return awaiting(str(error) if uri is None else f"{error}; all of them: {uri}")


def play_batch(
    config: CampaignConfig,
    method: Method,
    play: Play,
    standing: Standing,
    lookups: Lookups | None = None,
) -> RoundRecord:
    """Return the round. When nothing is sent, checkpoints are carried on as they are.

    Args:
        config: The campaign.
        method: What chooses the images.
        play: The batch.
        standing: State of the method before the batch.
        lookups: If given, stages are looked up, and none is run.

    Raises:
        AwaitingLabelsError: If labels of images that were sent are not there yet.
    """
    step = step_of(config, method.label, play.number, lookups)
    with timed() as timings:
        looking = config.inference.looking(standing.checkpoints)
        fused = _look(config, method, play, looking, step)
        limits = within_equal_bytes(limits_of(config, play, standing), config, method, play)
        sent = select_images(
            offer(config, play.images, fused, step),
            fused,
            method,
            limits,
            sent_before=standing.sent,
            sent_seen=_look_back(config, method, standing, looking, step),
            validation=_validation(config, method, standing, looking, step),
            nearness=_nearness(config, method, play, looking, step),
            arrivals=play.arrivals,
            step=step,
        )
        emit(ImagesSent(sent.n_images, sent.pool_images, sent.n_bytes))
        truth = known_truth(play.images, config, play.truth, step)
        seen = benchmark_batch(truth or play.images, fused, config.evaluation, step=step)
        explored = _explored(truth or play.images, seen, config, play, step)
        new, mixed, proportion, training = None, None, None, None
        if sent.n_images or method.retrains_without_new:
            new = _new_splits(sent, config, play, standing, step)
            mixing, proportion = settle_mixing(new, config, standing, step)
            mixed = mix_splits(new, standing.seen, mixing, step=step)
            training, standing = _retrain(mixed, new, config, standing, step)
        standing = standing.having_sent(sent)
        standing = _with_drawn(config, method, play, new, standing, step)
        carried, standing = _carry(sent, training, config, limits, standing, step)
        evaluation = evaluate(
            standing.current,
            config.inference.looking(standing.checkpoints),
            _test_sets(config, play, new, mixed, step),
            config.inference,
            config.evaluation,
            img_size=config.training.img_size,
            step=step,
        )
    return RoundRecord(
        method=method.label,
        batch=play.number,
        images=play.images,
        sent=sent,
        benchmark=seen,
        new=new,
        proportion=proportion,
        training=training,
        evaluation=evaluation,
        standing=standing,
        carried=carried,
        told=play.told,
        explored=explored,
        timings=tuple(timings),
    )


def _look(
    config: CampaignConfig,
    method: Method,
    play: Play,
    looking: tuple[Checkpoint, ...],
    step: Step,
) -> Artifact:
    """Return the node's detections or, if they are incomplete, those of the checkpoints."""
    needs: tuple[Need, ...] = tuple(sorted(method.needs - BESIDE))
    if play.seen is not None and not needs:
        return play.seen
    img_size = config.training.img_size
    return infer(play.images, looking, config.inference, img_size, needs=needs, step=step)


def _seen(config: CampaignConfig, method: Method, play: Play, standing: Standing) -> Seen:
    """Return what the batch was chosen by, which is in the cache by now, and whose it is."""
    looking = config.inference.looking(standing.checkpoints)
    step = step_of(config, method.label, play.number)
    boxes = _look(config, method, play, looking, step)
    of_node = boxes == play.seen
    return Seen(boxes, "node" if of_node else f"{method.label} epoch {looking[-1].epoch}")


def _look_back(
    config: CampaignConfig,
    method: Method,
    standing: Standing,
    looking: tuple[Checkpoint, ...],
    step: Step,
) -> tuple[Artifact, ...]:
    """Return vectors of the images sent before, by the current model, if needed."""
    needs: tuple[Need, ...] = tuple(sorted(method.needs & {*VECTORS}))
    if not needs:
        return ()
    img_size = config.training.img_size
    return tuple(
        infer(images, looking[-1:], config.inference, img_size, needs=needs, step=step)
        for images in standing.sent
    )


def _validation(
    config: CampaignConfig,
    method: Method,
    standing: Standing,
    looking: tuple[Checkpoint, ...],
    step: Step,
) -> Artifact | None:
    """Return what the ensemble makes of the validation images so far, if needed."""
    if "validation" not in method.needs:
        return None
    images, img_size = validation_set(standing.seen, step=step), config.training.img_size
    fused = infer(images, looking, config.inference, img_size, step=step)
    return match_validation(images, fused, config.evaluation.iou_thres, step=step)


def _nearness(
    config: CampaignConfig,
    method: Method,
    play: Play,
    looking: tuple[Checkpoint, ...],
    step: Step,
) -> Artifact | None:
    """Return which images of the batch look the same, if needed; by features if these are."""
    if "nearness" not in method.needs:
        return None
    last = looking[-1:] if "features" in method.needs else ()
    img_size = config.training.img_size
    return nearness_in(play.images, config.inference, img_size, last, step=step)


def _new_splits(
    sent: Sent, config: CampaignConfig, play: Play, standing: Standing, step: Step
) -> Artifact:
    if not sent.n_images:
        return nothing_new(sent.chosen, step=step)
    truth = truth_of(sent, config, play.truth, step)
    if not isinstance(config.labelling.source, UserCode):
        require_labels(sent.as_sent, truth)  # to wait for them is no failed task
    labelled = label(sent.as_sent, config, truth, step)
    untrained = () if play.arrivals is None else drawn_by_chance(play.arrivals, sent)
    return split_images(labelled, standing.seen, config.batches.fractions, untrained, step=step)


def _retrain(
    mixed: Artifact, new: Artifact, config: CampaignConfig, standing: Standing, step: Step
) -> tuple[TrainingResult, Standing]:
    augmented = augment(mixed, new, config.augmentation, step=step)
    training = train_detector(
        augmented,
        standing.current,
        config.training.of_one_run,
        config.stopping,
        epochs=config.training.retrain_epochs(len(read_value(Splits, augmented).train)),
        model_digest=digest_of_model(config.training),
        step=step,
    )
    seen = merge_seen(standing.seen, new, augmented, step=step)
    epoch = training.epoch(config.training.retrain_from)
    return training, standing.after(seen, training, epoch)


def _explored(
    images: Artifact, seen: Artifact, config: CampaignConfig, play: Play, step: Step
) -> Artifact | None:
    """Return what frames say that chance drew, if the method goes by how nodes chose."""
    if play.arrivals is None:
        return None
    return measure_explored(images, seen, play.arrivals, config.evaluation, step=step)


def _with_drawn(
    config: CampaignConfig,
    method: Method,
    play: Play,
    new: Artifact | None,
    standing: Standing,
    step: Step,
) -> Standing:
    """Return the standing with what chance drew for tests, if a gate judges by that."""
    gate, publish = config.accept, config.publish
    if publish is None or publish.method != method.label or not isinstance(gate, Gate):
        return standing
    if new is None or play.arrivals is None or not gate.fresh_images:
        return standing
    drawn = drawn_tests(new, play.arrivals, step=step)
    return standing.having_drawn(drawn, gate.fresh_images)


def _carry(
    sent: Sent,
    training: TrainingResult | None,
    config: CampaignConfig,
    limits: Bandwidth | NodeBandwidths,
    standing: Standing,
    step: Step,
) -> tuple[Carried | None, Standing]:
    """Return what went over the link, if there is one, and the standing after that."""
    if config.bandwidth.link is None or isinstance(limits, Bandwidth):
        return None, standing
    carried = transfer(
        sent.versions or sent.chosen,
        None if training is None else standing.current.artifact,
        config.bandwidth.link,
        standing.link,
        names=limits.names,
        nodes=limits.nodes,
        step=step,
    )
    return carried, standing.model_copy(update={"link": carried.after})


def _test_sets(
    config: CampaignConfig,
    play: Play,
    new: Artifact | None,
    mixed: Artifact | None,
    step: Step,
) -> TestSets:
    return TestSets(
        images={"common": play.common, "old_test": play.old_test},
        tests_of={
            name: splits
            for name, splits in (("new_test", new), ("mix_test", mixed))
            if splits is not None
        },
        next_batch=following_truth(config, play, step),
    )
