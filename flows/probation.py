"""Score the frames of a probation, by what the version saw and what the one before sees."""

from __future__ import annotations

from prefect import get_run_logger

from backhaul.campaign.config import CampaignConfig
from backhaul.campaign.publish import Probation
from backhaul.campaign.runrecords import RunRecords
from backhaul.data.settings import InboxData
from backhaul.inbox.labels import read_truth
from backhaul.inbox.probation import DrawnFrames, drawn_frames
from backhaul.measure.framescore import frame_scores
from backhaul.measure.matching import benchmark
from backhaul.publication.probations import ProbationRecord, ScoredFrame, add_frames
from backhaul.publication.versions import Publication
from backhaul.registry.cards import read_card
from backhaul.storage.objects import read_value, write_value
from backhaul.values.detections import FusedDetections
from backhaul.values.images import ImageSet
from backhaul.values.results import NodeModel
from flows.arguments import step_of
from flows.course import labels_at
from flows.export import version_for_nodes
from tasks.nodelook import look_as_node


def gather(
    config: CampaignConfig,
    publication: Publication,
    record: ProbationRecord,
    settings: Probation,
) -> ProbationRecord:
    """Add the frames that were labelled since to a probation, and return it.

    Args:
        config: The campaign, opened.
        publication: How versions reach nodes.
        record: What was seen so far.
        settings: How versions are compared.
    """
    inbox, root = config.data, config.store
    left = settings.frames - len(record.frames)
    if left <= 0 or not isinstance(inbox, InboxData):
        return record
    now, before = (_exported(config, publication, v) for v in (record.version, record.against))
    known = [frame.image_id for frame in record.frames]
    drawn = drawn_frames(root, now.file.sha256, record.log, known)
    truth = None
    if len(drawn):
        class_names = RunRecords(publication.files.run).beginning.class_names
        truth = read_truth(labels_at(root, inbox), drawn.table, class_names).labelled()
    n_labelled = 0 if truth is None else len(truth)
    get_run_logger().info(
        "%s: chance drew %d frames, of which %d are labelled, %d were scored before",
        *(publication.named(record.version), len(known) + len(drawn)),
        *(len(known) + n_labelled, len(known)),
    )
    if truth is None or not n_labelled:
        return record
    images = truth.take(truth.ids[:left])
    frames = _scored(config, images, drawn.of(images.ids), before, now)
    return add_frames(publication.files, record.version, frames)


def _exported(config: CampaignConfig, publication: Publication, version: int) -> NodeModel:
    files = publication.files
    return version_for_nodes(
        files,
        read_card(files, version),
        publication.settings.export,
        trust=config.training.trust,
    )


def _scored(
    config: CampaignConfig,
    images: ImageSet,
    drawn: DrawnFrames,
    before: NodeModel,
    now: NodeModel,
) -> tuple[ScoredFrame, ...]:
    """Return the frames with F1 of both, in the order of the images."""
    unknown = set(drawn.table["image_id"][~drawn.is_known])
    at_home = images.take(name for name in images.ids if name in unknown)
    on_nodes = images.take(name for name in images.ids if name not in unknown)
    new = _scores(config, on_nodes, drawn.seen(images.class_names))
    if len(at_home):
        new |= _scores(config, at_home, _look(config, at_home, now))
    old = _scores(config, images, _look(config, images, before))
    weights = dict(zip(drawn.table["image_id"], drawn.weight.tolist(), strict=True))
    return tuple(
        ScoredFrame(
            image_id=name,
            weight=weights[name],
            before=old[name],
            now=new[name],
            seen_on="home" if name in unknown else "node",
        )
        for name in images.ids
    )


def _look(config: CampaignConfig, images: ImageSet, model: NodeModel) -> FusedDetections:
    plain = write_value(config.store, images.without_labels())
    seen = look_as_node(plain, model, config.inference, step=step_of(config))
    return read_value(FusedDetections, seen)


def _scores(
    config: CampaignConfig, images: ImageSet, seen: FusedDetections
) -> dict[str, float]:
    table = benchmark(seen, images, config.evaluation.iou_thres)
    scores = frame_scores(table, images.ids, config.evaluation.pos_thres)
    return dict(zip(images.ids, scores.tolist(), strict=True))
