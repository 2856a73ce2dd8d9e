"""What a person writes, and files that a config names."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from numpy.random import Generator

from backhaul.campaign.configfile import load_config
from backhaul.campaign.legacy.cfgfile import read_cfg
from backhaul.campaign.legacy.translation import translate
from backhaul.campaign.sedna.job import translate_job
from backhaul.campaign.sedna.resources import read_documents
from backhaul.data.formats.files import read_names
from backhaul.data.lists import play_lists, read_lists
from backhaul.data.settings import Batches
from backhaul.learn.darknet import recognise
from backhaul.yamltext import parse_yaml
from fuzzing.mutation import pick
from fuzzing.reader import Reader
from fuzzing.readers.datasets import small_images
from fuzzing.tree import Tree

_CONFIG = Path(__file__).parents[2] / "configs/quickstart.yaml"
_CFG = """\
# Overall
inherit = base.cfg
class_list = digits.names
model_config = net.cfg
images_per_class = 60      # originals and copies
early_stop = 1
initial_set = data/initial
sample_set = data/sample
bandwidth = 100   # images a batch
retrain_new = 0.75
parallel = 1
multiscale = 1
iou_thres = 0.45
"""
_BASE = (
    "max_epochs = 100\nsampling_batch = 200\nimg_size = 416\nstrip_len = 5\nbatch_size = 16\n"
)
_CONV = "[convolutional]\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
_HEAD = "[yolo]\nmask = 0,1,2\nanchors = 10,13, 16,30\nclasses=3\n"
_TINY = "".join(
    [
        "[net]\n# Testing\nbatch=1\nchannels=3\nwidth=416\nlearning_rate=0.001  # at first\n",
        (_CONV + "[maxpool]\nsize=2\nstride=2\n") * 5,
        _CONV + "[maxpool]\nsize=2\nstride=1\n" + _CONV * 4 + _HEAD,
        "[route]\nlayers = -4\n" + _CONV + "[upsample]\nstride=2\n" + _CONV * 2 + _HEAD,
    ]
)


_JOB = b"""\
kind: IncrementalLearningJob
metadata: {name: bridges}
spec:
  dataset: {name: bridges, trainProb: 0.8}
  initialModel: {name: first}
  outputDir: /srv/out
  trainSpec:
    template: {spec: {containers: [{env: [{name: batch_size, value: "32"}]}]}}
    trigger:
      timer: {start: 02:00, end: 20:00}
      condition: {operator: ">", threshold: 500, metric: num_of_samples}
  deploySpec:
    model: {name: deployed, hotUpdateEnabled: true, pollPeriodSeconds: 30}
    hardExampleMining: {name: IBT, parameters: [{key: threshold_img, value: "0.9"}]}
---
kind: Dataset
metadata: {name: bridges}
spec: {url: /srv/bridges/index.txt}
"""


@cache
def _all_fields() -> bytes:
    """Return a config that gives all fields."""
    plain = load_config(_CONFIG).model_dump(mode="json")
    return yaml.safe_dump(plain, sort_keys=False).encode()


def _config(rng: Generator) -> Tree:
    return {"config.yaml": pick((_CONFIG.read_bytes(), _all_fields()), rng)}


def _load_config(folder: Path) -> Iterable[str]:
    load_config(folder / "config.yaml")
    return ()


def _parse_yaml(folder: Path) -> Iterable[str]:
    path = folder / "config.yaml"
    if path.is_file() and not path.is_symlink():
        parse_yaml(path.read_bytes())
    return ()


def _cfg(_: Generator) -> Tree:
    names = b"car\nvan\nwalker\n"
    files = {"a.cfg": _CFG.encode(), "base.cfg": _BASE.encode(), "net.cfg": _TINY.encode()}
    return {**files, "digits.names": names}


def _import_cfg(folder: Path) -> Iterable[str]:
    translate(read_cfg(folder / "a.cfg"), "imported")
    return ()


def _job(_: Generator) -> Tree:
    return {"job.yaml": _JOB}


def _import_sedna(folder: Path) -> Iterable[str]:
    translate_job(read_documents([folder / "job.yaml"]))
    return ()


def _darknet(_: Generator) -> Tree:
    return {"net.cfg": _TINY.encode()}


def _recognise(folder: Path) -> Iterable[str]:
    recognise(folder / "net.cfg")
    return ()


def _lists(_: Generator) -> Tree:
    paths = [f"/elsewhere/{Path(uri).name}\n".encode() for uri in small_images(6).table["uri"]]
    names = ("init_train", "init_valid", "init_test", "sample0", "sample1", "holdout")
    return {f"{name}.txt": path for name, path in zip(names, paths, strict=True)}


def _play_lists(folder: Path) -> Iterable[str]:
    play_lists(small_images(6), read_lists(folder), Batches())
    return ()


def _names(_: Generator) -> Tree:
    return {"classes.txt": "car\nvan\nStraßenbahn\n\n".encode()}


def _read_names(folder: Path) -> Iterable[str]:
    read_names(folder / "classes.txt")
    return ()


READERS = (
    Reader("config", _config, _load_config, share=0.5),
    Reader("yaml", _config, _parse_yaml, share=0.5),
    Reader("earlier tool", _cfg, _import_cfg),
    Reader("job of Sedna", _job, _import_sedna, share=0.5),
    Reader("darknet", _darknet, _recognise),
    Reader("lists", _lists, _play_lists),
    Reader("class names", _names, _read_names, share=2),
)
