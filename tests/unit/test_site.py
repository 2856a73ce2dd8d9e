"""The site of the documentation is whole, and asks nothing of other machines."""

import shutil
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deployments.site import HERE, BrokenLinkError, build, gather, pages

CONFIG = "zensical.toml"
FETCHED = {"src", "srcset", "poster", "data"}
ANY_PLACE = ("http:", "https:", "//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copyfile(HERE / CONFIG, folder / CONFIG)
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


def entries(nav: Any) -> Iterator[str]:
    """Yield the pages of the navigation."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from entries(part)


def test_every_page_is_in_the_navigation() -> None:
    config = tomllib.loads((HERE / CONFIG).read_text())
    listed = list(entries(config["project"]["nav"]))
    assert sorted(listed) == sorted(page.as_posix() for page in pages(HERE))


class Loads(HTMLParser):
    """What a page fetches by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name in FETCHED or (tag == "link" and name == "href")):
                self.places.append(value)


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    found = sorted(site.rglob("*.html"))
    assert len(found) > len(list(pages(HERE)))
    for page in found:
        places = Loads(page.read_text()).places
        assert places
        assert [place for place in places if place.startswith(ANY_PLACE)] == []
        local = (place.partition("?")[0] for place in places if not place.startswith("data:"))
        if page.name != "404.html":  # which is shown under any address
            assert all((page.parent / place).exists() for place in local)
    styles = "".join(sheet.read_text() for sheet in site.rglob("*.css"))
    assert "url(http" not in styles
    assert "@import" not in styles


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deployments/README.md"):
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text("[a](https://example.org) [b](#here) ![c](a.svg)\n")
        (root / page).with_name("a.svg").write_text("<svg/>")
    (root / "docs" / "site").mkdir(parents=True)
    (root / "docs" / "site" / "iframe-worker.js").write_text("")
    (root / "docs" / "a.md").write_text("[b](../deployments/README.md#part)")
    gather(root, tmp_path / "gathered")
    assert (tmp_path / "gathered" / "deployments" / "a.svg").exists()
    for link in ("b.md", "../../outside.md", "../deployments"):
        (root / "docs" / "a.md").write_text(f"[b]({link})")
        with pytest.raises(BrokenLinkError, match=r"docs/a\.md: .*: expected a file"):
            gather(root, tmp_path / "gathered")


def test_a_link_to_no_part_of_a_page_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "build" / "site"
    docs.mkdir(parents=True)
    (docs / "index.md").write_text("# Here\n\n[there](#there)\n")
    (tmp_path / CONFIG).write_text('[project]\nsite_name = "a"\ndocs_dir = "build/site"\n')
    from deployments import site as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "gather", lambda root, target: None)
        built = build(tmp_path)
    assert built.returncode != 0
