"""The files of deployments/ are valid, hold no secrets, and agree with each other.

Nothing here needs a daemon, a cluster or the network.
"""

import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.schema_tools.validation import is_valid_schema, validate
from prefect.utilities.templating import apply_values, find_placeholders

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = ROOT / "deployments"
UNITS = sorted((DEPLOYMENTS / "systemd").glob("*.service"))
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|AUTH_STRING|ACCESS_KEY|API_KEY")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)")


def settings(path: Path) -> dict[str, str]:
    """Return the settings of a file of NAME=value lines, those in comments too."""
    return dict(
        re.findall(r"^(?:# )?([A-Z_]+[A-Z0-9_]*)=(.*)$", path.read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize(
    "path",
    [DEPLOYMENTS / "env.example", *sorted((DEPLOYMENTS / "systemd").glob("*.example"))],
    ids=lambda path: path.name,
)
def test_examples_of_settings_leave_secrets_empty(path: Path) -> None:
    secrets = {name: value for name, value in settings(path).items() if SECRET.search(name)}
    assert secrets
    assert set(secrets.values()) == {""}


def test_the_guide_names_files_that_are_there() -> None:
    guide = (DEPLOYMENTS / "README.md").read_text()
    named = set(re.findall(r"deployments/[\w./@-]*\w", guide)) - {"deployments/.env"}
    assert len(named) > 4
    assert [name for name in named if not (ROOT / name).exists()] == []
    units = set(re.findall(r"backhaul-(?:server|worker)[\w-]*@?", guide))
    known = {unit.stem for unit in UNITS}
    assert units - {"backhaul-worker", "backhaul-worker-"} == known


# Dockerfile


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return instructions and their arguments; continued lines are joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), arguments) for name, arguments in pairs]


Rule = Callable[[str, str], bool]
RULES: dict[str, Rule] = {  # what to object to in an instruction and its arguments
    "secret": lambda name, text: name in {"ARG", "ENV"} and bool(SECRET.search(text)),
    "add": lambda name, _: name == "ADD",
    "recommends": lambda _, text: (
        "apt-get install" in text and "--no-install-recommends" not in text
    ),
    "lists": lambda _, text: (
        "apt-get install" in text and "rm -rf /var/lib/apt/lists/*" not in text
    ),
    "pip-cache": lambda _, text: "pip install" in text and "--no-cache-dir" not in text,
    "versions": lambda _, text: "pip install" in text and "-c constraints.txt" not in text,
}


def unpinned(steps: list[tuple[str, str]]) -> bool:
    """Whether a stage starts from an image without a tag that stays what it is."""
    values = dict(text.split("=", 1) for name, text in steps if name == "ARG")
    bases = [text.split(" AS ")[0] for name, text in steps if name == "FROM"]
    images = [re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], base) for base in bases]
    return not all(re.search(r":(?!latest$)[\w.-]+$", image) for image in images)


def runs_as_root(steps: list[tuple[str, str]]) -> bool:
    """Whether the last stage ends as root."""
    user = "root"
    for name, text in steps:
        if name in {"FROM", "USER"}:
            user = text if name == "USER" else "root"
    return user in {"root", "0"}


def installs_after_source(steps: list[tuple[str, str]]) -> bool:
    """Whether a change of the source would install all packages again."""
    source = steps.index(("COPY", ". /opt/backhaul"))
    return any("pip install" in text for _, text in steps[source:])


def problems(dockerfile: str) -> set[str]:
    """Return what a careful reader would object to in a Dockerfile."""
    steps = instructions(dockerfile)
    found = {rule for rule, wrong in RULES.items() if any(wrong(*step) for step in steps)}
    checks = {"unpinned": unpinned, "root": runs_as_root, "cache": installs_after_source}
    return found | {rule for rule, wrong in checks.items() if wrong(steps)}


DOCKERFILE = (DEPLOYMENTS / "Dockerfile").read_text()


def test_the_dockerfile_has_no_problems() -> None:
    assert problems(DOCKERFILE) == set()


@pytest.mark.parametrize(
    ("problem", "old", "new"),
    [
        ("secret", "PYTHONUNBUFFERED=1", "AWS_SECRET_ACCESS_KEY=x"),
        ("secret", 'ARG TORCH_INDEX=""', "ARG INDEX_TOKEN=x"),
        ("add", "COPY constraints.txt ./", "ADD https://example.com/constraints.txt ./"),
        ("unpinned", "python:3.11-slim-bookworm\n", "python\n"),
        ("unpinned", "python:3.11-slim-bookworm\n", "python:latest\n"),
        ("recommends", "--no-install-recommends ", ""),
        ("lists", "rm -rf /var/lib/apt/lists/*", "true"),
        ("pip-cache", "--no-cache-dir -c constraints.txt -e", "-c constraints.txt -e"),
        ("versions", "-c constraints.txt -e", "-e"),
        ("root", "USER 1000\n", ""),
        ("root", "USER 1000\n", "USER 1000\nUSER root\n"),
        ("cache", "WORKDIR /work\n", "RUN pip install --no-cache-dir -c constraints.txt x\n"),
    ],
)
def test_the_checks_of_the_dockerfile_see_problems(problem: str, old: str, new: str) -> None:
    assert old in DOCKERFILE
    assert problems(DOCKERFILE.replace(old, new)) == {problem}


def test_the_image_gets_the_source_and_nothing_else() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().split() if line[0] in "*!"]
    assert rules[0] == "*"  # what is not named stays outside: keys, runs, data
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert [name for name in kept if not (ROOT / name).exists()] == []
    assert {"backhaul", "blocks", "flows", "tasks", "prefect.yaml"} <= kept
    copied = [text for name, text in instructions(DOCKERFILE) if name == "COPY"]
    sources = {
        source.split("/")[0]
        for text in copied
        if not text.startswith("--from")
        for source in text.split()[:-1]
    }
    assert sources - {"."} <= kept


# compose.yaml


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text()))


def test_services_can_be_started(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        own = "build" in service
        assert own or re.search(r":(?!latest$)[\w.-]*\d", service["image"]), name
        for mount in service.get("volumes", []):
            assert mount.split(":")[0] in compose["volumes"], name
    builds = [s["build"] for s in compose["services"].values() if "build" in s]
    for build in builds:
        context = (DEPLOYMENTS / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()
        assert all(f"ARG {name}" in DOCKERFILE for name in build["args"])


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    services = compose["services"]
    waits = [
        (services[needed], wait["condition"])
        for service in services.values()
        for needed, wait in service.get("depends_on", {}).items()
    ]
    assert {condition for _, condition in waits} == {
        "service_healthy",
        "service_completed_successfully",
    }
    for needed, condition in waits:
        if condition == "service_healthy":
            assert "test" in needed["healthcheck"]
        else:  # it would never be complete if it were started again and again
            assert needed["restart"] == "no"
    lasting = [service for name, service in services.items() if name != "init"]
    assert all("healthcheck" in service for service in lasting)


def test_compose_holds_no_secret_and_documents_each_variable(compose: dict[str, Any]) -> None:
    found = 0
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value), (
                    name
                )  # must be set, has no default
                found += 1
    assert found > 5
    used = set(VARIABLE.findall((DEPLOYMENTS / "compose.yaml").read_text()))
    assert used == set(settings(DEPLOYMENTS / "env.example")) - {"COMPOSE_PROFILES"}


def test_a_worker_serves_each_pool_and_only_one_has_the_gpu(compose: dict[str, Any]) -> None:
    workers = {n: s for n, s in compose["services"].items() if n.startswith("worker")}
    pools = {n: s["command"][s["command"].index("--pool") + 1] for n, s in workers.items()}
    assert pools == {
        "worker-cpu": "cpu",
        "worker-hours": "cpu",
        "worker-gpu-0": "gpu",
        "worker-gpu-0-without-gpu": "gpu",
    }
    devices = {n: s["deploy"]["resources"] for n, s in workers.items() if "deploy" in s}
    assert list(devices) == ["worker-gpu-0"]
    assert devices["worker-gpu-0"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    gpu, trial = workers["worker-gpu-0"], workers["worker-gpu-0-without-gpu"]
    assert (gpu["profiles"], trial["profiles"]) == (["gpu"], ["no-gpu"])
    assert gpu["command"] == trial["command"]
    assert settings(DEPLOYMENTS / "env.example")["COMPOSE_PROFILES"] in {"gpu", "no-gpu"}


@pytest.mark.parametrize("there", [False, True])
def test_init_creates_what_is_not_there(
    compose: dict[str, Any], tmp_path: Path, *, there: bool
) -> None:
    for command in ("prefect", "python"):
        stub = tmp_path / command
        inspected = "exit 0" if there else "exit 1"
        stub.write_text(
            f'#!/bin/sh\necho "{command} $1 $2 $3 $4 $5" >> {tmp_path}/calls\n'
            f'[ "$2" = inspect ] && {inspected}; exit 0\n'
        )
        stub.chmod(0o755)
    init = compose["services"]["init"]
    script = init["command"][0].replace("$$", "$")  # as compose does
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GPUS": "2", "BUCKET": "b"}
    subprocess.run([*init["entrypoint"], script], env=environment, check=True)
    calls = (tmp_path / "calls").read_text()
    created = re.findall(r"^prefect (work-\w+ create [\w-]+)", calls, re.MULTILINE)
    wanted = [
        "work-pool create cpu",
        "work-pool create gpu",
    ]
    assert created == ([] if there else wanted)
    assert ("python -c import os, blocks" in calls) is not there
    assert "python -m flows.server.queues 2" in calls
    assert "prefect block register --module blocks" in calls
    assert calls.rstrip().endswith("prefect --no-prompt deploy --all")


# systemd


def directives(unit: Path) -> dict[str, list[str]]:
    """Return all values of each directive of a unit."""
    found = defaultdict(list)
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        found[name].append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_restart_and_have_few_rights(unit: Path) -> None:
    found = directives(unit)
    assert found["User"] == ["backhaul"]
    assert found["Restart"] == ["always"]
    assert found["StartLimitIntervalSec"] == ["0"]
    assert found["NoNewPrivileges"] == ["yes"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["ProtectHome"] == ["yes"]
    assert not SECRET.search(" ".join(found["Environment"] + found["ExecStart"]))
    (file,) = (Path(path) for path in found["EnvironmentFile"])
    assert file.parent == Path("/etc/backhaul")
    assert (DEPLOYMENTS / "systemd" / f"{file.name}.example").is_file()


def test_the_template_is_one_worker_a_gpu() -> None:
    found = directives(DEPLOYMENTS / "systemd" / "backhaul-worker-gpu@.service")
    assert "CUDA_VISIBLE_DEVICES=%i" in found["Environment"]
    (command,) = found["ExecStart"]
    assert "--pool gpu --work-queue hours --work-queue gpu-%i --work-queue default " in command
    assert command.endswith("--limit 1")
    assert found["KillMode"] == ["control-group"]  # a training dies with its worker
    assert "PrivateDevices" not in found  # it would hide the GPUs


ANALYZE = shutil.which("systemd-analyze")


def complaints(analyze: str, folder: Path) -> list[str]:
    """Return what systemd objects to in the units of a folder, if anything."""
    names = [str(unit).replace("@.", "@0.") for unit in sorted(folder.glob("*.service"))]
    verified = subprocess.run(
        [analyze, "verify", "--man=no", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in verified.stderr.splitlines() if "backhaul-" in line]


@pytest.mark.skipif(ANALYZE is None, reason="this machine has no systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    assert ANALYZE is not None
    for unit in UNITS:  # with a command that is there: the checkout is elsewhere here
        text = unit.read_text().replace("/opt/backhaul/.venv/bin/prefect", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    assert complaints(ANALYZE, tmp_path) == []
    wrong = tmp_path / "backhaul-server.service"
    wrong.write_text(wrong.read_text().replace("ProtectSystem=strict", "ProtectSystem=much"))
    assert "Failed to parse protect system value" in " ".join(complaints(ANALYZE, tmp_path))


# Kubernetes


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    path = DEPLOYMENTS / "kubernetes" / "base-job-template.json"
    return dict(json.loads(path.read_text()))


def test_variables_are_declared_and_all_are_used(template: dict[str, Any]) -> None:
    used = {
        placeholder.name for placeholder in find_placeholders(template["job_configuration"])
    }
    assert used == set(template["variables"]["properties"])


def test_defaults_obey_the_schema(template: dict[str, Any]) -> None:
    schema = template["variables"]
    is_valid_schema(schema)  # raises if not
    defaults = {
        name: variable["default"]
        for name, variable in schema["properties"].items()
        if "default" in variable
    }
    assert validate(defaults, schema, raise_on_error=False) == []
    assert validate({"gpus": -1}, schema, raise_on_error=False) != []


def test_a_job_asks_for_gpus_and_has_few_rights(template: dict[str, Any]) -> None:
    properties = template["variables"]["properties"]
    values = {name: variable.get("default") for name, variable in properties.items()}
    job = apply_values(template["job_configuration"], values)["job_manifest"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["envFrom"] == [{"secretRef": {"name": "backhaul-worker"}}]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert ("USER", str(pod["securityContext"]["runAsUser"])) in instructions(DOCKERFILE)
    volumes = {volume["name"]: volume["emptyDir"] for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts["/dev/shm"]["medium"] == "Memory"  # noqa: S108 - not a file of ours
    assert ("WORKDIR", "/work") in instructions(DOCKERFILE)
    assert "/work" in mounts


def test_the_template_names_no_value_of_a_secret(template: dict[str, Any]) -> None:
    environment = template["variables"]["properties"]["env"]
    assert "default" not in environment
    assert not SECRET.search(json.dumps(template["job_configuration"]))
