"""The app as a visitor meets it: `python app.py` in a process of its own, and a headless Chromium."""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "studio"))

from small_models import REPOSITORY, RunningApp, build_shelf

CHROMIUM = os.environ.get("GENLAB_CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def small_app(tmp_path_factory):
    """An app that serves small untrained models."""
    app = RunningApp(build_shelf(tmp_path_factory.mktemp("small")), tmp_path_factory.mktemp("app"))
    yield app
    app.stop()


def shipped_shelf_is_complete() -> bool:
    """Whether the repository ships a model that generates and one that encodes."""
    configs = [json.loads(path.read_text()) for path in (REPOSITORY / "model_cards").glob("*/config.json")]
    families = {config.get("genlab", config)["recipe"]["family"] for config in configs}
    return {"vae", "gan"} <= families


@pytest.fixture(scope="session")
def app(request, tmp_path_factory):
    """An app that serves the shipped models; small ones while a fresh checkout has none trained."""
    if not shipped_shelf_is_complete():
        yield request.getfixturevalue("small_app")
        return
    running = RunningApp(REPOSITORY / "model_cards", tmp_path_factory.mktemp("shipped"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()
