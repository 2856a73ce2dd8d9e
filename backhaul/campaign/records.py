"""Records of rounds: what is needed to continue a run and to write its view."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from backhaul.identity import canonical
from backhaul.link.exchange import Carried
from backhaul.link.state import LinkState
from backhaul.values.artifacts import Artifact
from backhaul.values.checkpoints import Checkpoint
from backhaul.values.comparison import Ruling
from backhaul.values.results import Drawn, Sent, Timing, TrainingResult


class Standing(BaseModel):
    """State of a method after a round: its images and its model.

    Args:
        seen: All `Splits` seen so far, with the copies of training images.
        checkpoints: Checkpoints of the model and of those it was trained from, oldest first.
        current: The checkpoint that is evaluated, and that the next retraining starts from.
        images_sent: Images that the method has sent so far.
        bytes_sent: Bytes of those.
        sent: What the method sent of each batch so far (`ImageSet`), where it sent anything.
        link: Where the links of the nodes stand, if the campaign has one.
        drawn: The images of the last rounds that chance drew, for the common set of a gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seen: Artifact
    checkpoints: tuple[Checkpoint, ...]
    current: Checkpoint
    images_sent: int = 0
    bytes_sent: int = 0
    sent: tuple[Artifact, ...] = ()
    link: LinkState = LinkState()
    drawn: tuple[Drawn, ...] = ()

    def having_sent(self, sent: Sent) -> Standing:
        """Return the standing with `sent` added to what was sent before."""
        return self.model_copy(
            update={
                "images_sent": self.images_sent + sent.n_images,
                "bytes_sent": self.bytes_sent + sent.n_bytes,
                "sent": (*self.sent, sent.as_sent) if sent.n_images else self.sent,
            }
        )

    def having_drawn(self, drawn: Drawn, most: int) -> Standing:
        """Return the standing with the images that chance drew in one more round.

        Args:
            drawn: The images.
            most: Where they are more, the oldest rounds are left out, but never this one.
        """
        kept = [*self.drawn, drawn] if drawn.n_images else [*self.drawn]
        while len(kept) > 1 and sum(each.n_images for each in kept) > most:
            del kept[0]
        return self.model_copy(update={"drawn": tuple(kept)})

    def after(self, seen: Artifact, training: TrainingResult, current_epoch: int) -> Standing:
        """Return the standing after a training, of which one checkpoint is selected.

        Args:
            seen: All `Splits` seen so far, with those of this round.
            training: The training of this round.
            current_epoch: Epoch of the checkpoint that is carried on; later ones are dropped.
        """
        lineage = (*self.checkpoints, *training.checkpoints)
        kept = tuple(c for c in lineage if c.epoch <= current_epoch)
        new = {"seen": seen, "checkpoints": kept, "current": kept[-1]}
        return self.model_copy(update=new)


class Verdict(BaseModel):
    """What became of the model that a round trained, where models are registered.

    Args:
        version: Number of the model's version.
        parent: Number of the version that it was trained from.
        candidate: The checkpoint that was judged.
        ruling: Whether it was accepted.
        by: Who decided.
        reason: Why, one line.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int
    parent: int | None
    candidate: Checkpoint
    ruling: Ruling
    by: str
    reason: str


class RoundRecord(BaseModel):
    """What happened in one round of one method, or in the initial training.

    Args:
        method: Label of the method, or ``init``.
        batch: Number of the batch; None for the initial training.
        images: The batch as it arrived (`ImageSet` without labels).
        sent: What was sent of it.
        benchmark: What the ensemble saw in the batch before sampling, matched with the truth.
        new: `Splits` of the labelled images of this round.
        proportion: Table of the fractions of new images that were tried for the training; None
            if none was chosen.
        training: The training of this round; None if there was none.
        evaluation: Table of metrics by test set and class.
        standing: Where the method stands now; where its model was rejected, with the one that
            it was to replace.
        carried: What went over the link; None if the campaign has none.
        told: Table of what nodes told meanwhile; None if the method does not go by that.
        explored: Table of what frames say that chance drew (`backhaul.measure.explored`); None
            if the method does not go by them.
        timings: How long each stage took.
        verdict: What became of its model; None where models are not registered, or there is
            none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    batch: int | None
    images: Artifact | None = None
    sent: Sent | None = None
    benchmark: Artifact | None = None
    new: Artifact | None = None
    proportion: Artifact | None = None
    training: TrainingResult | None = None
    evaluation: Artifact
    standing: Standing
    carried: Carried | None = None
    told: Artifact | None = None
    explored: Artifact | None = None
    timings: tuple[Timing, ...] = ()
    verdict: Verdict | None = None

    @property
    def evaluated(self) -> Checkpoint:
        """The checkpoint that its metrics are of: a rejected one, too."""
        return self.standing.current if self.verdict is None else self.verdict.candidate

    @property
    def checkpoints_of(self) -> str:
        """What the names of its checkpoints begin with.

        Where models are registered, several may have been trained for the same epochs: after
        one was taken back, the next starts from the one before it.
        """
        return self.method if self.verdict is None else f"{self.method}@{self.verdict.version}"

    @property
    def prefix(self) -> str:
        """Prefix of the names of this round's files."""
        return self.method if self.batch is None else f"{self.method}{self.batch}"

    def equals(self, other: RoundRecord) -> bool:
        """Return whether the other has the same content, apart from timings and addresses."""
        own_form, other_form = (
            canonical(r.model_copy(update={"timings": ()})) for r in (self, other)
        )
        return bool(own_form == other_form)

    def follows(self, other: RoundRecord) -> bool:
        """Return whether this round started from the result of the other or of a later one."""
        if self.batch is None:
            return False
        same = self.method == other.method
        return other.batch is None or (same and self.batch > other.batch)

    @property
    def epoch_before(self) -> int:
        """Epoch of the model that predicted on the batch."""
        if self.training is None:
            return self.standing.current.epoch
        return self.training.first_epoch - 1

    @property
    def new_checkpoints(self) -> tuple[Checkpoint, ...]:
        """Checkpoints that this round added to those of the model, oldest first."""
        if self.training is None:
            return self.standing.checkpoints if self.batch is None else ()
        made = set(self.training.checkpoints)
        return tuple(c for c in self.standing.checkpoints if c in made)


class Waiting(BaseModel):
    """Images of a batch that a method has sent and that have no labels yet.

    Args:
        files: A table of node, name, image, and the file that its labels are to be put into.
        method: Label of the method; empty in records of earlier versions.
        batch: Number of the batch; None in those.
        images: The images (`ImageSet`), in the order of the table; None in those.
        seen: What the method's model saw in them (`FusedDetections`); None in those.
        model: Which model that was, as annotators are told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Artifact
    method: str = ""
    batch: int | None = None
    images: Artifact | None = None
    seen: Artifact | None = None
    model: str = ""
