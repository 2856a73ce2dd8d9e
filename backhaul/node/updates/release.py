"""What home publishes for a group of nodes: a model, and how they choose, as data."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from backhaul.link.settings import Allowance, Link
from backhaul.node.policies import AnyPolicy
from backhaul.node.settings import NodeConfig
from backhaul.node.updates.errors import RefusedError
from backhaul.randomness import generator
from backhaul.settings import Part, PositiveInt, Probability
from backhaul.untrusted import one_line

FORMAT: Final = 1
"""Of a release; an agent refuses a greater one."""
MOST_BYTES = 1_000_000
"""Of a release."""
MOST_PROBE_BYTES = 20_000_000

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PublishedFile(Part):
    """A file that is published beside a release.

    Args:
        sha256: Digest of its bytes.
        bytes: Its size.
    """

    sha256: Digest
    bytes: PositiveInt


class Budget(Part):
    """What a node may send when; what is left out stays as the node has it."""

    uplink_kbit_s: float | None = Field(None, ge=0.01, description="see link.uplink_kbit_s")
    hours: tuple[str, ...] | None = Field(None, description="see link.hours")
    minutes_an_hour: int | None = Field(None, ge=1, le=60, description="see the link")
    allowances: tuple[Allowance, ...] | None = Field(None, description="see link.allowances")

    def applied_to(self, link: Link) -> dict[str, Any]:
        """Return the fields of a link that goes by this budget, not yet checked."""
        return link.model_dump() | self.model_dump(exclude_none=True)


class Choice(Part):
    """How the nodes of a group choose, as in a file POLICY.yaml; null = as each node has it."""

    policies: tuple[AnyPolicy, ...] | None = Field(
        None, min_length=1, max_length=8, description="see policies of a node"
    )
    budget: Budget | None = Field(None, description="what nodes may send when")


class Release(Choice):
    """What is published for a group.

    Args:
        format: Version of its form.
        name: What people call the model.
        model: The model.
        probe: Images with what the model finds in them.
        cohort: Share of the nodes of the group that take the model.
    """

    format: Literal[1] = FORMAT
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    model: PublishedFile
    probe: PublishedFile
    cohort: Probability = 1.0

    def includes(self, node: str) -> bool:
        """Return whether a node is in the cohort; see `in_cohort`."""
        return in_cohort(self.model.sha256, node, self.cohort)


def in_cohort(model: str, node: str, cohort: float) -> bool:
    """Return whether a node takes a model: a greater share has the nodes of a lesser.

    Args:
        model: Digest of the model, by which nodes are drawn anew for each.
        node: Name of the node.
        cohort: Share of the nodes that take it, in [0, 1].
    """
    return bool(generator(0, "cohort", model, node).random() < cohort)


def release_place(group: str) -> str:
    """Return the name of the target with the release of a group."""
    return f"groups/{group}/release.json"


def model_place(sha256: str) -> str:
    """Return the name of the target with a model."""
    return f"models/{sha256}.onnx"


def probe_place(sha256: str) -> str:
    """Return the name of the target with probe images."""
    return f"probes/{sha256}.json"


def release_of(data: bytes) -> Release:
    """Return a release as it is published.

    Raises:
        RefusedError: If this agent cannot do all that it says.
    """
    try:
        fields = json.loads(data)
        found = fields["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RefusedError("its release is no JSON with a format") from None
    if isinstance(found, int) and found > FORMAT:
        raise RefusedError(
            f"its release has format {found}, and this agent knows {FORMAT}: "
            "a newer Backhaul published it"
        )
    try:
        return Release.model_validate(fields)
    except ValidationError as error:
        raise RefusedError(f"its release: {_first(error)}") from None


def require_choice(config: NodeConfig, choice: Choice) -> NodeConfig:
    """Return how a node is set up that chooses as a release says.

    Raises:
        RefusedError: If it would choose nothing.
    """
    fields = config.model_dump()
    if choice.policies is not None:
        fields["policies"] = choice.policies
    if choice.budget is not None:
        fields["link"] = choice.budget.applied_to(config.link)
    try:
        return NodeConfig.model_validate(fields)
    except ValidationError as error:
        raise RefusedError(f"its release: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    key = one_line(".".join(str(part) for part in first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{key}: is no key that this agent knows"
    return one_line(f"{key}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": "))
