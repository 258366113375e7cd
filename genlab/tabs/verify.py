"""Verify: drop any file and read in one sentence whether it was made here, then the evidence of every layer."""

import html
import shlex
from typing import Any

import gradio as gr

from audits.provenance import Claim
from genlab.studio import marking, uploads
from genlab.studio.attack import example
from genlab.studio.regenerate import make_again
from genlab.studio.shelf import StudioError
from genlab.studio.verify import Verified
from genlab.studio.verify import verify as studio_verify
from genlab.tabs import attack
from genlab.tabs.api import AT_ONCE, HEAVY, endpoint
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes, uploaded_path, uploaded_paths

MARKS = {"made here": "yes", "altered": "partly", "no evidence": "no", "unreadable": "no"}
WAITING = '<p class="note">Nothing was looked at yet. No file that you drop here is kept.</p>'
LIMITS = (
    "A missing mark proves nothing: a screenshot or a re-save takes claims away, and other tools set none. A claim "
    "proves which model made a file, never who asked for it. Whoever holds the signing key can sign anything. A "
    "likeness in the ledger, or a mark that names no entry of it, says that something like this was made here, and no "
    "more: both can come about without us."
)


def build(demo: gr.Blocks, tab: gr.Tab | None = None) -> None:
    """The tab's contents, its events, and the public endpoint `verify`.

    Args:
        tab: an edited item of ours is looked at when it is first chosen.
    """
    claimed, seen = gr.State(None), gr.State(False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            upload = gr.File(label="Any file: picture, sound, video or text", height=170, elem_id="verify-file")
            with gr.Accordion("The claim of a text came beside it", open=False):
                beside = gr.File(label="Its claim (.claim.json)", file_types=[".json"], height=120)
            with gr.Accordion("Or paste a text", open=False):
                pasted = gr.Textbox(
                    label="A text", lines=6, max_lines=12, elem_id="verify-text",
                    info="Our texts carry a mark in their choice of words; a few sentences are enough to find it.",
                )  # fmt: skip
                check = gr.Button("Look for our mark", size="md", elem_id="verify-text-go")
            certificate = gr.DownloadButton("Public certificate (PEM)", size="md", elem_id="certificate")
            gr.Markdown(LIMITS, elem_classes="note")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            told = gr.HTML(WAITING, elem_id="verdict", padding=False)
            with gr.Column(visible=False, elem_id="again-from-claim") as again:
                obstacle = gr.HTML("", padding=False)
                go = gr.Button("Make it again from this claim", size="md")
                made = gr.Image(
                    label="Made again from the claim", height=260, visible=False, interactive=False, image_mode=None,
                    buttons=["download"], alt_text="What the claim describes, made again here", elem_classes="pixels",
                )  # fmt: skip
                copy = gr.DownloadButton("Download it", size="md", visible=False)
            command = gr.Textbox(
                label="Copy as command", interactive=False, buttons=["copy"], visible=False, elem_classes="command"
            )

    attack.build(demo)

    private = {"api_visibility": "private", "preprocess": False}
    shared = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE}
    shown = [claimed, told, again, obstacle, go, made, copy, command]
    if tab is not None:
        tab.select(guarded(_first), [seen, upload], [seen, *shown], show_progress="hidden", **private, **shared)
    gr.on([upload.upload, beside.upload], guarded(_look), [upload, beside], shown, **private, **shared)
    check.click(guarded(_pasted), pasted, shown, **private, **shared)
    upload.clear(guarded(_forget), None, shown, api_visibility="private", queue=False)
    go.click(guarded(_again), claimed, [made, copy], **private, **shared)
    demo.load(guarded(_certificate), None, certificate, show_progress="hidden", api_visibility="private")
    with gr.Row(visible=False):
        file, sidecar, answer, button = gr.File(), gr.File(), gr.JSON(), gr.Button()
    endpoint(button, verify, [file, sidecar], [answer])


def verify(file: str, claim: str) -> dict[str, Any]:
    """Say whether a file was made by this lab, on which evidence, and what was done to it since. Nothing is kept.

    Args:
        file: a picture, sound, video or text.
        claim: the signed claim that came beside a text; empty for everything else.

    Returns:
        {"sentence", "verdict", "claim", "layers": [{"layer", "p_value", "state", "detail"}], "changes"}.
    """
    found = _verified(file, claim)
    layers = [vars(layer) for layer in found.layers]
    claimed = None if found.claim is None else found.claim.as_dict()
    return {
        "sentence": found.sentence,
        "verdict": found.verdict,
        "claim": claimed,
        "layers": layers,
        "changes": list(found.changes),
    }


# ---- events


def _verified(payload: object, beside: object) -> Verified:
    sidecar = uploads.read_file(uploaded_path(beside)) if uploaded_path(beside) else None
    return studio_verify(uploads.read_file(uploaded_path(payload)), sidecar=sidecar)


def _look(payload: object, beside: object) -> list:
    if not uploaded_path(payload):  # a claim without its text yet
        return _forget()
    name = uploaded_paths(payload)[0][0]
    return _found(_verified(payload, beside), command=f"python -m genlab verify {shlex.quote(name)}")


def _pasted(text: object) -> list:
    if not isinstance(text, str) or not text.strip():
        raise StudioError("Nothing was pasted: put a text into the box first.")
    return _found(studio_verify(text.encode("utf-8", "replace")))


def _first(seen: bool, payload: object) -> list:
    """What the page says of an edited item, for a visitor who has given nothing yet."""
    if seen or uploaded_path(payload):
        return [True, *[gr.skip()] * 8]
    words, found = example()
    return [True, *_found(found, f'<p class="note">{html.escape(words)}</p>')]


def _found(found: Verified, before: str = "", command: str = "") -> list:
    possible = found.claim is not None and not found.obstacle
    why = "" if possible else f'<p class="note">{html.escape(found.obstacle)}</p>'
    empty = gr.update(value=None, visible=False)
    return [found.claim, before + _told(found), gr.update(visible=found.claim is not None), why,
            gr.update(visible=possible), empty, empty, gr.update(value=command, visible=bool(command))]  # fmt: skip


def _forget() -> list:
    empty = gr.update(value=None, visible=False)
    return [None, WAITING, gr.update(visible=False), "", gr.update(visible=False), empty, empty, empty]


def _again(claim: Claim) -> list:
    sealed = make_again(claim)
    path = stored(sealed, f"again-{claim.model}-{claim.seed}")
    playable = sealed.media_type.startswith("image/")
    return [gr.update(value=path if playable else None, visible=playable), gr.update(value=path, visible=True)]


def _certificate() -> str:
    return stored_bytes(marking.certificate(), "genlab-certificate.pem")


# ---- what they fill in


def _told(found: Verified) -> str:
    """The sentence, the claim and a row a layer; all of it escaped."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(layer.layer)}</th><td>{html.escape(layer.state)}</td>'
        f"<td>{'' if layer.p_value is None else f'{layer.p_value:.2g}'}</td><td>{html.escape(layer.detail)}</td></tr>"
        for layer in found.layers
    )
    return (
        f'<p class="sentence" data-made="{MARKS[found.verdict]}">{html.escape(found.sentence)}</p>{_facts(found)}'
        f'<div class="evidence layers" tabindex="0" role="region" aria-label="Evidence, layer by layer">'
        "<table><thead><tr>"
        f'<th scope="col">Layer</th><th scope="col">State</th><th scope="col">p-value</th><th scope="col">Detail</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _facts(found: Verified) -> str:
    claim = found.claim
    if claim is None:
        return ""
    rows = [("model", claim.model), ("weights", f"{claim.weights[:16]}…"), ("action", claim.action)]
    rows += [("seed", str(claim.seed)), *claim.inputs.items()]
    turned = ", ".join(f"{k} {v}" for k, v in claim.knobs.items())
    rows += [("knobs", turned)] if turned else []
    rows += [("since then", ", ".join(found.changes))] if found.changes else []
    cells = "".join(f"<div><dt>{html.escape(k[:60])}</dt><dd>{html.escape(v[:300])}</dd></div>" for k, v in rows)
    return f'<dl class="facts">{cells}</dl>'
