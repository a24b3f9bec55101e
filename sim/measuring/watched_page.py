"""Shell: a real browser before a node's page: how soon it is there, what it weighs, when what it says changes.

Driven by Playwright with the system's Chromium. Times are wall ms since 1970, as the browser has them.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

WAIT_MS = 60_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHOWN = 'main[data-page="home"] .flow'
OBSERVE = """() => {
  const flow = document.querySelector(".flow");
  window.seen = [];
  new MutationObserver(() => requestAnimationFrame(() => {
    window.seen.push([performance.timeOrigin + performance.now(), flow.getAttribute("aria-label")]);
  })).observe(flow, { attributes: true, attributeFilter: ["aria-label"] });
}"""
FIGURES = """() => {
  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [loaded.length, loaded.reduce((sum, each) => sum + each.transferSize, 0), paint.startTime, performance.now()];
}"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One load of the page with nothing cached: ms from the navigation's start to something on the screen and to the
    power flow with its figures.
    """

    requests: int
    transferred_kb: float
    first_render_ms: float
    shown_ms: float


def load_afresh(address: str, times: int) -> list[Loaded]:
    """Load the page so many times, each with nothing cached."""
    found = []
    with _browser() as browser:
        for _ in range(times):
            with _page(browser, address) as page:
                requests, transferred, first, shown = page.evaluate(FIGURES)
                found.append(Loaded(requests, transferred / 1000, first, shown))
    return found


def watch_flows(address: str, seconds: float) -> list[tuple[float, str]]:
    """When the power flow was drawn anew, and what it then said in words."""
    with _browser() as browser, _page(browser, address) as page:
        page.evaluate(OBSERVE)
        page.wait_for_timeout(seconds * 1000)
        return [(at, words) for at, words in page.evaluate("() => window.seen")]


@contextmanager
def _browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program is not None, "no Chromium on this machine: run scripts/system_packages.sh"
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{address}/#home")
    page.wait_for_selector(SHOWN)
    try:
        yield page
    finally:
        context.close()
