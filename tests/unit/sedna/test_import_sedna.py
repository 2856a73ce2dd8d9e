"""What `backhaul import-sedna` writes and says."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from backhaul.campaign.configfile import load_config
from backhaul.campaign.legacy.row import Row
from backhaul.campaign.sedna.filters import FILTERS
from backhaul.campaign.sedna.job import VARIABLES, translate_job
from backhaul.campaign.sedna.loop import clock
from backhaul.campaign.sedna.resources import read_documents
from backhaul.campaign.triggers import AllCondition, LabelledCondition, WindowCondition
from backhaul.cli.commands import app
from backhaul.errors import InputError
from backhaul.measure.gatesettings import Gate
from backhaul.node.policies import WindowPolicy
from tests.unit.sedna.conftest import RESOURCES

Write = Callable[..., Path]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import-sedna", *arguments], env={"COLUMNS": "220"})


def rows_of(path: Path) -> dict[str, Row]:
    return {row.key: row for row in translate_job(read_documents([path])).rows}


def test_a_job_becomes_a_campaign_that_is_read(job: Write) -> None:
    result = run(str(job(resources=RESOURCES)), "--to", "bridges.yaml")
    assert result.exit_code == 0, result.output
    config = load_config(Path("bridges.yaml"))
    assert config.name == "Bridges-east"
    assert config.store == "/srv/out"
    assert config.data.kind == "inbox"
    assert config.initial.data is not None
    assert config.initial.data.model_dump()["root"] == "/srv/bridges/train"
    assert config.start is not None
    assert str(config.start.checkpoint) == "/srv/models/first_ckpt_12.pt"
    assert (config.batches.sampling_batch, config.bandwidth.images) == (501, 501)
    assert (config.batches.train, config.batches.valid) == (0.8, 0.1)
    assert (config.training.batch_size, config.training.img_size) == (32, 640)
    assert config.inference.conf_thres == 0.3
    assert [method.kind for method in config.methods] == ["arrived"]
    assert isinstance(config.triggers, AllCondition)
    window, labelled = config.triggers.conditions
    assert isinstance(window, WindowCondition)
    assert window.hours == ("02:00-20:00",)
    assert isinstance(labelled, LabelledCondition)
    assert labelled.images == 501
    assert isinstance(config.accept, Gate)
    assert (config.accept.compare.metric, config.accept.min_gain) == ("mAP50", 0.1)
    assert config.publish is not None
    assert config.publish.method == config.methods[0].label


def policy_in(path: str) -> WindowPolicy:
    (policy,) = yaml.safe_load(Path(path).read_text())["policies"]
    return WindowPolicy.model_validate(policy)


def test_nodes_get_a_policy_that_they_can_run(job: Write) -> None:
    assert run(str(job())).exit_code == 0
    policy = policy_in("job-campaign-policy.yaml")
    assert policy.name == "ibt"
    assert policy.method.model_dump()["filter"] == {
        "kind": "ibt",
        "threshold_img": 0.9,
        "threshold_box": 0.8,
        "undetected": "easy",
    }


def test_it_says_what_became_of_each_field(job: Write) -> None:
    result = run(str(job()))
    titles = ["The same here", "Means something else here", "Cannot be honoured"]
    places = [result.output.index(title) for title in titles]
    assert places == sorted(places)
    assert "written: " in result.output
    assert Path("job-campaign.yaml").exists()


TIMED = '      timer: {start: 01:00}\n      condition: {operator: ">", threshold: 0.1'


def test_every_field_of_a_job_has_a_row(job: Write) -> None:
    path = job("  outputDir:", '  strange: {more: "1"}\n  outputDir:', RESOURCES)
    text = path.read_text().replace("trainProb: 0.8", "trainProb: 0.8, odd: 1")
    path.write_text(text.replace('      condition: {operator: ">", threshold: 0.1', TIMED))
    rows = rows_of(path)
    assert {rows[key].fate for key in ("strange.more", "dataset.odd")} == {"refused"}
    assert rows["deploySpec.trigger.timer.start"].value == "01:00"
    assert rows["trainSpec.trigger"].value == "timer 02:00-20:00 and num_of_samples >= 501"
    assert rows["deploySpec.trigger.condition"].value == "precision_delta > 0.1"
    assert rows["trainSpec.template"].value == "registry/train:v1"
    parts = {"dataset", "initialModel", "outputDir", "evalSpec", "deploySpec", "trainSpec"}
    assert {key.partition(" ")[0].partition(".")[0] for key in rows} == parts | {"strange"}
    named = {"hotUpdateEnabled", "pollPeriodSeconds", "name"}
    assert {f"deploySpec.model.{each}" for each in named} <= rows.keys()
    assert all(row.here or row.fate == "refused" for row in rows.values())


def test_every_variable_of_a_container_has_a_row(job: Write) -> None:
    """Those of one's own without their value, which may be a secret."""
    path = job(
        '[{image: "registry/look:v1"}]',
        '[{image: "registry/look:v1", env: ['
        '{name: input_shape, value: "352,640"}, {name: class_names, value: "van,car"}, '
        '{name: video_url, value: "rtsp://ann:hunter2@gate/1"}, '
        "{name: HE_SAVED_URL, value: /he}, {name: PASSWORD, value: hunter2}]}]",
    )
    rows = rows_of(path)
    assert rows["trainSpec env.class_names"].here == "initial.data.names"
    of_nodes = {
        key.partition(".")[2]: row for key, row in rows.items() if "deploySpec env" in key
    }
    assert {key: (row.fate, row.here) for key, row in of_nodes.items()} == {
        "input_shape": ("changed", "training.img_size"),
        "video_url": ("changed", "frames in NODE.yaml"),
        "HE_SAVED_URL": ("changed", "store in NODE.yaml"),
        "PASSWORD": ("refused", ""),
        "class_names": ("changed", "initial.data.names"),
    }
    assert "hunter2" not in run(str(path)).output


def test_a_data_set_that_is_not_at_hand_is_said(job: Write) -> None:
    row = rows_of(job())["dataset.name"]
    assert row.here == "initial.data.root = bridges"
    assert "give the file of the Dataset too" in row.why


def test_resources_may_be_files_of_their_own(job: Write, here: Path) -> None:
    (here / "more.yaml").write_text(RESOURCES)
    result = run(str(job()), "more.yaml")
    assert "/srv/bridges/train" in Path("job-campaign.yaml").read_text()
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("condition", "n_samples"),
    [
        ('operator: "ge", threshold: 40, metric: num_of_samples', 40),
        ('operator: ">", threshold: 40.5, metric: num_of_samples', 41),
        ('operator: "=", threshold: 40, metric: num_of_samples', 40),
        ('operator: "gt", threshold: 0, metric: num_of_samples', 1),
    ],
)
def test_a_number_of_samples_is_that_of_a_batch(
    job: Write, condition: str, n_samples: int
) -> None:
    path = job('operator: ">", threshold: 500, metric: num_of_samples', condition)
    assert f"batches.sampling_batch = {n_samples}" in rows_of(path)["trainSpec.trigger"].here


def test_one_condition_stands_alone(job: Write) -> None:
    row = rows_of(job("      timer: {start: 02:00, end: 20:00}\n"))["trainSpec.trigger"]
    assert row.here.startswith("triggers.kind = labelled, triggers.images = 501")


@pytest.mark.parametrize(
    ("old", "new", "fate"),
    [
        ("precision_delta", "'f1_score_delta[0]'", "changed"),
        ('">", threshold: 0.1', '"<", threshold: 0.1', "refused"),
        ("precision_delta", "precision", "refused"),
    ],
)
def test_a_gate_asks_for_a_gain(job: Write, old: str, new: str, fate: str) -> None:
    row = rows_of(job(old, new))["deploySpec.trigger.condition"]
    assert row.fate == fate
    assert ("accept.compare.metric = F1" in row.here) == (fate == "changed")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("num_of_samples", "precision", "so it never fires"),
        ('">", threshold: 500', '"<", threshold: 5', "while samples are few"),
        ('">", threshold: 500', '"<=", threshold: 5', "while samples are few"),
        ('">", threshold: 500', '"ne", threshold: 5', "while samples are few"),
    ],
)
def test_a_condition_that_is_none_here_is_said(
    job: Write, old: str, new: str, why: str
) -> None:
    rows = rows_of(job(old, new))
    row = rows["trainSpec.trigger.condition"]
    assert (row.fate, row.here) == ("refused", "")
    assert why in row.why
    assert "a timer beside it fires alone" in row.why
    assert rows["trainSpec.trigger"].value == "timer 02:00-20:00"


@pytest.mark.parametrize("operator", ["==", "=", "eq", ">="])
def test_that_an_exact_number_is_a_least_one_is_said(job: Write, operator: str) -> None:
    rows = rows_of(job('">", threshold: 500', f'"{operator}", threshold: 500'))
    assert "triggers.kind = all" in rows["trainSpec.trigger"].here
    said = rows.get("trainSpec.trigger.condition")
    assert (said is None) == (operator == ">=")
    assert said is None or "at that number alone" in said.why


@pytest.mark.parametrize(
    ("timer", "hours"),
    [
        ("start: 22:00", "22:00-24:00"),
        ('start: 22:00, end: ""', "22:00-24:00"),
        ("end: 06:00", "00:00-06:00"),
    ],
)
def test_a_timer_with_one_end_goes_to_that_of_the_day(
    job: Write, timer: str, hours: str
) -> None:
    path = job("start: 02:00, end: 20:00", timer)
    assert rows_of(path)["trainSpec.trigger"].value.startswith(f"timer {hours} and ")


@pytest.mark.parametrize(
    ("text", "expected"), [("02:00", "02:00"), ("1200", "20:00"), ("9:05", "09:05")]
)
def test_times_are_those_of_the_file(text: str, expected: str) -> None:
    """YAML reads 20:00 as a number in base 60."""
    assert clock("timer", text, "job.yaml") == expected


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_is_one_of_ours(job: Write, name: str) -> None:
    given = ", ".join(f'{{key: {k}, value: "0.25"}}' for k in FILTERS[name].parameters)
    text = read_text(job())
    before, _, after = text.partition("    hardExampleMining:")
    rest = after[after.index("    template:") :]
    Path("job.yaml").write_text(
        f"{before}    hardExampleMining: {{name: {name}, parameters: [{given}]}}\n{rest}"
    )
    assert run("job.yaml").exit_code == 0
    chosen = policy_in("job-campaign-policy.yaml").method.model_dump()["filter"]
    assert chosen["kind"] == FILTERS[name].kind
    assert [chosen[here] for here in FILTERS[name].parameters.values()] == [0.25] * len(
        FILTERS[name].parameters
    )


def read_text(path: Path) -> str:
    return path.read_text()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("name: IBT", "name: Mine", "job.yaml: hard_example_mining 'Mine': expected one of"),
        ("threshold_box", "thresh", "IBT: no parameter 'thresh'"),
        ('"0.8"}', '"high"}', "job.yaml: IBT.threshold_box: expected a number, got 'high'"),
        ('"0.8"}', '"1.5"}', "job.yaml: IBT: threshold_box: Input should be less"),
        ("trainProb: 0.8", "trainProb: most", "job.yaml: dataset.trainProb: expected a number"),
        (
            "trainProb: 0.8",
            "trainProb: 1",
            "trainProb: expected a fraction above 0 and below 1",
        ),
        ("start: 02:00", "start: night", "trainSpec.trigger.timer: 'night': expected a time"),
        ("end: 20:00", "end: 99:99", "expected a time such as 02:00"),
        (
            'operator: ">", threshold: 0.1',
            "operator: more, threshold: 0.1",
            "'more' is none of",
        ),
        (
            "IncrementalLearningJob",
            "FederatedLearningJob",
            "expected one IncrementalLearningJob",
        ),
        ("spec:\n  initial", "spec: [\n  initial", "job.yaml: not YAML"),
        ('"352,640"', '"wide"', "env.input_shape: expected a number, got 'wide'"),
        ("name: bridges,", 'name: "a\\nb",', "expected a path without control characters"),
    ],
)
def test_what_is_wrong_is_one_line(job: Write, old: str, new: str, reason: str) -> None:
    result = run(str(job(old, new)))
    assert isinstance(result.exception, InputError), result.output
    assert reason in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1
    assert not Path("job-campaign.yaml").exists()


@pytest.mark.parametrize(
    "text",
    [
        "benchmarkingjob: &a\n  x: [*a]\n",
        "benchmarkingjob: &a\n  x: *a\n",
        "kind: IncrementalLearningJob\nspec: &a {b: {c: [1, *a]}}\n",
        "&a [*a]",
    ],
)
def test_what_contains_itself_is_one_line(here: Path, text: str) -> None:
    (here / "job.yaml").write_text(text)
    result = run("job.yaml")
    assert isinstance(result.exception, InputError), result.output
    assert "job.yaml: not YAML: its aliases stand for too many values" in str(result.exception)


def test_too_many_values_are_refused(here: Path) -> None:
    lines = "".join(f"  a{i}: 1\n" for i in range(10_001))
    (here / "job.yaml").write_text(f"spec:\n{lines}")
    with pytest.raises(InputError, match="more than 10,000 values"):
        read_documents([here / "job.yaml"])


def test_nothing_is_overwritten(job: Write) -> None:
    path = job()
    Path("mine.yaml").write_text("mine")
    result = run(str(path), "--to", "mine.yaml")
    assert isinstance(result.exception, InputError)
    assert Path("mine.yaml").read_text() == "mine"


def test_no_text_of_a_job_gets_out_of_its_comment(job: Write) -> None:
    path = job('"Bridges, east"', '"x\\nname: evil"')
    assert run(str(path)).exit_code == 0
    assert load_config(Path("job-campaign.yaml")).name == "x-name-evil"


def test_each_variable_is_a_field(job: Write) -> None:
    fields = [load_config_field(variable.here) for variable in VARIABLES.values()]
    assert all(fields)


def load_config_field(dotted: str) -> bool:
    from backhaul.campaign.config import CampaignConfig

    part, _, name = dotted.partition(".")
    model = CampaignConfig.model_fields[part].annotation
    return name in getattr(model, "model_fields", {})
