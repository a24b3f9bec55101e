"""Shell: takes the pictures of the pages in the documents: python scripts/page_screenshots.py URL [FOLDER [TOKEN]]

URL is a node's page, or a testnet's with /nodes/NAME/ behind it. With a token of the node the settings are shown as its
role may change them, in light from top to bottom; with an operator's also what it may say of the cell. Parts of pages
below the first screen have pictures of their own. Needs the system's Chromium.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

PAGES = ("home", "cell", "market", "devices", "events", "ledger", "settings")
PARTS = {
    "cell": ("versions", "Versions"),
    "market": ("invoices", "My invoices"),
    "settings": ("operator", "The cell"),
}
"""By page: the picture's name, and what the part is called."""
KINDS: dict[str, tuple[int, int, Any]] = {
    "light": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "phone": (390, 844, "light"),
}
SETTLE_MS = 1500
WAIT_MS = 120_000


def main(url: str, folder: Path, token: str | None = None) -> None:
    """One picture of each page in light, dark and phone size."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for kind, (width, height, scheme) in KINDS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            context.set_default_timeout(WAIT_MS)
            for name in PAGES:
                page = context.new_page()
                page.goto(f"{url.rstrip('/')}/#{name}")
                page.wait_for_selector(f'main[data-page="{name}"]')
                if token is not None and name == "settings":
                    page.locator("#token").fill(token)
                    page.get_by_role("button", name="Log in").click()
                    page.get_by_text("Logged in as").wait_for()
                    page.locator("section[aria-label='What was changed'] td").first.wait_for()
                    page.locator("#notice").wait_for(state="hidden")
                page.wait_for_timeout(SETTLE_MS)
                whole = token is not None and (name, kind) == ("settings", "light")
                page.screenshot(path=folder / f"{name}-{kind}.png", full_page=whole)
                _part(page, name, folder, kind)
                page.close()
        browser.close()


def _part(page: Page, name: str, folder: Path, kind: str) -> None:
    """A picture of the part of a page that has one, where it is shown."""
    if name not in PARTS:
        return
    picture, called = PARTS[name]
    part = page.locator(f"section[aria-label='{called}']")
    if part.is_visible():
        # What sticks to the top of the screen would lie over a part that is taller than it.
        page.evaluate(
            "document.querySelectorAll('header, nav').forEach((each) => { each.style.position = 'static'; })"
        )
        part.screenshot(path=folder / f"{picture}-{kind}.png")


if __name__ == "__main__":
    _, address, *rest = sys.argv
    main(address, Path(rest[0] if rest else "docs/pages"), rest[1] if len(rest) > 1 else None)
