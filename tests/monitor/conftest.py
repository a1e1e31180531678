"""A real server and a real browser for the page tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.monitor.browsing import USUAL, Scheme, Visit

PATIENCE_MS = 60_000  # a page of a busy machine comes late
expect.set_options(timeout=PATIENCE_MS)


def _to_the_end(act: Callable[..., None]) -> Callable[..., None]:
    """Playwright goes on as soon as the next page begins to arrive, with half of it to read."""

    def act_and_load(place: Locator, *args: Any, **options: Any) -> None:
        act(place, *args, **options)
        place.page.wait_for_load_state()

    return act_and_load


@pytest.fixture(scope="module")
def browser(chromium_path: str, django_db_setup: None) -> Iterator[Browser]:
    """Ended with the module: its event loop runs in this thread, and Django minds."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        patch.setattr(Locator, "click", _to_the_end(Locator.click))
        patch.setattr(Locator, "press", _to_the_end(Locator.press))
        # Without a sandbox, because root has none; it only sees pages of ours.
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class QuickToEnd(LiveServerThread):
    """Django's looks twice a second only whether it is to end."""

    def _create_server(self, connections_override: Any = None) -> Any:
        server = super()._create_server(connections_override)
        server.serve_forever = partial(server.serve_forever, poll_interval=0.02)
        return server


@pytest.fixture
def site_url(transactional_db: None) -> Iterator[str]:
    """The address of a server over the test database, with the static files of the sources."""
    server = QuickToEnd("127.0.0.1", StaticFilesHandler)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


@pytest.fixture
def scheme() -> Scheme:
    """The colour scheme of the visitor's system."""
    return "light"


@pytest.fixture
def visit(scheme: Scheme, browser: Browser, site_url: str) -> Iterator[Visit]:
    """A visitor with a laptop's screen."""
    context = browser.new_context(
        viewport=USUAL,
        color_scheme=scheme,
        reduced_motion="reduce",  # colours are looked at at once, not on their way
        base_url=site_url,
    )
    context.set_default_timeout(PATIENCE_MS)
    page: Page = context.new_page()
    visitor = Visit(page=page, scheme=scheme)
    yield visitor
    context.close()
    assert visitor.complaints == []
