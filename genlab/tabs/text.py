"""Text: watch a small GPT write word by word, let a small BERT fill gaps, and look at what either makes of a text."""

import html
import shlex
from collections.abc import Iterator

import gradio as gr

from genlab.studio import hub_text, shelf
from genlab.studio import read as studio_read
from genlab.studio import write as studio
from genlab.studio.write import Written
from genlab.studio.write_order import LONGEST
from genlab.tabs import knobs, text_look, watching
from genlab.tabs.api import AT_ONCE, HEAVY
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored, stored_bytes
from genlab.tabs.watching import Stopped

WHAT, ANY = "text", "any"
NAMES = 24  # items of a collection that are shown at first
OPTIONS = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE, "preprocess": False, "api_visibility": "private"}
QUIET = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
INTRO = (
    "A GPT of three million parameters that has read Shakespeare and nothing else, one that knows first names, and a "
    "BERT that fills gaps. They are small and say what their old books say: nothing here is advice, and no quotation "
    "is real. Slurs of a word list are masked. A text carries a mark in its choice of words, and whatever leaves has a "
    "signed claim beside it."
)
PROMPT = "JULIET.\nO gentle night, "
GAPPED = "The king is [MASK], and the queen has lost her [MASK]."
READ = "To be, or not to be, that is the question."


def build(tab: gr.Tab) -> None:
    """The tab's contents and events."""
    seen = gr.State(False)
    gr.Markdown(INTRO, elem_classes="note")
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            model = gr.Dropdown(
                [], label="Model", elem_id="text-model", allow_custom_value=True,
                info="Or hub:owner/model, a causal language model of the Hub.",
            )  # fmt: skip
            prompt = gr.Textbox(
                PROMPT, label="It goes on from", lines=3, max_lines=8, elem_id="text-prompt",
                info="Nothing, a line, or a page: of a long one the end is kept.",
            )  # fmt: skip
            with gr.Row(visible=False, elem_classes="tight") as grouped:
                country = gr.Dropdown([], label="Country", filterable=False, elem_id="text-country", min_width=150)
                gender = gr.Dropdown([], label="Gender", filterable=False, elem_id="text-gender", min_width=150)
            with gr.Row(elem_classes="tight"):
                seed = gr.Number(0, label="Seed", precision=0, min_width=110, elem_id="text-seed")
                length = gr.Slider(20, LONGEST, value=160, step=10, label="Tokens at most", min_width=160)
                count = gr.Slider(1, studio.MOST, value=NAMES, step=1, label="How many", visible=False, min_width=160)
            turned = knobs.controls()
            with gr.Row(elem_classes="tight"):
                go = gr.Button("Write", variant="primary", scale=2, elem_id="text-go")
                halt = gr.Button("Stop", scale=1)
            command = gr.Textbox(
                label="Copy as command", lines=2, interactive=False, buttons=["copy"], elem_classes="command"
            )
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            bar = gr.HTML("", padding=False)
            page = gr.HTML(text_look.EMPTY.format(words="A text appears here."), padding=False, elem_id="text-page")
            told = gr.HTML("", padding=False, elem_id="text-notes")
            with gr.Row(elem_classes=["tight", "downloads"]):
                file = gr.DownloadButton("The text (TXT)", size="md", interactive=False, min_width=150)
                claim = gr.DownloadButton("Its signed claim (JSON)", size="md", interactive=False, min_width=150)
                packed = gr.DownloadButton("Everything (zip)", size="md", interactive=False, min_width=150)
    gr.HTML('<h2 class="part">From one group of names to another</h2>', padding=False)
    ends = _between()
    gr.HTML('<h2 class="part">Fill the gap</h2>', padding=False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            filler = gr.Dropdown(
                [], label="Model", elem_id="fill-model", allow_custom_value=True,
                info="Or hub:owner/model, a masked language model of the Hub.",
            )  # fmt: skip
            gapped = gr.Textbox(
                GAPPED, label="A text with gaps", lines=3, max_lines=6, elem_id="fill-text",
                info="[MASK], or three underscores, for a word that is to be guessed.",
            )  # fmt: skip
            guess = gr.Button("Guess", variant="primary", elem_id="fill-go")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            gaps = gr.HTML("", padding=False, elem_id="fill-found")
    gr.HTML('<h2 class="part">What a model makes of a text</h2>', padding=False)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            reader = gr.Dropdown([], label="Model", filterable=False, elem_id="read-model")
            given = gr.Textbox(READ, label="A text", lines=4, max_lines=10, elem_id="read-text")
            with gr.Row(elem_classes="tight"):
                layer = gr.Slider(1, 2, value=1, step=1, label="Layer", min_width=130, elem_id="read-layer")
                head = gr.Slider(1, 2, value=1, step=1, label="Head", min_width=130, elem_id="read-head")
            look = gr.Button("Read it", variant="primary", elem_id="read-go")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            surprise = gr.HTML("", padding=False, elem_id="read-found")
            looks = gr.HTML("", padding=False, elem_id="read-looks")

    asked = [model, prompt, country, gender, seed, length, count, *turned]
    out = [bar, page, told, file, claim, packed, command]
    chosen = [prompt, grouped, country, gender, length, count, *turned]
    tab.select(
        guarded(_arrive), seen, [seen, model, *chosen, *ends[:4], filler, reader, layer, head],
        show_progress="hidden", **OPTIONS,
    ).success(guarded(_write), asked, out, show_progress="hidden", **OPTIONS).success(
        guarded(_fill), [filler, gapped], gaps, show_progress="hidden", **OPTIONS
    ).success(
        guarded(_read), [reader, given, layer, head], [surprise, looks], show_progress="hidden", **OPTIONS
    ).success(guarded(_walk), ends[:4], ends[4], show_progress="hidden", **OPTIONS)  # fmt: skip
    model.input(guarded(_chosen), model, chosen, preprocess=False, **QUIET)
    gr.on([go.click, seed.submit], guarded(_begin), None, bar, **QUIET).then(
        guarded(_write), asked, out, show_progress="hidden", trigger_mode="always_last", **OPTIONS
    )
    halt.click(guarded(_stop), None, bar, **QUIET)
    gr.on([guess.click, filler.input], guarded(_fill), [filler, gapped], gaps, show_progress="minimal", **OPTIONS)
    reader.input(guarded(_heads), reader, [layer, head], preprocess=False, **QUIET)
    gr.on(
        [look.click, reader.input, layer.release, head.release], guarded(_read), [reader, given, layer, head],
        [surprise, looks], show_progress="minimal", trigger_mode="always_last", **OPTIONS,
    )  # fmt: skip


def _between() -> list:
    """The section that goes from one group of names to another; returns its four choices and its table."""
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            with gr.Row(elem_classes="tight"):
                country = gr.Dropdown([], label="From", filterable=False, min_width=150, elem_id="between-from")
                gender = gr.Dropdown([], label="Gender", filterable=False, min_width=130)
            with gr.Row(elem_classes="tight"):
                other = gr.Dropdown([], label="To", filterable=False, min_width=150, elem_id="between-to")
                kind = gr.Dropdown([], label="Gender there", filterable=False, min_width=130)
            go = gr.Button("Go there", variant="primary", elem_id="between-go")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            table = gr.HTML(
                '<p class="note">The model is told something between the two groups, in five steps, with the same '
                "seeds: every row is one draw of luck.</p>", padding=False, elem_id="between-table",
            )  # fmt: skip
    go.click(guarded(_walk), [country, gender, other, kind], table, show_progress="minimal", **OPTIONS)
    return [country, gender, other, kind, table]


# ---- events


def _arrive(seen: bool) -> list:
    if seen:
        return [gr.skip()] * (16 + knobs.SLIDERS + knobs.CHOICES)
    writers, fillers, readers = studio.writers(), shelf.with_capability("fill"), studio_read.readers()
    if not writers:
        raise shelf.StudioError("No model on this shelf writes.")
    names = next((known for known in writers if known.groups), None)
    groups = dict(names.groups) if names else {}
    countries, genders = (list(groups.get(name, ())) for name in ("country", "gender"))
    ends = [
        gr.update(choices=countries, value=countries[0] if countries else None),
        gr.update(choices=genders, value=genders[0] if genders else None),
        gr.update(choices=countries, value=countries[-1] if countries else None),
        gr.update(choices=genders, value=genders[-1] if genders else None),
    ]
    reader = readers[0].name
    return [
        True, gr.update(choices=[e.name for e in writers], value=writers[0].name), *_chosen(writers[0].name), *ends,
        gr.update(choices=[e.name for e in fillers], value=fillers[0].name if fillers else None),
        gr.update(choices=[e.name for e in readers], value=reader), *_heads(reader),
    ]  # fmt: skip


def _chosen(model: str) -> list:
    known = next(e for e in studio.writers() if not e.groups) if hub_text.is_hub(model) else shelf.entry(model)
    groups = dict(known.groups)
    choices = [gr.update(choices=[ANY, *groups.get(name, ())], value=ANY) for name in ("country", "gender")]
    return [
        gr.update(visible=not groups), gr.update(visible=bool(groups)), *choices, gr.update(visible=not groups),
        gr.update(visible=bool(groups)), *knobs.updates(known),
    ]  # fmt: skip


def _heads(model: str) -> list:
    layers, heads = studio_read.size_of(model)
    return [gr.update(maximum=layers, value=1), gr.update(maximum=heads, value=1)]


def _begin(request: gr.Request) -> str:
    return watching.begin(watching.key_of(request, WHAT))


def _stop(request: gr.Request) -> str:
    watching.stop(watching.key_of(request, WHAT))
    return watching.told("Stopping ...")


def _write(request: gr.Request, model, prompt, country, gender, seed, length, count, *given) -> Iterator[list]:
    known, _ = hub_text.opened(model, "write")
    values = knobs.values(known, given)
    asked = {"prompt": prompt or "", "length": length} if not known.groups else {"groups": _groups(country, gender)}
    asked |= {"seed": seed, "count": count if known.groups else 1, "knobs": values}
    latest: list = [()]

    def work():
        written = yield from _counted(studio.steps(model, **asked), latest, known)
        return written

    key = watching.key_of(request, WHAT)
    try:
        made = yield from watching.steps(
            work(), key, lambda bar: [bar, text_look.written(latest[0], done=False), *[gr.skip()] * 5]
        )
    except Stopped:
        yield [watching.told("Stopped: nothing of this text was sealed."), *[gr.skip()] * 6]
        return
    line = _command(known, asked, knobs.changed(known, values))
    yield ["", text_look.written(made.texts, done=True), _notes(made), *_files(made, model), line]


def _counted(work, latest: list, known):
    """Steps of the studio as (done, total, what), the texts so far kept in `latest`."""
    while True:
        try:
            latest[0] = next(work)
        except StopIteration as done:
            return done.value
        drawn = sum(len(text.tokens) for text in latest[0])
        yield drawn, 0, "letters" if known.groups else "tokens"


def _groups(country: object, gender: object) -> dict[str, str]:
    return {name: str(group) for name, group in (("country", country), ("gender", gender)) if group not in (None, ANY)}


def _notes(made: Written) -> str:
    return "".join(f'<p class="note">{html.escape(note)}</p>' for note in made.notes)


def _files(made: Written, model: str) -> list:
    first, name = made.sealed[0], made.names[0]
    paths = [
        stored(first, name), stored_bytes(first.sidecar or b"", studio.claim_name(name)),
        stored_bytes(studio.archive(made), f"{model.rpartition('/')[2]}.zip"),
    ]  # fmt: skip
    return [gr.update(value=path, interactive=True) for path in paths]


def _command(known, asked: dict, turned: dict) -> str:
    words = ["python", "-m", "genlab", "sample", known.name, "--count", str(int(asked["count"]))]
    words += ["--seed", str(asked["seed"])]
    label = "/".join(asked.get("groups", {}).values())
    words += ["--label", label] if label else []
    words += ["--prompt", asked["prompt"]] if asked.get("prompt") else []
    words += ["--length", str(int(asked["length"]))] if "length" in asked else []
    for name, value in turned.items():
        words += ["--knob", f"{name}={value:g}" if isinstance(value, int | float) else f"{name}={value}"]
    return shlex.join([*words, "--out", "samples"])


def _fill(model: str | None, text: str) -> str:
    if not model:
        return '<p class="note">No model on this shelf fills gaps.</p>'
    return text_look.filled(studio_read.fill(model, text))


def _read(model: str, text: str, layer: object, head: object) -> list:
    known = shelf.entry(model)
    top = ""
    if "write" in known.capabilities:
        found = studio_read.surprise(model, text)
        words = f"{found.bits_per_character:.2f} bits a character, as {model} reads it. {' '.join(found.notes)}"
        top = text_look.read(found.tokens, words.strip())
    looks = studio_read.attention(model, text)
    layers, heads = looks.weights.shape[:2]
    at = [
        min(max(1, int(x) if isinstance(x, int | float) else 1), most) for x, most in ((layer, layers), (head, heads))
    ]
    return [top, text_look.attention(looks, *at)]


def _walk(country: str, gender: str, other: str, kind: str) -> str:
    known = next((e for e in studio.writers() if e.groups), None)
    if known is None:
        return '<p class="note">No model on this shelf writes names.</p>'
    columns = []
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    for share in shares:
        made = studio.write(
            known.name, groups={"country": country, "gender": gender}, towards={"country": other, "gender": kind},
            share=share, seed=0, count=8,
        )  # fmt: skip
        columns.append([text.text for text in made.texts])
    head = "".join(f'<th scope="col">{100 * share:.0f} %</th>' for share in shares)
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(name)}</td>' for name in row)}</tr>" for row in zip(*columns, strict=True)
    )
    words = html.escape(f"From {country}, {gender}, to {other}, {kind}")
    return (
        f'<div class="evidence" tabindex="0" role="region" aria-label="{words}"><table><caption>{words}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
