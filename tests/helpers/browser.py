"""Chromium for tests of pages. FASTGAN_BROWSER=1 makes a missing browser a failure instead of a skip."""

import contextlib
import os
import shutil

import pytest

__all__ = ["open_chromium", "skip_without_browser", "watched_page"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REQUIRED = os.environ.get("FASTGAN_BROWSER") == "1"


def skip_without_browser(*modules):
    """Skip the module that calls this where Chromium, Playwright or one of `modules` is missing."""
    if REQUIRED:
        return
    if CHROMIUM is None:
        pytest.skip("no Chromium", allow_module_level=True)
    for module in ("playwright", *modules):
        pytest.importorskip(module, reason=f"no {module}")


@contextlib.contextmanager
def open_chromium():
    """A Chromium, driven by Playwright, that asks the network for nothing by itself."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "FASTGAN_BROWSER=1: expected Chromium on the PATH, found none"
    options = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@contextlib.contextmanager
def watched_page(browser, width=1280, **context):
    """A page that at the end must not have asked for anything but this machine, nor have an error in its console."""
    faults = []
    page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if not _is_local(request.url) else None)
    yield page
    page.context.close()
    assert faults == []


def _is_local(url):
    return url.startswith(("file:", "data:", "blob:", "http://127.0.0.1"))
