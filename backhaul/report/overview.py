"""Overview of a campaign as text: settings, outcome and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pydantic import ValidationError

from backhaul.campaign.run import CONTROL
from backhaul.link.settings import Link
from backhaul.link.wording import described
from backhaul.measure.statistics import Estimates
from backhaul.report import tables
from backhaul.report.campaign import Campaign
from backhaul.report.wording import (
    beyond_chance,
    count,
    plural,
    plus_minus,
    signed_plus_minus,
    size,
)

UNKNOWN = "unknown"
SOME_CLASSES = 12


@dataclass(frozen=True, slots=True)
class Tile:
    """One key number of a campaign: its title, its value and a note."""

    title: str
    figure: str
    note: str


def tiles(compared: Estimates, random: str) -> tuple[Tile, ...]:
    """Return the best method, its gains and what it sent; empty if there is none yet.

    Args:
        compared: What `backhaul.report.tables.comparison` returns.
        random: Label of the true-random arm.
    """
    best = tables.best_method(compared)
    if best is None:
        return ()
    rivals = {"gain_random": random, "gain_control": CONTROL, "gain_init": "the initial model"}
    gained = [
        Tile(
            f"mAP50 over {rival}",
            signed_plus_minus(*compared.at(best, gain)),
            beyond_chance(*compared.at(best, gain)),
        )
        for gain, rival in rivals.items()
        if rival != best
    ]
    images, _ = compared.at(best, "images_sent_total")
    volume, _ = compared.at(best, "bytes_sent_total")
    each = " a seed" if compared.n["mAP50"][best] > 1 else ""
    sent = Tile("sent by it", plural(images, "image"), f"{size(volume)}{each}")
    score = plus_minus(*compared.at(best, "mAP50"))
    return (Tile("best method", best, f"mAP50 {score} on the common test set"), *gained, sent)


def played(campaign: Campaign) -> dict[str, str]:
    """Return the settings of a campaign as names and values."""
    config = campaign.config
    names = campaign.class_names
    some = ", ".join(names[:SOME_CLASSES])
    more = f", and {len(names) - SOME_CLASSES} more" if len(names) > SOME_CLASSES else ""
    return {
        "data set": _data_set(campaign),
        "classes": f"{len(names)}: {some}{more}" if names else UNKNOWN,
        "batches": _batches(campaign),
        "bandwidth": _bandwidth(_part(config, "bandwidth")),
        "methods": ", ".join(campaign.labels) or UNKNOWN,
        _seeds_title(campaign): ", ".join(map(str, campaign.seeds)),
        "detector": _detector(config),
    }


def _seeds_title(campaign: Campaign) -> str:
    return "seed" if len(campaign.seeds) == 1 else "seeds"


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    return part if isinstance(part, dict) else {}


def _data_set(campaign: Campaign) -> str:
    """Return sizes of the data set; those that differ from seed to seed as a range."""
    sizes: dict[str, list[int]] = {}
    for run in campaign.runs:
        for name, n in run.data.items():
            sizes.setdefault(name, []).append(n)
    sizes_of_parts = [
        f"{name.replace('_', ' ')} {_range(found)}"
        for name, found in sizes.items()
        if name not in ("images", "batches")
    ]
    whole = f"{_range(sizes['images'])} images" if "images" in sizes else UNKNOWN
    root = _part(campaign.config, "data").get("root")
    whole = f"{PurePath(root).name}: {whole}" if root else whole
    return f"{whole} ({', '.join(sizes_of_parts)})" if sizes_of_parts else whole


def _range(found: list[int]) -> str:
    low, high = min(found), max(found)
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def _batches(campaign: Campaign) -> str:
    pools = [len(r.pool) for run in campaign.runs for r in run.batches if r.pool]
    arranged = [run.data["batches"] for run in campaign.runs if run.data.get("batches")]
    if not arranged:
        return UNKNOWN
    n_batches = plural(max(arranged), "batch")
    asked = _part(campaign.config, "batches").get("sampling_batch")
    n_images = asked or (max(pools) if pools else None)
    return f"{n_batches} of {plural(n_images, 'image')}" if n_images else n_batches


def _bandwidth(bandwidth: Mapping[str, Any]) -> str:
    parts = [
        plural(bandwidth["images"], "image") if bandwidth.get("images") is not None else "",
        size(bandwidth["bytes"]) if bandwidth.get("bytes") is not None else "",
    ]
    limits = " and ".join(part for part in parts if part)
    each = ", for each node" if bandwidth.get("per_node") else ""
    fixed = f"{limits} a batch{each}" if limits else ""
    return "; ".join(part for part in (fixed, _link(bandwidth.get("link"))) if part) or UNKNOWN


def _link(link: Any) -> str:
    """Return a link in words; empty for none, and for one of a version that knew others."""
    try:
        return "" if link is None else f"link of {described(Link.model_validate(link))}"
    except ValidationError:
        return ""


def _detector(config: Mapping[str, Any]) -> str:
    training = _part(config, "training")
    own = training.get("detector")
    code = own.get("use") if isinstance(own, dict) else own
    facts = [str(code or training.get("model") or UNKNOWN)]
    if training.get("img_size"):
        facts.append(f"{training['img_size']} px")
    if training.get("steps"):
        facts.append(f"{plural(training['steps'], 'step')}")
    elif training.get("max_epochs"):
        facts.append(f"at most {plural(training['max_epochs'], 'epoch')}")
    if training.get("retrain_steps"):
        facts.append(f"{plural(training['retrain_steps'], 'step')} for a retraining")
    elif training.get("retrain_max_epochs"):
        facts.append(f"{training['retrain_max_epochs']} for a retraining")
    checkpoint = _part(config, "start").get("checkpoint")
    if checkpoint:
        facts.append(f"started from {checkpoint}")
    return ", ".join(facts)


def provenance(campaign: Campaign) -> dict[str, str]:
    """Return where the results came from, as names and values; of several starts all."""
    sources = [source for run in campaign.runs for source in run.sources]

    def each(values: list[str]) -> str:
        return "; ".join(dict.fromkeys(v for v in values if v)) or UNKNOWN

    commits = [
        f"{s.git.commit}{' with uncommitted changes' if s.git.dirty else ''}"
        for s in sources
        if s.git.commit
    ]
    return {
        "started": each([run.started for run in campaign.runs]),
        _seeds_title(campaign): ", ".join(map(str, campaign.seeds)),
        "commit": each(commits),
        "versions": each(
            [", ".join(f"{k} {v}" for k, v in s.versions.items()) for s in sources]
        ),
    }


def reading_help(campaign: Campaign) -> str:
    """Return how to read the page, in one paragraph."""
    rules = (
        "All methods start from the same initial model and meet the same batches; what each "
        "sends of a batch is labelled, mixed with old data, and the detector is trained on. "
        "They are ranked by mAP50 on the common test set, which no method trains on. A method "
        f"is worth its bandwidth if it is above {CONTROL}, which retrains for as long on old "
        f"data alone, and worth its name if it is above {campaign.random_label}, which sends "
        "images at random."
    )
    if len(campaign.runs) == 1:
        return f"{rules} One seed shows what can happen; play several to see what to expect."
    return (
        f"{rules} Numbers are means over the seeds, ± and bands are 95\xa0% t-intervals of "
        "these means. Each seed splits the data anew, so absolute values vary with the test "
        "set; gains do so less, since they are paired by seed. The best of several methods is "
        "also the luckiest: its interval knows nothing of the choice."
        + (" With two seeds, intervals are very wide." if len(campaign.runs) == 2 else "")  # noqa: PLR2004
    )
