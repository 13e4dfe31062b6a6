"""The report in a real browser: Chromium, driven by Playwright."""

import contextlib

import pytest

from browser import open_chromium, skip_without_browser, watched_page
from fastgan.report import write_report

skip_without_browser()


@pytest.fixture(scope="module")
def browser():
    with open_chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a report of runs."""
    with contextlib.ExitStack() as stack:

        def open_report(*runs, **context):
            page = stack.enter_context(watched_page(browser, **context))
            page.goto(write_report(runs, tmp_path / "page.html", measure=False).as_uri())
            return page

        yield open_report


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
