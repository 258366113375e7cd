"""A solver fitted to one network: against the formula that it starts from, and as it is kept and offered."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from test_diffusion import Same, ends, perfect

from genlab import checkpoint
from genlab.__main__ import main
from genlab.data import examples
from genlab.models.contract import check_knobs
from genlab.models.diffusion import FITTED, KnobsWithFewSteps
from genlab.models.diffusion_fitted import Fit, FittedSteps, fit
from genlab.seeds import Seeds

LEVELS = (985.0, 657.0, 328.0)


def noise(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def few(model, table: FittedSteps, z: torch.Tensor) -> torch.Tensor:
    model.take_few_steps(json.loads(json.dumps(table.plain())))
    return model.sample(Same(z), None, KnobsWithFewSteps(solver=FITTED)) * 2 - 1


@pytest.mark.parametrize("process", ["noise", "flow"])
def test_fitted_steps_end_nearer_than_those_of_a_formula(process):
    model, z, fresh = perfect(process), noise(256, 0), noise(64, 1)
    aim = ends(model, fresh, 200, "second order")
    before = float((few(model, Fit(model, LEVELS).table(), fresh) - aim).square().mean())
    target = ends(model, z, 200, "second order").double()
    for fitted, _ in fit(model, z, None, target, levels=LEVELS, steps=40):  # noqa: B007
        pass
    after = float((few(model, fitted.table(), fresh) - aim).square().mean())
    assert after < before / 2


def test_the_table_draws_what_was_fitted_with_as_many_calls_as_it_has_rows():
    model, z = perfect("noise"), noise(8, 2)
    fitted = Fit(model, LEVELS)
    with torch.no_grad():
        for parameter in fitted.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    ended = fitted(z, None).detach()
    lifted = replace(fitted.table(), lift=-0.1)
    assert torch.allclose(few(model, lifted, z).double(), (ended - 0.1).clamp(-1, 1), atol=1e-5)
    model.unet.calls = 0
    assert torch.allclose(few(model, fitted.table(), z).double(), ended.clamp(-1, 1), atol=1e-5)
    assert model.unet.calls == len(LEVELS)
    seen = list(model.denoised(Same(z), None, KnobsWithFewSteps(steps=50, solver=FITTED)))
    assert len(seen) == len(LEVELS)


def test_only_a_model_with_a_table_offers_the_solver():
    model = perfect("noise")
    with pytest.raises(ValueError, match="solver is one of"):
        check_knobs(model.Knobs, {"solver": FITTED})
    model.take_few_steps(Fit(model, LEVELS).table().plain())
    assert check_knobs(model.Knobs, {"solver": FITTED}).solver == FITTED
    assert model.default_knobs().solver == "second order"


DAMAGES = ({"weights": [[1.0]]}, {"levels": None}, {"weights": "no"}, {"kept": ["x"] * 3}, {"nudges": [[0.0]] * 3})


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_told_and_not_used(tmp_path, damage):
    folder = tmp_path / "ddpm-fashion"
    shutil.copytree(checkpoint.SHELF / "ddpm-fashion", folder)
    config = checkpoint.read(folder)
    table = Fit(checkpoint.load(folder), LEVELS).table().plain()
    checkpoint.write_config(folder, config | {"few_steps": table})
    assert checkpoint.load(folder).few_steps == FittedSteps.of(table, 192)
    checkpoint.write_config(folder, config | {"few_steps": table | damage})
    with pytest.raises(checkpoint.CheckpointError, match=r"few_steps of config\.json cannot be read"):
        checkpoint.load(folder)


def test_the_command_keeps_a_table_that_the_loader_offers(tmp_path, monkeypatch, capsys):
    from genlab import shorten_command

    shutil.copytree(checkpoint.SHELF / "ddpm-fashion", tmp_path / "ddpm-fashion")
    shelf = checkpoint.folder_of
    monkeypatch.setattr(checkpoint, "folder_of", lambda name: shelf(name, tmp_path))
    monkeypatch.setattr(shorten_command, "ENDS", 8)
    monkeypatch.setattr(shorten_command, "TRIED", 30)
    monkeypatch.setattr("genlab.models.diffusion_fitted.BATCH", 4)
    items = examples.load("fashion")
    monkeypatch.setattr("genlab.data.load", lambda name: items)
    assert main(["shorten", "ddpm-fashion", "--calls", "2", "--steps", "1"]) == 0
    assert "keeps 2 fitted steps" in capsys.readouterr().out
    model = checkpoint.load(tmp_path / "ddpm-fashion")
    chosen = checkpoint.read(tmp_path / "ddpm-fashion")["few_steps"]
    assert list(map(float, chosen["distance_by_lift"])) == list(shorten_command.LIFTS)
    assert chosen["distance_by_lift"][str(chosen["lift"])] == min(chosen["distance_by_lift"].values())
    monkeypatch.setattr(shorten_command, "LIFTS", (0.5,))
    assert main(["shorten", "ddpm-fashion", "--lift"]) == 0  # the numbers stay
    again = checkpoint.read(tmp_path / "ddpm-fashion")["few_steps"]
    assert again["lift"] == 0.5
    assert again["nudges"] == chosen["nudges"]
    labels = torch.tensor([3, 4])
    drawn = model.sample(Seeds([1, 2]), labels, model.Knobs(solver=FITTED))
    assert torch.equal(model.sample(Seeds([2]), labels[1:], model.Knobs(solver=FITTED))[0], drawn[1])
    assert main(["shorten", "ddpm-fashion", "--calls", "1"]) == 2
    assert "2 to 16" in capsys.readouterr().err
    config = checkpoint.read(tmp_path / "ddpm-fashion")
    checkpoint.write_config(tmp_path / "ddpm-fashion", {k: v for k, v in config.items() if k != "few_steps"})
    assert main(["shorten", "ddpm-fashion", "--lift"]) == 2
    assert "no fitted steps" in capsys.readouterr().err
