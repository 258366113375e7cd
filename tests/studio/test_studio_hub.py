"""The door to the Hub, on tiny models that the tests build and save in the Hub's own formats."""

import numpy as np
import pytest
from hub_models import save_clip, save_ddpm
from PIL import Image

from genlab.studio import collect, hub, hub_draw, naming
from genlab.studio.shelf import StudioError
from genlab.studio.zero_shot import zero_shot


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """A folder of copies, as `GENLAB_HUB` names one."""
    folder = tmp_path_factory.mktemp("hub")
    save_ddpm(folder / "somebody" / "drawings")
    save_clip(folder / "somebody" / "clip")
    return folder


@pytest.fixture(autouse=True)
def offline(mirror, monkeypatch):
    monkeypatch.setenv("GENLAB_HUB", str(mirror))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def pixels(batches):
    return [np.asarray(image) for batch in batches for image in batch]


def test_an_item_depends_on_its_seed_and_not_on_its_neighbours():
    found = hub.find("somebody/drawings")
    whole = pixels(hub_draw.draw(found, 3, seed=5, batch=3))
    alone = pixels(hub_draw.draw(found, 1, seed=7, batch=1))
    assert whole[0].shape == (16, 16, 3)
    assert np.abs(whole[2].astype(int) - alone[0]).max() <= 1
    assert np.abs(whole[0].astype(int) - whole[1]).max() > 20


def test_weights_have_a_name_of_their_own():
    assert len(hub.revision("somebody/drawings")) == 64


@pytest.mark.parametrize("name", ["", "one-word", "../../etc/passwd", "a/b/c", "a/..", None, "somebody/drawings\n"])
def test_names_are_those_of_the_hub(name):
    if name and name.strip() == "somebody/drawings":
        assert hub.named(name) == ("somebody/drawings", "")
    else:
        with pytest.raises(StudioError, match="owner/model"):
            hub.named(name)


def test_what_cannot_be_had_is_said_in_a_sentence():
    with pytest.raises(StudioError, match="cannot be loaded as a diffusers pipeline"):
        hub.find("nobody/nothing")
    with pytest.raises(StudioError, match="zero-shot image classifier"):
        zero_shot("nobody/nothing", [Image.new("RGB", (8, 8))], ["a", "b"])


def test_a_clip_is_no_pipeline():
    with pytest.raises(StudioError, match="somebody/clip"):
        hub.find("somebody/clip")


def test_limits_hold_for_classifiers_too(monkeypatch):
    picture = [Image.new("RGB", (8, 8))]
    monkeypatch.setenv("GENLAB_HUB_LARGEST", "1000")
    with pytest.raises(StudioError, match="are allowed"):
        zero_shot("somebody/clip", picture, ["a", "b"])
    monkeypatch.delenv("GENLAB_HUB_LARGEST")
    with pytest.raises(StudioError, match="has no revisions"):
        zero_shot("somebody/clip@main", picture, ["a", "b"])
    monkeypatch.setenv("GENLAB_HUB_ALLOWED", "somebody/drawings")
    with pytest.raises(StudioError, match="may not be loaded here"):
        zero_shot("somebody/clip", picture, ["a", "b"])


def test_a_zero_shot_classifier_names_the_description_that_fits():
    pictures = [Image.new("RGB", (20, 20), shade) for shade in ("black", "white", "#101010", "#f0f0f0")]
    chances = zero_shot("somebody/clip", pictures, ["dark", "bright"])
    assert np.allclose(chances.sum(1), 1)
    assert list(chances.argmax(1)) == [0, 1, 0, 1]


def test_a_pipeline_is_gathered_and_named():
    namer = naming.ByZeroShot("somebody/clip", {"light": {"night": "dark", "day": "bright"}})
    work = collect.from_hub("somebody/drawings", namer, count=20, seed=0)
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            found = done.value
            break
    assert steps[-1].done == steps[-1].total == 20
    assert list(found.items.table.columns) == ["light"]
    assert set(found.items.table["light"]) <= {"night", "day"}
    assert len(found.thumbs) == 20
    assert found.made[0] == "somebody/drawings"
    assert any("Nobody has measured" in words for words in found.caveats)


LINES = {
    "": "two or more",
    "a = b": "two or more",
    "a b": "on a line of its own",
    "a=x\na=y": "on a line of its own",
    "a=x\nb=" + "y" * 300: "on a line of its own",
    "\n".join(f"g{i}=x" for i in range(60)): "At most",
}


@pytest.mark.parametrize("text", LINES)
def test_descriptions_are_lines(text):
    with pytest.raises(StudioError, match=LINES[text]):
        naming.prompts_from(text)


def test_descriptions_may_be_of_several_columns():
    found = naming.prompts_from("[tone]\nlight = a\ndark = b\n[hat]\nhat = c\nno hat = d")
    assert found == {"tone": {"light": "a", "dark": "b"}, "hat": {"hat": "c", "no hat": "d"}}
