"""The part of the Generate tab for pipelines of the Hub: what it asks the studio for, and how it stops."""

from types import SimpleNamespace

import pytest

from genlab.studio.collect import Step
from genlab.tabs import generate, generate_hub

VISITOR = SimpleNamespace(session_hash="visitor")
MADE = SimpleNamespace(pictures=[SimpleNamespace(claim=SimpleNamespace(seed=3))] * 2)


@pytest.fixture
def asked(monkeypatch):
    """What the studio was asked for; it makes two pictures."""
    asked = []

    def steps(model, **given):
        asked.append((model, given))
        yield Step(0, 2, "loading <b>")
        yield Step(1, 2, "drawing")
        return MADE

    monkeypatch.setattr(generate_hub.studio, "steps", steps)
    generate_hub.begin(VISITOR)
    return asked


def test_bars_then_pictures_and_their_command(asked):
    *bars, (made, command) = generate_hub.draw(VISITOR, " owner/model ", "a cat\n\n a dog", "", 3, 16)
    given = {"label": None, "seed": 3, "count": 8, "knobs": {"prompt": "a cat\n\n a dog"}}
    assert asked == [("hub:owner/model", given)]
    assert len(bars) == 2
    assert "<b>" not in bars[0]
    assert made is MADE
    words = "python -m genlab sample hub:owner/model --count 2 --seed 3 --prompt 'a cat' --prompt 'a dog' --out samples"
    assert command == words


def test_it_stops_between_two_pictures(asked):
    work = generate._hub(VISITOR, "hub:owner/model@v1", "", "5", 3, 2)
    assert "progress" in next(work)[0]
    generate_hub.stop(VISITOR)
    (last,) = work
    assert "Stopped" in last[0]
    assert asked == [("hub:owner/model@v1", {"label": "5", "seed": 3, "count": 2, "knobs": {}})]


def test_a_name_that_is_none_is_one_sentence():
    work = generate._hub(VISITOR, None, "", "", 0, 1)
    assert next(work)[0] == ""
    with pytest.raises(ValueError, match="named owner/model"):
        next(work)
