"""The page in a real browser: Chromium, driven by Playwright. FASTGAN_BROWSER=1 makes a missing browser a failure."""

import os
import shutil

import pytest

from fastgan.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REQUIRED = os.environ.get("FASTGAN_BROWSER") == "1"
if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium", allow_module_level=True)
if not REQUIRED:
    pytest.importorskip("playwright", reason="no Playwright")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "FASTGAN_BROWSER=1: expected Chromium on the PATH, found none"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a report of runs; at the end no request may have left the page and no error may be in the console."""
    seen = []

    def open_report(*runs, width=1280, **context):
        page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()
        page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("request", lambda request: seen.append(request.url) if request.url.startswith("http") else None)
        page.goto(write_report(runs, tmp_path / "page.html", measure=False).as_uri())
        return page

    yield open_report
    assert seen == []


def test_the_slider_changes_the_picture_and_says_its_step(visit, trained):
    page = visit(trained["digits"])
    image, slider = page.locator(".slider img"), page.locator(".slider input")
    last = image.get_attribute("src")
    assert page.locator(".slider output").inner_text() == "6"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".slider output").inner_text() == "4"
    assert image.get_attribute("src") != last
    assert image.get_attribute("alt") == "sample grid at step 4"
    page.keyboard.press("End")
    assert image.get_attribute("src") == last


def test_play_runs_to_the_last_picture_and_stops(visit, trained):
    page = visit(trained["digits"])
    page.locator(".play").click()
    page.wait_for_function("document.querySelector('.slider output').textContent === '6'")
    page.wait_for_function("document.querySelector('.play').getAttribute('aria-pressed') === 'false'")


def test_the_arrow_keys_read_a_chart(visit, trained):
    page = visit(trained["digits"])
    chart = page.locator(".charts .chart").first
    chart.locator(".plot").focus()
    page.keyboard.press("Home")
    assert chart.locator(".reading").inner_text().startswith("step 1 · ")
    page.keyboard.press("ArrowRight")
    assert chart.locator(".reading").inner_text().startswith("step 2 · ")


def test_a_line_is_hidden_and_shown_by_its_legend(visit, trained):
    page = visit(trained["digits"])
    chart = page.locator(".charts .chart").first
    assert chart.locator(".curve").count() == 2
    chart.locator(".legend button").first.click()
    assert chart.locator(".curve").count() == 1
    chart.locator(".legend button").first.click()
    assert chart.locator(".curve").count() == 2


@pytest.mark.parametrize("runs", [("digits",), ("conditional",), ("table",), ("digits", "conditional")])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window(visit, trained, runs, width):
    page = visit(*(trained[name] for name in runs), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_is_dark_where_the_system_is(visit, trained):
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(trained["digits"], color_scheme=scheme).evaluate(colour) for scheme in ("light", "dark"))
    assert light != dark


def test_every_picture_has_a_text(visit, trained):
    page = visit(trained["conditional"])
    assert page.locator("img").count() > 50
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
