"""What a visitor reads when something goes wrong."""

import logging
import re

import gradio as gr
import numpy as np
import pytest

from genlab.studio.shelf import StudioError, whole
from genlab.tabs import cards, knobs
from genlab.tabs.errors import guarded, sentence


def test_our_sentences_reach_the_visitor_escaped():
    with pytest.raises(gr.Error) as caught:
        guarded(whole)("<img src=x onerror=alert(1)>", "count", 1, 3)
    assert caught.value.message.startswith("The count must be a whole number from 1 to 3; '&lt;img src=x")


@pytest.mark.parametrize(
    "failing", [lambda: np.zeros(3).reshape(2, 2), lambda: {}["x"], lambda: int("secret-path"), lambda: 1 / 0]
)
def test_other_failures_become_a_reference(failing, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        guarded(failing)()
    reference = re.search(r"\(ref ([0-9a-f]{4})\)", caught.value.message)[1]
    assert f"ref {reference}" in caplog.text
    assert "Traceback" in caplog.text
    assert "secret" not in caught.value.message


def test_an_error_that_was_never_raised_has_no_sentence():
    assert sentence(StudioError("never raised")) is None


def test_errors_of_gradio_pass_and_signatures_stay():
    def handler(a: int, event: gr.SelectData):
        """Say something."""
        raise gr.Error("as it is")

    import inspect

    wrapped = guarded(handler)
    assert list(inspect.signature(wrapped).parameters) == ["a", "event"]
    assert wrapped.__doc__ == "Say something."
    with pytest.raises(gr.Error, match="as it is"):
        wrapped(1, None)


def test_a_generator_stays_one_and_fails_as_a_function_does():
    import inspect

    @guarded
    def steps():
        yield 1
        whole("x", "count", 1, 3)

    assert inspect.isgeneratorfunction(steps)
    work = steps()
    assert next(work) == 1
    with pytest.raises(gr.Error, match="The count must be a whole number"):
        next(work)


def test_sentences_in_cards_hold_no_markup():
    assert cards._plain("a <b> [c](d) `e`_f\\g") == "a b cd efg"
    assert cards._plain(None)


def test_knob_controls_follow_the_model():
    from genlab.studio.shelf import Entry, KnobSpec

    specs = (
        KnobSpec("prior", "flow", None, None, "Where from.", ("flow", "normal")),
        KnobSpec("guidance", 2.0, 1.0, 6.0, "How much.", ()),
    )
    entry = Entry("m", "w", "f", "d", (1, 28, 28), ("generate",), (), specs, 0)
    assert len(knobs.controls()) == len(knobs.updates(entry)) == knobs.SLIDERS + knobs.CHOICES
    assert knobs.names(entry)[0] == "guidance"
    assert knobs.names(entry)[knobs.SLIDERS] == "prior"
    given = (3.0, None, None, None, "flow", None)
    assert knobs.values(entry, given) == {"guidance": 3.0, "prior": "flow"}
    assert knobs.changed(entry, knobs.values(entry, given)) == {"guidance": 3.0}
    visible = [update["visible"] for update in knobs.updates(entry)]
    assert visible == [True, False, False, False, True, False]
