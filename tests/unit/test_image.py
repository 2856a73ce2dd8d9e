"""The image and the lock of what it installs; nothing here needs a daemon or the network."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|AUTH_STRING|ACCESS_KEY|API_KEY")


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
    "digests": lambda _, text: (
        "pip install" in text
        and "--require-hashes" not in text
        and not {"--no-deps", "--no-build-isolation"} <= set(text.split())
    ),
}


def unpinned(steps: list[tuple[str, str]]) -> bool:
    """Whether a stage starts from an image without a tag that stays what it is."""
    values = dict(text.split("=", 1) for name, text in steps if name == "ARG")
    bases = [text.split(" AS ")[0] for name, text in steps if name == "FROM"]
    digest = "${BASE_DIGEST:+@${BASE_DIGEST}}"
    if not all(base.endswith(digest) for base in bases):
        return True
    images = [
        re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], base.removesuffix(digest))
        for base in bases
    ]
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


DOCKERFILE = (ROOT / "deployments" / "Dockerfile").read_text()


def test_the_dockerfile_has_no_problems() -> None:
    assert problems(DOCKERFILE) == set()


@pytest.mark.parametrize(
    ("problem", "old", "new"),
    [
        ("secret", "PYTHONUNBUFFERED=1", "AWS_SECRET_ACCESS_KEY=x"),
        ("secret", 'ARG TORCH_INDEX=""', "ARG INDEX_TOKEN=x"),
        ("add", "COPY pyproject.toml README.md", "ADD pyproject.toml README.md"),
        ("unpinned", "python:3.11-slim-bookworm\n", "python\n"),
        ("unpinned", "python:3.11-slim-bookworm\n", "python:latest\n"),
        ("recommends", "--no-install-recommends ", ""),
        ("lists", "rm -rf /var/lib/apt/lists/*", "true"),
        ("unpinned", "FROM ${BASE}${BASE_DIGEST:+@${BASE_DIGEST}} AS", "FROM ${BASE} AS"),
        ("pip-cache", "--no-cache-dir --require-hashes", "--require-hashes"),
        ("digests", "--require-hashes ", ""),
        ("digests", "--no-deps ", ""),
        ("digests", "--no-build-isolation ", ""),
        ("root", "USER 1000\n", ""),
        ("root", "USER 1000\n", "USER 1000\nUSER root\n"),
        ("cache", "WORKDIR /work\n", "RUN pip install --no-cache-dir --require-hashes x\n"),
    ],
)
def test_the_checks_of_the_dockerfile_see_problems(problem: str, old: str, new: str) -> None:
    assert old in DOCKERFILE
    assert problems(DOCKERFILE.replace(old, new)) == {problem}


def test_the_image_gets_the_source_and_nothing_else() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().split() if line[0] in "*!"]
    assert rules[0] == "*"  # what is not named stays outside: keys, runs, data
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert [name for name in kept if not list(ROOT.glob(name))] == []
    assert {"backhaul", "blocks", "flows", "tasks", "prefect.yaml"} <= kept
    copied = [text for name, text in instructions(DOCKERFILE) if name == "COPY"]
    sources = {
        source.split("/")[0]
        for text in copied
        if not text.startswith("--from")
        for source in text.split()[:-1]
    }
    assert sources - {".", "${LOCK}"} <= kept
    assert ("ARG", "LOCK=requirements.lock") in instructions(DOCKERFILE)
    assert "requirements*.lock" in kept


# The lock


def pinned(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE))


def test_the_lock_has_the_versions_of_the_tests_and_a_digest_of_each() -> None:
    text = (ROOT / "requirements.lock").read_text()
    lock, tested = pinned(ROOT / "requirements.lock"), pinned(ROOT / "constraints.txt")
    assert {name: v for name, v in lock.items() if tested.get(name, v) != v} == {}
    assert {"torch", "prefect", "ultralytics", "hatchling", "editables"} <= set(lock)
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(lock)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=)", text, re.MULTILINE)


def test_the_lock_has_all_that_the_image_needs() -> None:
    lock = {name.lower().replace("_", "-") for name in pinned(ROOT / "requirements.lock")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *project_build()]
    wanted += [
        each for extra in ("train", "report", "server", "mlflow") for each in extras[extra]
    ]
    names = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in wanted}  # type: ignore[index]
    assert names - lock == set()


def project_build() -> list[str]:
    system = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    return list(system["requires"])
