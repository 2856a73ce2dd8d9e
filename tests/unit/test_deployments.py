"""The files of deployments/ are valid, hold no secrets, and agree with each other.

Nothing here needs a daemon, a cluster or the network.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.schema_tools.validation import is_valid_schema, validate
from prefect.utilities.templating import apply_values, find_placeholders

from deployments.local.access import Access
from flows.server import health
from tests.unit.test_image import DOCKERFILE, ROOT, SECRET, instructions

DEPLOYMENTS = ROOT / "deployments"
UNITS = sorted((DEPLOYMENTS / "systemd").glob("*.service"))
POSTGRES_NEEDS = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
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
    units = set(re.findall(r"backhaul-(?:server|worker|node)[\w-]*@?", guide))
    known = {unit.stem for unit in UNITS}
    assert units - {"backhaul-worker", "backhaul-worker-"} == known


def test_doctor_asks_for_all_deployments() -> None:
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {each["name"] for each in deployed} == set(health.DEPLOYMENTS)


# compose.yaml


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text()))


def test_services_can_be_started(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        own = "build" in service
        tagged = re.fullmatch(r".+:[\w.-]*\d[\w.-]*\$\{(\w+):\+@\$\1\}", service["image"])
        assert own or (tagged and tagged[1].endswith("_DIGEST")), name
        for mount in service.get("volumes", []):
            assert mount.split(":")[0] in compose["volumes"], name
    builds = [s["build"] for s in compose["services"].values() if "build" in s]
    for build in builds:
        context = (DEPLOYMENTS / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()
        assert all(f"ARG {name}" in DOCKERFILE for name in build["args"])


def test_services_have_few_rights(compose: dict[str, Any]) -> None:
    needed = {"seaweedfs": {"DAC_OVERRIDE"}, "postgres": POSTGRES_NEEDS}
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("cap_add", [])) == needed.get(name, set()), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108 - not a file of ours
        assert not {"privileged", "network_mode", "pid", "ipc"} & set(service), name


def test_each_container_has_the_secrets_that_it_needs(compose: dict[str, Any]) -> None:
    has = {
        name: {key for key in service.get("environment", {}) if SECRET.search(key)}
        for name, service in compose["services"].items()
    }
    store = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert has.pop("postgres") == {"POSTGRES_PASSWORD"}
    assert has.pop("keys") == store
    assert has.pop("seaweedfs") == set()
    assert has.pop("server") == {
        "PREFECT_SERVER_API_AUTH_STRING",
        "PREFECT_SERVER_DATABASE_PASSWORD",
    }
    assert set(map(frozenset, has.values())) == {frozenset(store | {"PREFECT_API_AUTH_STRING"})}


def test_the_side_ports_of_the_object_store_are_closed(compose: dict[str, Any]) -> None:
    service = compose["services"]["seaweedfs"]
    assert {"-disableHttp", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"} <= set(service["command"])
    files = Access(Path("/keys")).environment
    assert service["environment"] == {n: v for n, v in files.items() if "JWT" not in n}
    assert "keys:/keys:ro" in service["volumes"]
    assert "keys" in service["depends_on"]
    readers = [n for n, s in compose["services"].items() if "keys:" in str(s.get("volumes"))]
    assert readers == ["keys", "seaweedfs"]


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
    lasting = [service for name, service in services.items() if name not in {"init", "keys"}]
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
    (file,) = (Path(path.removeprefix("-")) for path in found["EnvironmentFile"])
    assert file.parent == Path("/etc/backhaul")
    assert (DEPLOYMENTS / "systemd" / f"{file.name}.example").is_file()


@pytest.mark.parametrize(
    ("login", "starts"), [("", False), (":", False), ("admin:", False), ("admin:x", True)]
)
def test_a_server_without_a_login_does_not_start(login: str, starts: bool) -> None:
    (check,) = directives(DEPLOYMENTS / "systemd" / "backhaul-server.service")["ExecStartPre"]
    program, option, script = shlex.split(check.replace("$$", "$"))
    environment = {"PREFECT_SERVER_API_AUTH_STRING": login}
    done = subprocess.run(
        [program, option, script], env=environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode == 0) is starts
    assert starts or "expected NAME:PASSWORD" in done.stderr


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
        ours = "/opt/backhaul/.venv/bin/(prefect|backhaul)"
        text = re.sub(ours, "/bin/true", unit.read_text())
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
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert ("USER", str(pod["securityContext"]["runAsUser"])) in instructions(DOCKERFILE)
    volumes = {volume["name"]: volume["emptyDir"] for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts["/dev/shm"]["medium"] == "Memory"  # noqa: S108 - not a file of ours
    assert ("WORKDIR", "/work") in instructions(DOCKERFILE)
    assert {"/work", "/tmp", "/home/backhaul"} <= set(mounts)  # noqa: S108


def test_the_template_names_no_value_of_a_secret(template: dict[str, Any]) -> None:
    environment = template["variables"]["properties"]["env"]
    assert "default" not in environment
    assert not SECRET.search(json.dumps(template["job_configuration"]))
