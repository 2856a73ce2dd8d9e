"""A person runs campaigns in Prefect's UI: the form, the artifacts, a failed method, Retry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from deployments.local.stack import Stack
from tests.e2e.chromium import chromium
from tests.e2e.operator import Operator, changed, importing
from tests.e2e.ui import Form, Ui

pytestmark = [
    pytest.mark.browser,
    pytest.mark.s3,
    pytest.mark.services,
    pytest.mark.prefect,
    pytest.mark.train,
]

DEFAULTS: dict[str, Any] = {
    "name": "tiny",
    "seed": 1,
    "store": "block://store",
    "execution": "work-pool",
    "data": {"kind": "digits", "images": 400, "size_px": 64},
    "initial": {"images": 16, "train": 0.5, "valid": 0.25},
    "batches": {"sampling_batch": 12, "count": 1, "train": 0.5, "valid": 0.25},
    "bandwidth": {"images": 4},
    "methods": [{"kind": "iqr"}],
    "control": False,
    "training": {
        "max_epochs": 50,
        "retrain_max_epochs": 1,
        "img_size": 64,
        "batch_size": 8,
        "threads": 1,
        "device": "cpu",
        "warmup_epochs": 0,
    },
    "inference": {"conf_check_num": 2, "conf_thres": 0.001},
}
PATIENCE_S = 240  # on a machine that others use as well
PATIENCE_OF_A_CLICK_MS = 30_000
FLAKY = """
from pathlib import Path

BROKEN = Path({broken!r})


def flaky(pool, bandwidth, rng):
    if BROKEN.exists():
        calls = int(BROKEN.read_text())
        if calls == 0:
            raise RuntimeError("the licence server does not answer")
        BROKEN.write_text(str(calls - 1))
    return pool.image_id[: bandwidth.images]
"""
"""Chooses as often as the file says, and then fails as long as it is there."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def broken(folder: Path) -> Path:
    """The file because of which the user's method fails."""
    return folder / "broken"


@pytest.fixture(scope="module")
def code(folder: Path, broken: Path) -> Path:
    """A folder with a person's own sampling method."""
    code = folder / "code"
    code.mkdir()
    (code / "flaky.py").write_text(FLAKY.format(broken=str(broken)))
    return code


@pytest.fixture(scope="module")
def stack(shared_stack: Stack, code: Path) -> Iterator[Stack]:
    """Meanwhile, deployments import the person's code, and are of a small campaign."""
    own = importing(code)
    changes = {
        "initial-training": own,
        "method": own,
        "campaign": {**own, "parameters": {"config": DEFAULTS}},
    }
    with changed(shared_stack, changes):
        yield shared_stack


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Operator:
    return Operator(stack.environment)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def page(playwright: Playwright, folder: Path) -> Iterator[Page]:
    context = playwright.chromium.launch_persistent_context(
        folder / "profile",
        executable_path=chromium(),
        viewport={"width": 1400, "height": 1000},
        args=["--no-sandbox", "--disable-gpu", "--no-first-run"],
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_OF_A_CLICK_MS)
    expect.set_options(timeout=PATIENCE_OF_A_CLICK_MS)
    yield page
    context.close()


@pytest.fixture(scope="module")
def visitor(stack: Stack, page: Page, folder: Path) -> Ui:
    """A person at the server's first page, without a login yet."""
    pictures = folder / "pictures"
    pictures.mkdir()
    logs = tuple(service.log for service in (stack.server, *stack.workers))
    ui = Ui(page, stack.server.address, pictures, logs)
    ui.page.goto(ui.address)
    return ui


@pytest.fixture(scope="module")
def ui(visitor: Ui, stack: Stack) -> Ui:
    """A person who passed the prompt, at first with a wrong password."""
    with visitor.step("prompt"):
        visitor.log_in("admin:guessed")
        expect(visitor.page.get_by_text("Invalid credentials")).to_be_visible()
    with visitor.step("dashboard"):
        visitor.log_in(stack.login_file.read_text())
        visitor.page.wait_for_url("**/dashboard**")
    return visitor


def make_small(form: Form, name: str) -> None:
    """Change the fields that would make the campaign a long one."""
    form.field("Name").type(name)
    form.field("Data").field("Images").type(60)
    form.field("Training").field("Max Epochs").type(2)


def counted(operator: Operator) -> dict[str, tuple[str, int, str]]:
    """Return name, starts and state of every flow run."""
    return {
        run["id"]: (run["name"], run["run_count"], run["state_name"])
        for run in operator.everything("flow_runs")
    }


def tasks_of(operator: Operator, flow_run: str) -> dict[str, str]:
    """Return the state of each task of a flow run, by its name up to a dash."""
    below = {"flow_runs": {"id": {"any_": [flow_run]}}}
    found = operator.post("task_runs/filter", below)
    return {task["name"].partition("-")[0]: task["state_name"] for task in found}


def test_the_parameters_are_a_form(ui: Ui) -> None:
    with ui.step("form"):
        form = ui.custom_run("campaign")
        assert form.field("Name").input.input_value() == "tiny"
        assert form.field("Name").description.startswith("name of the run and of its folder")
        assert form.field("Seed").input.get_attribute("type") == "number"
        assert form.field("Execution").options() == ["local", "work-pool"]
        assert form.field("Data").field("Kind").options() == [
            "folder",
            "digits",
            "stream",
            "inbox",
        ]
        titles = ui.page.locator("form label").all_inner_texts()
        first = ["Run Name", "config", "Name", "Seed (Optional)", "Seeds (Optional)"]
        assert titles[: len(first)] == first
        assert not [title for title in titles if title.startswith("Field")]
        assert ui.page.locator("form .cm-editor").count() == 0  # a box for JSON
    with ui.step("form-methods"):
        methods = form.field("Methods")
        [method] = methods.items
        expect(method.field("Kind").chosen).to_have_text("iqr")
        assert {"true-random", "bin-quintile", "user"} < set(method.field("Kind").options())


def test_a_wrong_value_is_told_in_the_form(ui: Ui) -> None:
    with ui.step("form-refused"):
        form = ui.custom_run("campaign")
        form.field("Data").field("Kind").choose("folder")
        ui.page.get_by_role("button", name="Submit").click()
        told = ui.page.get_by_text("'root' is a required property").first
        expect(told).to_be_visible()
        told.scroll_into_view_if_needed()


def test_a_run_is_started_from_the_form_and_its_artifacts_are_seen(
    ui: Ui, operator: Operator
) -> None:
    with ui.step("form-filled"):
        form = ui.custom_run("campaign")
        make_small(form, "first")
    with ui.step("started"):
        ui.submit()
    config = operator.get(f"flow_runs/{ui.run_id}")["parameters"]["config"]
    assert (config["name"], config["training"]["max_epochs"]) == ("first", 2)
    assert config["data"] == {"kind": "digits", "images": 60, "size_px": 64}
    assert config["methods"] == [{"kind": "iqr"}]
    with ui.step("completed"):
        assert ui.ended(PATIENCE_S) == "Completed"
    run = ui.run_id
    with ui.step("artifact-curves"):
        ui.open_artifact("first")
        expect(ui.drawing).to_be_visible()
        assert ui.drawing.evaluate("image => image.naturalWidth") > 300
        expect(ui.page.get_by_role("cell", name="iqr").first).to_be_visible()
    with ui.step("artifact-table"):
        ui.open_run(run)
        ui.open_artifact("first-summary")
        expect(ui.page.get_by_role("cell", name="iqr")).to_be_visible()
    with ui.step("artifact-of-a-round"):
        ui.open_run(operator.children(run)["first-iqr"]["id"])
        ui.open_artifact("first-iqr")
        expect(ui.page.get_by_role("heading", name="iqr, batch 0")).to_be_visible()
        expect(ui.drawing).to_be_visible()


def test_retry_runs_again_what_failed_and_nothing_else(
    ui: Ui, operator: Operator, broken: Path
) -> None:
    broken.write_text("1")
    with ui.step("form-own-method"):
        form = ui.custom_run("campaign")
        make_small(form, "second")
        form.field("Batches").field("Count").type(2)
        own = form.field("Methods").add_item()
        own.field("Kind").choose("user")
        own.field("Stratify").choose("true")
        own.field("Code").type("flaky:flaky")
    ui.submit()
    methods = operator.get(f"flow_runs/{ui.run_id}")["parameters"]["config"]["methods"]
    assert methods[1] == {"kind": "user", "stratify": True, "code": "flaky:flaky"}
    with ui.step("completed-with-failures"):
        assert ui.ended(PATIENCE_S) == "CompletedWithFailures"
    parent = ui.run_id
    children = operator.children(parent)
    before = counted(operator)
    with ui.step("failed-method"):
        ui.tab("Subflow Runs").click()
        ui.follow("second-flaky")
        assert ui.ended(10) == "Failed"
        expect(ui.page.get_by_text("the licence server does not answer").first).to_be_visible()

    broken.unlink()
    with ui.step("retried-method"):
        ui.retry()
        assert ui.ended(PATIENCE_S) == "Completed"
    flaky = children["second-flaky"]["id"]
    after = counted(operator)
    assert {key: after[key] for key in before if after[key] != before[key]} == {
        flaky: ("second-flaky", 2, "Completed")
    }
    batches = {after[key][0]: key for key in after if key not in before}
    assert set(batches) == {"batch-flaky-0", "batch-flaky-1"}
    assert set(tasks_of(operator, batches["batch-flaky-0"]).values()) == {"Cached"}
    again = tasks_of(operator, batches["batch-flaky-1"])
    assert (again["inference"], again["training"]) == ("Cached", "Completed")

    with ui.step("retried-campaign"):
        ui.open_run(parent)
        ui.retry()
        assert ui.ended(PATIENCE_S) == "Completed"
    at_last = counted(operator)
    assert set(at_last) == set(after)
    changed = {key: at_last[key] for key in after if at_last[key] != after[key]}
    assert changed == {parent: ("second", 2, "Completed")}
    with ui.step("artifact-after-retry"):
        ui.open_artifact("second-summary")
        expect(ui.page.get_by_role("cell", name="flaky")).to_be_visible()
