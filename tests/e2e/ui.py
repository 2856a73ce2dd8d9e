"""What a person does in Prefect's UI, for tests: log in, fill in a form, look, press Retry."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

FINAL = ("Completed", "Failed", "Crashed", "Cancelled", "CompletedWithFailures")
LAST_LINES = 40
ATTEMPTS = 5
A_MOMENT_MS = 3_000


def exactly(*texts: str) -> re.Pattern[str]:
    return re.compile(f"^({'|'.join(map(re.escape, texts))})$")


@dataclass(frozen=True)
class Form:
    """A part of the form of a deployment's parameters: the whole, or one of its fields."""

    part: Locator

    def field(self, title: str) -> "Form":
        """Return a field of this part, by its title; the first one of those titled so."""
        label = (
            f"//label[normalize-space()='{title}' or normalize-space()='{title} (Optional)']"
        )
        group = "xpath=.//div[contains(@class, 'group')]"
        return Form(self.part.locator(f"{group}[./div[1]{label}]").first)

    @property
    def items(self) -> list["Form"]:
        """The items of a list of parts."""
        return [Form(part) for part in self._items.all()]

    @property
    def _items(self) -> Locator:
        kind = ".//label[normalize-space()='Kind']"
        return self.part.locator(f"xpath={kind}/ancestor::div[contains(@class, 'group')][1]/..")

    @property
    def input(self) -> Locator:
        """Where its value is typed."""
        return self.part.locator("input, textarea").first

    @property
    def chosen(self) -> Locator:
        """The button with its value, where it is one of a list."""
        return self.part.get_by_role("button", name=re.compile("^Select ")).first

    @property
    def description(self) -> str:
        """What is told below its title."""
        return self.part.locator("p").first.inner_text()

    def type(self, value: object) -> None:
        """Replace its value."""
        self.input.fill(str(value))
        expect(self.input).to_have_value(str(value))

    def choose(self, value: str) -> None:
        """Choose one of its values from the list."""
        option = self.part.page.get_by_role("option", name=value, exact=True)
        for _ in range(ATTEMPTS):  # the list closes if the form is drawn anew meanwhile
            self.chosen.click()
            with suppress(PlaywrightTimeoutError):
                option.click(timeout=A_MOMENT_MS)
                break
            self.part.page.keyboard.press("Escape")
        expect(self.chosen).to_have_text(value)

    def options(self) -> list[str]:
        """Return the values of its list."""
        self.chosen.click()
        listed = self.part.page.get_by_role("option")
        listed.first.wait_for()
        options = listed.all_inner_texts()
        self.part.page.keyboard.press("Escape")
        expect(listed).to_have_count(0)
        return options

    def add_item(self) -> "Form":
        """Add an item to a list, and return it."""
        before = len(self.items)
        self.part.get_by_role("button", name="Add item").last.click()
        expect(self._items).to_have_count(before + 1)
        return self.items[-1]


@dataclass(frozen=True)
class Ui:
    """A browser window with the UI.

    Args:
        page: The window.
        address: URL of the server.
        pictures: Where what it looked like is kept, a picture a step.
        logs: What workers and server write, for the case that a step fails.
    """

    page: Page
    address: str
    pictures: Path
    logs: tuple[Path, ...]

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take a picture at the end; if the step fails, say where it is and what was logged."""
        try:
            yield
        except Exception as error:
            error.add_note(self._seen(f"{name}-failed"))
            for log in self.logs:
                lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
                error.add_note("\n".join([f"--- {log}", *lines]))
            raise
        self.picture(name)

    def _seen(self, name: str) -> str:
        try:
            wrong = self.page.locator("[class*=text-red], [class*=text-destructive]")
            told = "; ".join(filter(None, wrong.all_inner_texts()))
            return f"{self.page.url.split('?')[0]}\nseen: {self.picture(name)}\nsaid: {told}"
        except PlaywrightError as error:
            return f"no picture: {error}"

    def picture(self, name: str) -> Path:
        """Keep what the window shows now."""
        number = len(list(self.pictures.iterdir()))
        path = self.pictures / f"{number:02d}-{name}.png"
        self.page.screenshot(path=path)
        return path

    def log_in(self, login: str) -> None:
        """Answer the prompt."""
        self.page.locator("input[type=password]").fill(login)
        self.page.get_by_role("button", name="Login").click()

    def open(self, name: str) -> None:
        """Open one of the pages that the bar on the left lists."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def custom_run(self, deployment: str) -> Form:
        """Open the form with which a deployment is run with other parameters."""
        self.open("Deployments")
        self.page.get_by_role("link", name=deployment, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        form = Form(self.page.locator("form"))
        form.field("config").field("Evaluation").input.wait_for()  # its last part
        return form.field("config")

    def submit(self) -> None:
        """Send the form, and go to the flow run."""
        self.page.get_by_role("button", name="Submit").click()
        self.page.get_by_role("button", name="View run").click()
        self.page.wait_for_url("**/runs/flow-run/**")
        self.tab("Details").wait_for()

    @property
    def run_id(self) -> str:
        """The flow run of this page."""
        return self.page.url.partition("/flow-run/")[2][:36]

    def open_run(self, run: str) -> None:
        """Open the page of a flow run."""
        self.page.goto(f"{self.address}/v2/runs/flow-run/{run}")
        self.tab("Details").wait_for()

    def follow(self, name: str) -> None:
        """Go to a flow run that is listed on this page."""
        self.page.get_by_role("link", name=name, exact=True).first.click()
        expect(self.page.get_by_label("breadcrumb").first).to_contain_text(name)

    def tab(self, name: str) -> Locator:
        """Return a tab of the page."""
        return self.page.get_by_role("tab", name=name)

    def chip(self, *states: str) -> Locator:
        """Return the state below the title, if it is one of these."""
        return self.page.locator("[data-slot=badge]").filter(has_text=exactly(*states)).first

    def ended(self, patience_s: float) -> str:
        """Wait until the flow run of this page is over, and return the name of its state."""
        self.chip(*FINAL).wait_for(timeout=patience_s * 1000)
        return self.chip(*FINAL).inner_text()

    def retry(self) -> None:
        """Press Retry, confirm, and wait until the flow run is no longer over."""
        before = self.chip(*FINAL).inner_text()
        self.page.get_by_role("button", name="Open menu").last.click()
        self.page.get_by_role("menuitem", name="Retry").click()
        dialog = self.page.get_by_role("dialog").or_(self.page.get_by_role("alertdialog"))
        expect(dialog).to_contain_text("AwaitingRetry")
        dialog.get_by_role("button", name="Retry").click()
        expect(self.chip(before)).to_have_count(0)

    @property
    def drawing(self) -> Locator:
        """The picture inside the artifact of this page."""
        return self.page.locator("img[src^='data:image/png']")

    def open_artifact(self, key: str) -> None:
        """Open the newest version of an artifact of the flow run of this page."""
        self.tab("Artifacts").click()
        self.page.locator(f"a[href$='/artifacts/key/{key}']").first.click()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        self.page.wait_for_url("**/artifacts/artifact/**")
