"""Build the pages of the documentation, and check that none of their links leads nowhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deployments/README.md", "docs")
ASSETS = (Path("docs/site/iframe-worker.js"),)
SOURCES = Path("build/site")  # where zensical.toml says that the pages lie
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
_OTHER_PLACE = re.compile(r"[a-z][a-z+.-]*:|#|//")


class BrokenLinkError(ValueError):
    """A link of a page to a file that is not there."""


def pages(root: Path) -> Iterator[Path]:
    """Yield the pages below a checkout, relative to it."""
    for place in PAGES:
        found = root / place
        yield from (
            path.relative_to(root)
            for path in (sorted(found.rglob("*.md")) if found.is_dir() else [found])
        )


def gather(root: Path, target: Path) -> None:
    """Put the pages, and the files that they lead to, beside one another into a new folder.

    They lie there as they do in a checkout, so that the links of a page are right in both.

    Args:
        root: The checkout.
        target: The folder; what was there before is removed.

    Raises:
        BrokenLinkError: If a page leads to a file that is not there.
    """
    shutil.rmtree(target, ignore_errors=True)
    found = {*ASSETS, *pages(root)}
    for page in pages(root):
        found.update(_linked(root, page))
    for place in sorted(found):
        copy = target / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / place, copy)


def _linked(root: Path, page: Path) -> Iterator[Path]:
    for link in _LINK.findall((root / page).read_text(encoding="utf-8")):
        if _OTHER_PLACE.match(link):
            continue
        place = ((root / page).parent / link.partition("#")[0]).resolve()
        if not place.is_file() or root not in place.parents:
            raise BrokenLinkError(f"{page}: {link}: expected a file of this project")
        yield place.relative_to(root)


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site into `site/` of a folder that has zensical.toml.

    Raises:
        BrokenLinkError: If a page leads to a file that is not there. Of links to pages and to
            their parts, what builds it says so.
    """
    gather(HERE, folder / SOURCES)
    zensical = str(Path(sys.executable).with_name("zensical"))
    command = [zensical, "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main() -> int:
    """Build the site of this checkout; return 0, or 2 if a link leads nowhere."""
    try:
        built = build(HERE)
    except BrokenLinkError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if built.returncode:
        sys.stderr.write(built.stdout + built.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
