"""Two people in a real Label Studio, each with a personal token: they are told apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from deployments.local.label_studio import PERSON, LabelStudioServer
from tests.e2e.conftest import Place
from tests.e2e.edge import BATCH
from tests.e2e.test_label_studio import KEY, Site

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.train,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.timeout(1_200),
]

SECOND, PASSWORD = "second@backhaul.local", "long enough 9"


class Person:
    """Somebody who is logged in with a browser.

    Args:
        server: Where.
    """

    def __init__(self, server: LabelStudioServer) -> None:
        self.pages = httpx.Client(base_url=server.address, follow_redirects=True, timeout=60)

    def fill_in(self, path: str, **fields: str) -> None:
        """Send a form."""
        self.pages.get(path).raise_for_status()
        hidden = {"csrfmiddlewaretoken": self.pages.cookies["csrftoken"]}
        self.pages.post(path, data={**fields, **hidden}).raise_for_status()

    def personal_token(self) -> str:
        """Make a personal access token, as Account & Settings does."""
        made = self.pages.post("/api/token/")
        assert made.is_success, made.text
        return str(made.json()["token"])

    def access(self, token: str) -> dict[str, str]:
        """Return what the API is asked with."""
        answer = self.pages.post("/api/token/refresh/", json={"refresh": token})
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access']}"}


@pytest.fixture
def first(label_studio: LabelStudioServer) -> Iterator[Person]:
    person = Person(label_studio)
    with person.pages:
        person.fill_in("/user/login/", email=PERSON, password=label_studio.password)
        yield person


@pytest.fixture
def second(label_studio: LabelStudioServer, first: Person) -> Iterator[Person]:
    link = first.pages.get("/api/invite").raise_for_status().json()["invite_url"]
    person = Person(label_studio)
    with person.pages:
        person.fill_in(link, email=SECOND, password=PASSWORD)
        yield person


def test_an_image_waits_for_both_and_until_they_agree(
    new_place: Callable[[str], Place],
    label_studio: LabelStudioServer,
    first: Person,
    second: Person,
) -> None:
    two = {"annotators": 2, "min_agreement": 0.5}
    site = Site(new_place("people"), label_studio, "people", two)
    site.edge.drop("cam1", range(BATCH), labelled=False)
    tokens = first.personal_token(), second.personal_token()

    def call(*words: Any) -> Any:
        """Call a command in the name of the first, by the personal token."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(KEY, tokens[0])
            ended = site.place.backhaul(*words)
        assert tokens[0] not in ended.out + ended.err
        assert ended.code == 0, ended.err
        return ended

    assert "AwaitingLabels" in call("hourly", site.config, "--plain").out
    agreed, disputed, single, _ = site.desk.tasks("people")
    for task in (agreed, disputed, single):
        site.desk.submit(task, site.desk.shown(task))
    assert "labels of 0 images taken" in call("labels", "sync", "people").out
    access = second.access(tokens[1])
    for task, regions in ((agreed, site.desk.shown(agreed)), (disputed, [])):
        body = {"result": regions, "lead_time": 5.0}
        answer = second.pages.post(
            f"/api/tasks/{task['id']}/annotations/", json=body, headers=access
        )
        assert answer.is_success, answer.text
    said = call("labels", "sync", "people")
    assert "labels of 1 images taken, 3 images still wait" in said.out
    assert f"cam1/{disputed['data']['name']}: " in said.err
    taken = site.labelled[agreed["data"]["name"]]
    assert (taken.agreement, taken.seconds) == (1.0, 15.0)
    assert taken.annotator in {PERSON, SECOND}
    [told] = json.loads(call("labels", "status", "people", "--json").out)["labelled"]
    assert told["images"] == 1
