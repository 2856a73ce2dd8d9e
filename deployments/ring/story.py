"""What happens in the ring, step by step, and told as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from backhaul.annotation.labelstudio.client import LabelStudio
from backhaul.data.digits import NAMES
from backhaul.values.labels import Labels
from deployments.ring.annotators import Answers, Desk, careful
from deployments.ring.nodes import Agent
from deployments.ring.site import NAME, Site, wait_until

Tell = Callable[[str], None]
"""Says a line to whoever watches."""
FRAMES = 40
"""Pictures that each camera takes in a turn."""
ONE_AT_A_TIME: Mapping[str, Any] = {"accept": {"kind": "gate", "min_gain": 0.9}}
"""Changes to the campaign with which hours accept no other model."""
MOST_TURNS = 6
"""Turns after which a version on probation has to be decided on."""


class Story:
    """The ring as it goes on.

    Args:
        site: Home and its nodes.
        tell: Says what happens.
        running: Ends, when it is closed, what this starts.
    """

    def __init__(self, site: Site, tell: Tell, running: ExitStack) -> None:
        self.site, self.tell, self._running = site, tell, running
        labelling = site.stack.labelling
        assert labelling is not None  # noqa: S101 - the ring's stack has one
        server = running.enter_context(LabelStudio(labelling.address, labelling.token))
        self.desk = Desk(server, site.scenes)
        self.agents: dict[str, Agent] = {}
        self.turns = 0

    def first_model(self) -> None:
        """Train the first model, which becomes the champion and is published."""
        self.site.begin()
        self.hour("trains the first model and publishes it")

    def start_nodes(self) -> None:
        """Enrol the nodes, each with keys of its own, and start their agents."""
        for node in self.site.plan.nodes:
            agent = self.agents[node] = self.site.enrol(node)
            if not agent.running:
                agent.start()
            self._running.callback(agent.stop)
            self.tell(f"{node}: enrolled, fetched the published model, looks at frames")

    def hour(self, what: str, **changes: Any) -> Mapping[str, Any]:
        """Let home play an hour, and return the state in which it ended."""
        state = self.site.hour(**changes)
        self.tell(f"hour: {what}: {state['name']}: {state['message'] or ''}")
        return state

    def turn(self) -> None:
        """Let the cameras take pictures, and wait until what nodes chose is at home."""
        number, site = self.turns, self.site
        site.take_pictures(number, FRAMES)
        self.turns += 1
        for node in site.plan.nodes:
            has_sent = partial(site.has_sent, node, self.turns * FRAMES)
            wait_until(has_sent, f"{node} has sent what it chose")
        totals = [site.told(node)["totals"] for node in site.plan.nodes]
        seen, sent = (sum(each[what] for each in totals) for what in ("seen", "sent"))
        self.tell(f"turn {number + 1}: cameras took {seen} pictures so far, nodes sent {sent}")

    def round(self, answers: Answers = careful, **changes: Any) -> Mapping[str, Any]:
        """Play a round: pictures, labels, a better model and its decision; return its version.

        Args:
            answers: What the person makes of what is to be labelled.
            changes: Fields of the campaign that are other this time.
        """
        self.turn()
        self.hour("takes in what arrived, and asks for labels", **changes)
        n_labelled = self.desk.label(answers)
        self.tell(f"label: {n_labelled} images were labelled in Label Studio")
        self.hour("takes the labels, trains, and decides", **changes)
        last = self.site.versions()[-1]
        decided = last["decided"] or {}
        self.tell(f"version {last['version']}: {last['state']}: {decided.get('reason', '')}")
        return last

    def until_decided(self, version: int) -> str:
        """Let frames be labelled until a version on probation is promoted or taken back.

        Rounds go on meanwhile, but none of their models is accepted, so that one is on its way
        at a time.
        """
        name = f"{NAME}@{version}"
        wait_until(lambda: self.who_runs(name), f"a node runs {name}", 120)
        self.tell(f"{name} runs on {', '.join(self.who_runs(name))}")
        for _ in range(MOST_TURNS):
            state = self.state_of(version)
            if state != "canary":
                break
            self.round(**ONE_AT_A_TIME)
        self.tell(f"version {version} on the nodes: {self.state_of(version)}")
        return self.state_of(version)

    def who_runs(self, name: str) -> list[str]:
        """Return the nodes that run the model of a version."""
        fleet = json.loads(self.site.home("fleet", "--store", self.site.address, "--json"))
        return [n["name"] for n in fleet if str(n["version"]).partition(" ")[0] == name]

    def state_of(self, version: int) -> str:
        """Return what became of a version."""
        [found] = [v for v in self.site.versions() if v["version"] == version]
        return str(found["state"])


def careless(
    picture: Path, truth: Labels, shown: Labels, rng: np.random.Generator
) -> tuple[Labels, float]:
    """Return boxes and classes at random: what a model learns of these makes it worse."""
    n_boxes = max(1, len(truth))
    centre = rng.uniform(0.2, 0.8, (n_boxes, 2))
    size = rng.uniform(0.1, 0.3, (n_boxes, 2))
    return Labels(rng.integers(0, len(NAMES), n_boxes), np.hstack([centre, size])), 1.0
