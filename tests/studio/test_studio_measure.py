"""Sets made to break one metric each do so, and a kept figure is shown for the weights it was measured on alone."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from small_models import build_shelf

from genlab.studio import measure, shelf
from genlab.studio.measure import FLOOR, METRICS, MODEL, SETS, WHY, Bench, blurred, flat, set_items


@pytest.fixture(scope="module")
def judged_shelf(tmp_path_factory):
    """The small shelf, its judge under the name that its data asks for."""
    folder = build_shelf(tmp_path_factory.mktemp("judged"))
    config = json.loads((folder / "judge-small" / "config.json").read_text())
    (folder / "judge-small").rename(folder / "judge-fashion")
    (folder / "judge-fashion" / "config.json").write_text(json.dumps(config | {"name": "judge-fashion"}))
    return folder


@pytest.fixture(autouse=True)
def on_it(judged_shelf, monkeypatch):
    monkeypatch.setenv("GENLAB_SHELF", str(judged_shelf))
    measure.bench_of.cache_clear()


@pytest.fixture(scope="module")
def found(judged_shelf):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENLAB_SHELF", str(judged_shelf))
        bench = Bench("fashion", 200)
        return {name: {f.name: f for f in bench.figures(set_items(name, None, bench))} for name in WHY}


def test_every_figure_is_there_with_interval_and_floor(found):
    for figures in found.values():
        assert tuple(figures) == METRICS
        for f in figures.values():
            assert f.low <= f.value <= f.high
            assert f.floor is not None


def test_each_set_breaks_what_it_is_made_for(found):
    def verdicts(name):
        return {metric: f.verdict for metric, f in found[name].items()}

    assert found[FLOOR]["Fréchet distance"].value == pytest.approx(found[FLOOR]["Fréchet distance"].floor)
    assert "worse" not in verdicts(FLOOR).values()
    repeated = verdicts("ten items repeated")
    assert repeated["precision"] != "worse"
    assert repeated["recall"] == repeated["coverage"] == repeated["Fréchet distance"] == "worse"
    copies = verdicts("copies of training items")
    assert copies["copies of training items"] == "worse"
    assert found["copies of training items"]["copies of training items"].value == 1
    assert copies["precision"] != "worse"
    assert copies["recall"] != "worse"
    assert verdicts("half of the classes")["precision"] != "worse"


def test_sets_have_the_size_of_the_real_one_and_lie_in_range():
    bench = Bench("fashion", 100)
    for name in SETS:
        items = set_items(name, "gan-small", bench)
        assert items.shape == (100, 1, 28, 28)
        assert items.min() >= 0
        assert items.max() <= 1
    assert len(np.unique(flat(set_items("ten items repeated", None, bench)), axis=0)) == 10


def test_blur_keeps_the_mean_and_shrinking_keeps_blocks():
    items = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)
    assert blurred(items).mean() == pytest.approx(items.mean(), rel=1e-5)
    assert blurred(items).std() < items.std()
    wide = np.kron(items, np.ones((1, 1, 8, 8), np.float32))  # 64 pixels a side become 32 again
    assert flat(wide).shape == (3, 32 * 32)
    assert flat(wide)[0, 0] == pytest.approx(items[0, 0, 0, 0])


def test_measuring_yields_steps_and_then_rows():
    steps = list(measure.measure("gan-small", count=100))
    assert [s[2] for s in steps[:-1]] == list(SETS)
    assert [row.name for row in steps[-1].rows] == list(SETS)
    assert steps[-1].command == "python benchmarks/measure.py --models gan-small --count 100"
    assert "gan-small" in steps[-1].rows[0].why


def test_kept_figures_are_those_of_these_weights_alone(tmp_path, monkeypatch):
    bench = Bench("fashion", 100)
    figures = [asdict(f) for f in bench.figures(bench.others)]
    told = {"weights": shelf.entry("gan-small").weights, "data": "fashion", "figures": figures}
    body = {"count": 100, "command": "x", "data": {"fashion": {"sets": {name: figures for name in WHY}}}}
    file = tmp_path / "measure.json"
    monkeypatch.setattr(measure, "RESULTS", file)
    assert measure.kept("gan-small") is None
    file.write_text(json.dumps(body | {"models": {"gan-small": told}}))
    assert [row.name for row in measure.kept("gan-small").rows] == list(SETS)
    assert measure.kept("gan-small").rows[0].name == MODEL
    file.write_text(json.dumps(body | {"models": {"gan-small": told | {"weights": "0" * 64}}}))
    assert measure.kept("gan-small") is None
    file.write_text("{")
    assert measure.kept("gan-small") is None


@pytest.mark.parametrize("count", [0, 99, 1001, 150.5, None, float("nan"), 1e308, "200"])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(shelf.StudioError, match="from 100 to 1,000"):
        next(measure.measure("gan-small", count=count))


def test_only_generators_with_a_judge_are_measured(monkeypatch, tmp_path_factory):
    with pytest.raises(shelf.StudioError, match="gan-small"):
        next(measure.measure("judge-fashion", count=100))
    monkeypatch.setenv("GENLAB_SHELF", str(build_shelf(tmp_path_factory.mktemp("unjudged"))))
    assert measure.models() == []
