"""The report pages in a real browser: quiet, offline, legible, and alive under a pointer.

Usage: check.py PAGES, the folder into which the report tests wrote their pages. Each check is a claim; the last line
counts them.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

DESK = {"width": 1280, "height": 900}
TELEPHONE = {"width": 390, "height": 844}
# A chart is built when it comes near the window; this is long for a slow machine, and nobody waits for it in vain.
PATIENCE_MS = 30_000
STEP_MS = 50


class Watched:
    """A page with everything that it complained of or asked for."""

    def __init__(self, browser, path, hash_text="", size=DESK, theme="light", javascript=True):
        self.context = browser.new_context(viewport=size, color_scheme=theme, java_script_enabled=javascript)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.resolve().as_uri()
        self.page.goto(self.address + hash_text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def look_at_everything(self):
        """Scrolls down so that every chart in an open part is built."""
        for details in self.page.query_selector_all("details:not([open]) > summary"):
            details.evaluate("summary => summary.parentElement.open = true")
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, height, 500):
            self.page.evaluate(f"scrollTo(0, {top})")
            self.page.wait_for_timeout(40)
        self.wait_until("document.querySelectorAll('.live').length === document.querySelectorAll('[data-plot]').length")

    def wait_until(self, condition):
        """Asks again and again from outside: the page's policy forbids to plant a function that waits in it."""
        for _ in range(PATIENCE_MS // STEP_MS):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(STEP_MS)
        raise AssertionError(f"never came true: {condition}")

    def first_chart(self, selector="[data-plot]"):
        """The pointer area of a chart, in view."""
        holder = self.page.locator(selector).first
        holder.scroll_into_view_if_needed()
        over = holder.locator(".u-over")
        over.wait_for(timeout=PATIENCE_MS)
        return over


def is_quiet_and_asks_for_nothing(browser, path):
    with Watched(browser, path) as watched:
        watched.look_at_everything()
        assert watched.page.locator(".live").count() > 0, "no chart came alive: does the policy name the scripts?"
        assert watched.complaints == [], watched.complaints
        assert watched.requests == [watched.address], watched.requests


def is_complete_without_scripts(browser, path):
    with Watched(browser, path, javascript=False) as watched:
        pictures = watched.page.locator("[data-plot] > svg")
        assert pictures.count() > 0
        hidden = [index for index in range(pictures.count()) if pictures.nth(index).bounding_box() is None]
        folded = watched.page.locator("details:not([open]) [data-plot] > svg").count()
        assert len(hidden) <= folded, f"{len(hidden)} pictures are hidden, {folded} lie in closed parts"
        assert not watched.page.locator("#tools").is_visible(), "a button that does nothing"


def tells_values_under_the_pointer(browser, path):
    with Watched(browser, path) as watched:
        over = watched.first_chart()
        box = over.bounding_box()
        watched.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
        watched.page.mouse.move(box["x"] + box["width"] * 0.31, box["y"] + box["height"] * 0.5)
        tip = over.locator(".tip")
        tip.wait_for(state="visible", timeout=PATIENCE_MS)
        text = tip.inner_text()
        assert any(unit in text for unit in ("ms", "µs", "ns", " s", "MB/s")), text
        watched.page.mouse.move(2, 2)
        tip.wait_for(state="hidden", timeout=PATIENCE_MS)


def changes_and_keeps_its_theme(browser, path):
    with Watched(browser, path, theme="light") as watched:
        shade = "getComputedStyle(document.body).backgroundColor"
        before = watched.page.evaluate(shade)
        watched.page.click("#theme")
        after = watched.page.evaluate(shade)
        assert before != after, before
        assert "theme=dark" in watched.page.url, watched.page.url
        address = watched.page.url
        watched.page.goto("about:blank")
        watched.page.goto(address)
        assert watched.page.evaluate(shade) == after, "the address keeps the theme"
    with Watched(browser, path, theme="dark") as watched:
        assert watched.page.evaluate(shade) == after, "the system's theme is followed"


def zooms_all_charts_over_time_and_keeps_it(browser, path):
    with Watched(browser, path) as watched:
        plots = "JSON.parse(document.getElementById('plots').textContent)"
        first = watched.page.evaluate(f"{plots}.findIndex(plot => plot.time)")
        over = watched.first_chart(f"[data-plot='{first}']")
        box = over.bounding_box()
        watched.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
        watched.page.mouse.down()
        watched.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 40, steps=4)
        watched.page.mouse.up()
        watched.wait_until("location.hash.includes('zoom.time=')")
        assert watched.page.locator("#unzoom").is_visible()
        watched.page.click("#unzoom")
        assert "zoom" not in watched.page.url, watched.page.url
        assert watched.complaints == [], watched.complaints


def hides_a_series_and_keeps_it(browser, path):
    with Watched(browser, path) as watched:
        boxes = watched.page.locator("input[data-choose]")
        if boxes.count() < 2:
            return
        boxes.nth(1).uncheck()
        assert "hide=1" in watched.page.url, watched.page.url
    with Watched(browser, path, hash_text="#hide=1") as watched:
        assert not watched.page.locator("input[data-choose]").nth(1).is_checked()


def fits_a_telephone(browser, path):
    for theme in ("light", "dark"):
        with Watched(browser, path, size=TELEPHONE, theme=theme) as watched:
            watched.look_at_everything()
            width = watched.page.evaluate("document.documentElement.scrollWidth")
            assert width <= TELEPHONE["width"], f"the page is {width} px wide"
            assert watched.complaints == [], watched.complaints


def runs_no_foreign_script(browser, path):
    with Watched(browser, path) as watched:
        watched.look_at_everything()
        assert watched.page.evaluate("window.planted") is None, "text of a result became script"
        assert watched.complaints == [], watched.complaints


CLAIMS = [
    is_quiet_and_asks_for_nothing,
    is_complete_without_scripts,
    tells_values_under_the_pointer,
    changes_and_keeps_its_theme,
    zooms_all_charts_over_time_and_keeps_it,
    hides_a_series_and_keeps_it,
    fits_a_telephone,
    runs_no_foreign_script,
]
PAGES = {
    "one run": "calm/20261123T140800Z-5f1c2a9e.html",
    "a comparison": "many/comparison.html",
    "a curve": "many/curve.html",
    "a history": "many/history.html",
    "a hostile file": "many/hostile.html",
}


def main():
    folder = Path(sys.argv[1])
    passed = failed = 0
    with sync_playwright() as playwright:
        # The pages are our own and the sandbox needs privileges that containers lack.
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
        for name, path in PAGES.items():
            for claim in CLAIMS:
                try:
                    claim(browser, folder / path)
                    passed += 1
                except Exception as error:  # Whatever went wrong, the other claims are checked too.
                    failed += 1
                    print(f"{name} {claim.__name__}: {error}")
        browser.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
