"""The studio on a shelf of small models; charts go to a folder of the run."""

import pytest
from small_models import build_shelf


@pytest.fixture(scope="session")
def small_shelf(tmp_path_factory):
    return build_shelf(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def chart_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("charts")


@pytest.fixture(autouse=True)
def studio_environment(small_shelf, chart_folder, monkeypatch):
    """Every test here sees the small shelf and nothing of the user's."""
    monkeypatch.setenv("GENLAB_SHELF", str(small_shelf))
    monkeypatch.setenv("GENLAB_CACHE", str(chart_folder))
