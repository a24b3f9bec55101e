"""Shell: takes the pictures of the pages that the documents show: python scripts/page_screenshots.py URL [FOLDER]

URL is a node's page, or a testnet's with /nodes/NAME/ behind it. Needs the system's Chromium.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

PAGES = ("home", "cell", "market", "devices", "events", "ledger", "settings")
KINDS: dict[str, tuple[int, int, Any]] = {
    "light": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "phone": (390, 844, "light"),
}
SETTLE_MS = 1500


def main(url: str, folder: Path) -> None:
    """One picture of each page in light, dark and phone size."""
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for kind, (width, height, scheme) in KINDS.items():
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name in PAGES:
                page = context.new_page()
                page.goto(f"{url.rstrip('/')}/#{name}")
                page.wait_for_selector(f'main[data-page="{name}"]')
                page.wait_for_timeout(SETTLE_MS)
                page.screenshot(path=folder / f"{name}-{kind}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "docs/pages"))
