"""Names of files in a store and in the folder of a run: made and parsed only here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

INTERNAL = ".backhaul"
"""The folder of a store with computed results and the records of its runs."""

INITIAL = "init"
"""Stands for the method in names of the initial model's files."""

BENCHMARK = "_benchmark_avg_1_"  # between what a file is about and the epoch of its ensemble
CHECKPOINT = ".pt"
"""What the names of checkpoints end in."""
RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*(/seed\d+)?"
CHECKPOINT_NAME = re.compile(r"(?P<method>.+)_ckpt_(?P<epoch>\d+)\.pt")
_OBJECT = re.compile(rf"/{re.escape(INTERNAL)}/objects/../(?P<digest>[0-9a-f]{{64}})\.\w+$")
_RUN_FOLDER = re.compile(rf"(?P<root>.*)/runs/(?P<name>{RUN_NAME})")
_CONFIG_PLACE = re.compile(
    rf"(?P<root>.*)/{re.escape(INTERNAL)}/runs/(?P<name>{RUN_NAME})/config\.json"
)


def internal(root: str, *parts: str) -> str:
    """Return the inner folder of a store, or a part of it: objects, results, leases, ..."""
    return "/".join((root, INTERNAL, *parts))


def object_place(root: str, digest: str, suffix: str) -> str:
    """Return the address of the object with this SHA-256; the suffix has its dot."""
    return internal(root, f"objects/{digest[:2]}/{digest}{suffix}")


def digest_in_name(uri: str) -> str | None:
    """Return the digest in the name of a stored object; None for any other file."""
    found = _OBJECT.search(uri)
    return None if found is None else found["digest"]


def result_place(root: str, key: str) -> str:
    """Return the address of the result of the stage with this key."""
    return internal(root, f"results/{key}")


def lease_place(root: str, key: str) -> str:
    """Return the address of the lease with this key."""
    return internal(root, f"leases/{key}.json")


def resume_place(root: str, key: str) -> str:
    """Return the folder for the saved state of the training with this key."""
    return internal(root, f"resume/{key}")


def made_place(root: str, data_set: str = "") -> str:
    """Return the folder of a data set that is made below the store, as ``digits-DIGEST`` is."""
    return internal(root, f"data/{data_set}")


def data_root_place(root: str, digest: str) -> str:
    """Return where it is said where the data set with this digest lies, outside the store."""
    return internal(root, f"roots/{digest}.json")


def damaged_place(place: str, moment: str) -> str:
    """Return where a damaged file of a store's inner folder is kept from a moment on."""
    root, _, below = place.rpartition(f"/{INTERNAL}/")
    return internal(root, f"damaged/{below}.{moment}")


def root_of(place: str) -> str:
    """Return the root of the store that a record or an object lies in; empty if in none."""
    return place.rpartition(f"/{INTERNAL}/")[0]


def arrival_place(root: str, name: str) -> str:
    """Return the address of a file in the folder ``ingested``."""
    return f"{root}/ingested/{name}"


def set_aside_place(root: str, kind: str, name: str) -> str:
    """Return the address for a file of the inbox that is rejected for a kind of reason."""
    return arrival_place(root, f"{kind}/{name}")


def inbox_name(root: str) -> str:
    """Return the address of the file that names the inbox of a store."""
    return arrival_place(root, "inbox.txt")


def inbox_waiting(root: str) -> str:
    """Return the address of the list of inbox files that are checked again."""
    return arrival_place(root, "waiting.json")


def arrival_stem(image_id: str) -> str:
    """Return the path of an image of the inbox below the root, without suffix."""
    return f"ingested/images/{image_id[:2]}/{image_id}"


def inbox_entry(root: str, number: int) -> str:
    """Return the address of an entry of the inbox's log."""
    return arrival_place(root, f"log/{number:08d}.parquet")


def inbox_pending(root: str, number: int | None = None) -> str:
    """Return the address of an entry that is being written, or the folder of all of them."""
    return arrival_place(root, "pending" if number is None else f"pending/{number:08d}.json")


@dataclass(frozen=True)
class View:
    """The files of a run that people look at: all can be made again from its records.

    Args:
        folder: The folder that they lie in.
    """

    folder: str

    @property
    def run(self) -> str:
        """Summary of the run as JSON."""
        return f"{self.folder}/run.json"

    @property
    def rounds(self) -> str:
        """All rounds of a run that continues hour by hour; its ``run.json`` lists the last."""
        return f"{self.folder}/rounds.json"

    @property
    def summary(self) -> str:
        """Metrics by method, batch and test set."""
        return f"{self.folder}/summary.csv"

    @property
    def current(self) -> str:
        """The checkpoint that each method goes on with."""
        return f"{self.folder}/current.csv"

    def table(self, name: str) -> str:
        """Where a table lies that has rows by method and batch."""
        return f"{self.folder}/{name}.csv"

    @property
    def page(self) -> str:
        """The report."""
        return f"{self.folder}/report.html"

    @property
    def output(self) -> str:
        """The folder of lists and benchmarks."""
        return f"{self.folder}/output"

    @property
    def logs(self) -> str:
        """The folder of losses."""
        return f"{self.folder}/logs"

    @property
    def analysis(self) -> str:
        """The folder of findings."""
        return f"{self.folder}/analysis"

    def images(self, batch: int) -> str:
        """The images of a batch."""
        return f"{self.output}/sample{batch}.txt"

    def held_out(self) -> str:
        """The images that are held out for the common test set."""
        return f"{self.output}/holdout.txt"

    def unplayed(self) -> str:
        """The images that are in no batch."""
        return f"{self.output}/unplayed.txt"

    def sent(self, prefix: str, epoch: int) -> str:
        """The images that were sent, by the model of that epoch."""
        return f"{self.output}/{prefix}_sample_{epoch}.txt"

    def part(self, prefix: str, name: str) -> str:
        """The images of a split: train, valid or test."""
        return f"{self.output}/{prefix}_{name}.txt"

    def selection(self, prefix: str) -> str:
        """Why each image was sent."""
        return f"{self.output}/{prefix}_selection.csv"

    def proportion(self, prefix: str) -> str:
        """The fractions of new images that were tried for the training."""
        return f"{self.output}/{prefix}_proportion.csv"

    def benchmark(self, prefix: str, epoch: int) -> str:
        """Detections of the ensemble of that epoch in a batch, matched with the truth."""
        return f"{self.output}/{prefix}{BENCHMARK}{epoch}.csv"

    def crops(self, batch: int) -> str:
        """The crops of the images of a batch."""
        return f"{self.output}/crops{batch}.csv"

    def losses(self, prefix: str) -> str:
        """Losses by epoch."""
        return f"{self.logs}/{prefix}_training.csv"

    def steps(self, prefix: str) -> str:
        """Losses within epochs."""
        return f"{self.logs}/{prefix}_steps.csv"

    def events(self, prefix: str) -> str:
        """The folder of TensorBoard's files."""
        return f"{self.logs}/tensorboard/{prefix}"

    def checkpoint(self, method: str, epoch: int) -> str:
        """A checkpoint."""
        return f"{self.folder}/{checkpoint_name(method, epoch)}"

    def to_label(self, prefix: str) -> str:
        """Images of a batch that wait for their labels."""
        return f"{self.folder}/to_label/{prefix}.csv"

    def finding(self, name: str, suffix: str) -> str:
        """A file of a finding."""
        return f"{self.analysis}/{name}{suffix}"


class EarlierView(View):
    """The files of a run as the earlier tool named them, where these differ."""

    @property
    def logs(self) -> str:
        """The folder of losses."""
        return f"{self.folder}/log"

    def events(self, prefix: str) -> str:
        """The folder of TensorBoard's files."""
        return f"{self.logs}/{prefix}"


def checkpoint_name(method: str, epoch: int) -> str:
    """Return the name of a checkpoint in the folder of a run."""
    return f"checkpoints/{method}_ckpt_{epoch}.pt"


def sent_pattern(label: str) -> str:
    """Return the pattern of the names that `View.sent` makes for a method."""
    return rf"{re.escape(label)}(?P<batch>\d+)_sample_(?P<epoch>\d+)\.txt"


def benchmark_pattern(label: str) -> str:
    """Return the pattern of the names that `View.benchmark` makes for a method."""
    return rf"{re.escape(label)}(?P<batch>\d+){BENCHMARK}(?P<epoch>\d+)\.csv"


def losses_pattern(label: str) -> str:
    """Return the pattern of the names that `View.losses` makes for a method."""
    return rf"{re.escape(label)}(?P<batch>\d+)_training\.csv"


@dataclass(frozen=True)
class RunFiles:
    """Addresses of the files of one run in a store.

    Args:
        root: Root of the store, absolute.
        name: Name of the run, ``NAME`` or ``NAME/seed3``.
    """

    root: str
    name: str

    @property
    def view(self) -> View:
        """The files that people look at."""
        return View(f"{self.root}/runs/{self.name}")

    @property
    def records(self) -> str:
        """The folder of the run's records."""
        return internal(self.root, f"runs/{self.name}")

    @property
    def config(self) -> str:
        """The config that it was started with."""
        return f"{self.records}/config.json"

    @property
    def beginning(self) -> str:
        """How it began."""
        return f"{self.records}/beginning.json"

    @property
    def setting(self) -> str:
        """Batches and test sets that all its methods share."""
        return f"{self.records}/setting.json"

    @property
    def state(self) -> str:
        """Its progress, if images arrive hour by hour."""
        return f"{self.records}/state.json"

    @property
    def outcome(self) -> str:
        """How its methods ended."""
        return f"{self.records}/outcome.json"

    @property
    def rounds(self) -> str:
        """The folder of the records of its rounds."""
        return f"{self.records}/rounds"

    def round(self, prefix: str) -> str:
        """The record of a round."""
        return f"{self.rounds}/{prefix}.json"

    @property
    def bandwidths(self) -> str:
        """The folder of the bandwidths of its batches."""
        return f"{self.records}/bandwidth"

    def bandwidth(self, batch: int) -> str:
        """The bandwidth of a batch."""
        return f"{self.bandwidths}/{batch}.json"

    @property
    def starts(self) -> str:
        """The folder of the records of its starts."""
        return f"{self.records}/starts"

    def start(self, moment: str) -> str:
        """The record of a start at a moment."""
        return f"{self.starts}/{moment}.json"

    @property
    def last_start(self) -> str:
        """The record of its last start."""
        return f"{self.records}/start.json"

    @property
    def findings(self) -> str:
        """The folder of the findings of analyses."""
        return f"{self.records}/findings"

    def finding(self, name: str) -> str:
        """The finding of an analysis."""
        return f"{self.findings}/{name}.json"

    @property
    def all_waiting(self) -> str:
        """The folder of the lists of images without labels."""
        return f"{self.records}/waiting"

    def waiting(self, prefix: str) -> str:
        """The list of images of a batch without labels."""
        return f"{self.all_waiting}/{prefix}.json"

    def continued(self, table: str) -> str:
        """The part of a view's table written so far, if images arrive hour by hour."""
        return f"{self.records}/continued/{table}.csv"

    @property
    def log(self) -> str:
        """The full log of all its starts."""
        return f"{self.records}/log.txt"

    def of_seed(self, seed: int) -> RunFiles:
        """Return the files of the run with one of several seeds."""
        return RunFiles(self.root, f"{self.name}/seed{seed}")


def run_at(folder: str) -> RunFiles | None:
    """Return the run whose view has this address; None for any other address."""
    whole = folder if "://" in folder else Path(folder).resolve().as_posix()
    found = _RUN_FOLDER.fullmatch(whole)
    return None if found is None else RunFiles(found["root"], found["name"])


def run_of_config(place: str) -> RunFiles | None:
    """Return the run whose config has this address; None for any other address."""
    found = _CONFIG_PLACE.fullmatch(place)
    return None if found is None else RunFiles(found["root"], found["name"])


def all_records(root: str) -> str:
    """Return the folder of the records of all runs in a store."""
    return internal(root, "runs")


def runs_folder(root: str) -> str:
    """Return the folder of all runs in a store that people look at."""
    return f"{root}/runs"


def seed_in_name(name: str) -> int | None:
    """Return the seed that the name of a run ends with, as in ``cars/seed3``, or None."""
    found = re.search(r"(?:^|/)seed(\d+)$", name)
    return None if found is None else int(found[1])
