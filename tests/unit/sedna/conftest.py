"""A job and a benchmark as people have them, with made-up names."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

JOB = """\
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {name: "Bridges, east"}
spec:
  initialModel: {name: first}
  dataset: {name: bridges, trainProb: 0.8}
  outputDir: "/srv/out"
  trainSpec:
    template:
      spec:
        nodeName: home-1
        containers:
          - image: registry/train:v1
            name: trainer
            env:
              - {name: batch_size, value: "32"}
              - {name: input_shape, value: "352,640"}
              - {name: obj_threshold, value: "0.3"}
              - {name: class_names, value: "van,car"}
    trigger:
      checkPeriodSeconds: 60
      timer: {start: 02:00, end: 20:00}
      condition: {operator: ">", threshold: 500, metric: num_of_samples}
  evalSpec: {template: {spec: {containers: [{image: "registry/eval:v1"}]}}}
  deploySpec:
    model: {name: deployed, hotUpdateEnabled: true, pollPeriodSeconds: 30}
    trigger:
      condition: {operator: ">", threshold: 0.1, metric: precision_delta}
    hardExampleMining:
      name: IBT
      parameters:
        - {key: threshold_img, value: "0.9"}
        - {key: threshold_box, value: "0.8"}
    template: {spec: {containers: [{image: "registry/look:v1"}]}}
"""
RESOURCES = """\
---
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {name: bridges}
spec: {url: /srv/bridges/train/index.txt, format: txt, nodeName: home-1}
---
kind: Model
metadata: {name: first}
spec: {url: /srv/models/first_ckpt_12.pt, format: pt}
"""
BENCHMARK = {
    "bench/job.yaml": """\
        benchmarkingjob:
          name: bridges
          workspace: ./space
          testenv: ./bench/env/testenv.yaml
          test_object:
            type: algorithms
            algorithms: [{name: one, url: ./bench/one.yaml}]
          rank:
            sort_by: [{f1_score: descend}, {samples_transfer_ratio: ascend}]
            save_mode: selected_only
        """,
    "bench/env/testenv.yaml": """\
        testenv:
          dataset:
            train_index: ./pictures/train/index.txt
            test_index: ./pictures/test/index.txt
          model_eval:
            model_metric: {name: f1_score, url: ./bench/env/f1_score.py}
            threshold: 0.01
            operator: ">="
          metrics:
            - {name: f1_score, url: ./bench/env/f1_score.py}
            - {name: samples_transfer_ratio}
          incremental_rounds: 3
        """,
    "bench/one.yaml": """\
        algorithm:
          paradigm_type: incrementallearning
          incremental_learning_data_setting: {train_ratio: 0.8, splitting_method: default}
          initial_model_url: /models/model.zip
          modules:
            - type: basemodel
              name: FPN
              url: ./bench/basemodel.py
              hyperparameters: [{momentum: {values: [0.95, 0.5]}}]
            - type: hard_example_mining
              name: IBT
              url: ./bench/hard_example_mining.py
              hyperparameters:
                - threshold_img: {values: [0.9, 0.5]}
                - threshold_box: {values: [0.9, 0.3]}
        """,
    "pictures/train/index.txt": "a.jpg a.xml\nb.jpg b.xml\n" * 100,
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def job(here: Path) -> Callable[..., Path]:
    def write(old: str = "", new: str = "", resources: str = "") -> Path:
        """Write the job, with a part of it replaced."""
        assert old in JOB
        path = here / "job.yaml"
        path.write_text(JOB.replace(old, new) + resources if old else JOB + resources)
        return path

    return write


@pytest.fixture
def benchmark(here: Path) -> Callable[..., Path]:
    def write(old: str = "", new: str = "") -> Path:
        """Write the files of a benchmark, with a part of them replaced; return its job."""
        for name, text in BENCHMARK.items():
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            plain = textwrap.dedent(text)
            path.write_text(plain.replace(old, new) if old else plain)
        return here / "bench/job.yaml"

    return write
