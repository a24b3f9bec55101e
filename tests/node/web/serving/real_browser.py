"""The system's Chromium, driven by Playwright, and what it must never report: an error of a page, a fault of axe."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

SIZES = {"desk": (1280, 900), "phone": (390, 844)}
WAIT_MS = 20_000
PAGES = ("home", "cell", "market", "devices", "events", "ledger", "settings")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

expect.set_options(timeout=WAIT_MS)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window. scripts/system_packages.sh installs it."""
    assert CHROMIUM is not None, "no Chromium on this machine: run scripts/system_packages.sh"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page_of(
    opened: Browser, url: str, name: str, *, scheme: Any = "light", size: str = "desk"
) -> Iterator[Page]:
    """One page, loaded; at the end it must not have reported an error."""
    width, height = SIZES[size]
    context = opened.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    errors: list[str] = []
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.on("pageerror", lambda fault: errors.append(str(fault)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(f"{url}/#{name}")
    page.wait_for_selector(f'main[data-page="{name}"]')
    try:
        yield page
        assert [each for each in errors if "ERR_" not in each] == []
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe finds wrong, one line each."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]} ({each['help']})" for each in found]
