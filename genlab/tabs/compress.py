"""Compress: a picture to a `.glz` file beside what other codecs make of it, and such a file back to its pictures."""

import html
import shlex
from pathlib import Path
from typing import Any

import gradio as gr

from genlab.studio import compare as studio
from genlab.studio import compress as files
from genlab.studio import rivals, uploads
from genlab.studio.compare import OURS, Comparison
from genlab.studio.compress import Returned
from genlab.tabs import compress_charts as charts
from genlab.tabs.api import AT_ONCE, HEAVY, endpoint
from genlab.tabs.errors import guarded
from genlab.tabs.files import stored_bytes, uploaded_path, uploaded_paths

WAITING = '<p class="note">Nothing was compressed yet: give a picture, or take one of those shipped.</p>'
LIMITS = (
    "Without a loss every pixel comes back, and it is checked before the file is given out. A model codes pictures of "
    "the kind and size it has learned (28 x 28 grey clothes); all others go to the best of PNG, WebP and xz, in our "
    "container. Nothing that you give here is kept, and your own picture comes back unmarked."
)
WAYS = ("Every pixel back", "Smaller, with a loss")
SHOWN = 24  # decoded pictures on the page; the files hold all


def build(demo: gr.Blocks, tab: gr.Tab | None = None) -> None:
    """The tab's contents, its events, and the public endpoints `compress` and `decompress`.

    Args:
        tab: a shipped item is compressed when it is first chosen.
    """
    held, source = gr.State(None), gr.State(None)
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=4, min_width=300):
            upload = gr.File(label="A picture, or a .glz file to open", height=150, elem_id="compress-file")
            with gr.Row(elem_classes="tight"):
                names = list(studio.shipped())
                data = gr.Dropdown(names, value=names[0], label="Or a shipped item", filterable=False, min_width=150)
                number = gr.Number(3, label="Number", precision=0, min_width=90)
            take = gr.Button("Compress it", variant="primary", elem_id="compress-it")
            way = gr.Radio(list(WAYS), value=WAYS[0], label="What comes back", visible=False)
            quality = gr.Slider(*files.QUALITIES, value=50, step=1, label="Quality", visible=False)
            aim = gr.Radio(list(rivals.AIMS), value=rivals.AIMS[0], label="JPEG, WebP and AVIF at")
            share = gr.Slider(
                *studio.SHARES, value=100, step=1, label="What they may take of our size, in per cent",
                info="PNG and lossless WebP stay as they are.",
            )  # fmt: skip
            gr.Markdown(LIMITS, elem_classes="note")
        with gr.Column(scale=7, min_width=320, elem_classes="result"):
            told = gr.HTML(WAITING, elem_id="compressed", padding=False)
            out = gr.File(label="To take away", interactive=False, visible=False, file_count="multiple",
                          elem_id="compress-out")  # fmt: skip
            with gr.Column(visible=False, elem_id="comparison") as comparison:
                which = gr.Radio([OURS], value=OURS, label="After", elem_id="compress-which")
                slider = gr.ImageSlider(
                    label="Before and after: drag, scroll to zoom", height=380, max_height=380, interactive=False,
                    image_mode=None, type="filepath", buttons=["fullscreen"], elem_classes="pixels",
                    elem_id="compress-slider",
                )  # fmt: skip
                with gr.Row(elem_classes="tight"):
                    residual = gr.Image(
                        label=f"What differs, {studio.AMPLIFIED} times", height=240, interactive=False, image_mode=None,
                        buttons=["fullscreen"], min_width=140, elem_classes="pixels",
                        alt_text="The difference between before and after; black where there is none",
                    )  # fmt: skip
                    bits = gr.Image(
                        label="Bits of each pixel", height=240, interactive=False, image_mode=None,
                        buttons=["fullscreen"], min_width=140, elem_classes="pixels",
                        alt_text="How many bits each pixel costs: dark few, bright many",
                    )  # fmt: skip
                figures = gr.HTML("", elem_id="compress-figures", padding=False)
            with gr.Column(visible=False, elem_id="opened") as opened:
                gallery = gr.Gallery(
                    label="What the file holds", height=300, columns=4, interactive=False, preview=False,
                    buttons=["fullscreen"], elem_classes=["pixels", "gallery-of-items"], elem_id="opened-pictures",
                )  # fmt: skip
            command = gr.Textbox(
                label="Copy as command", lines=1, interactive=False, buttons=["copy"], visible=False,
                elem_classes="command",
            )  # fmt: skip

    private = {"api_visibility": "private", "preprocess": False}
    shared = {"concurrency_id": HEAVY, "concurrency_limit": AT_ONCE}
    controls = [way, quality, aim, share]
    seen = [slider, residual, bits]
    result = [held, told, comparison, which, *seen, figures, opened, gallery, out, command]
    demo.load(guarded(_arrive), None, [way], show_progress="hidden", api_visibility="private")
    if tab is not None:
        tab.select(guarded(_first), [source, data, number, *controls], [source, *result], show_progress="hidden",
                   **private, **shared)  # fmt: skip
    upload.upload(guarded(_uploaded), upload, source, **private, queue=False).success(
        guarded(_show), [source, *controls], result, **private, **shared
    )
    take.click(guarded(_taken), [data, number], source, **private, queue=False).success(
        guarded(_show), [source, *controls], result, **private, **shared
    )
    gr.on(
        [aim.input, share.release, quality.release, way.input], guarded(_again), [source, *controls], result,
        trigger_mode="always_last", **private, **shared,
    )  # fmt: skip
    way.input(guarded(_way), way, quality, queue=False, show_progress="hidden", **private)
    aim.input(guarded(_aim), aim, share, queue=False, show_progress="hidden", **private)
    which.input(guarded(_look), [held, which], seen, show_progress="hidden", trigger_mode="always_last",
                **private, **shared)  # fmt: skip
    with gr.Row(visible=False):
        file, paths, model, rate, answer, button = (
            gr.File(), gr.File(file_count="multiple"), gr.Textbox(), gr.Number(), gr.JSON(), gr.Button(),
        )  # fmt: skip
    endpoint(button, compress, [paths, model, rate], [file, answer])
    endpoint(button, decompress, [file], [paths, answer])


# ---- for programs


def compress(pictures: list[str], model: str, quality: float) -> tuple[str, dict[str, Any]]:
    """Make one .glz file of one or more pictures; without a quality every pixel comes back.

    Args:
        pictures: PNG, JPEG, WebP, GIF or BMP files.
        model: the model that shall code; empty for whichever makes the file smaller.
        quality: 1 to 100 for a smaller file with a loss; null for none.

    Returns:
        The file, and {"bytes", "bits_per_pixel", "pictures": [{"name", "coder", "height", "width", "channels"}]}.
    """
    given = uploaded_paths(pictures)
    media = [uploads.read_file(path) for _, path in given]
    made = files.compress([name for name, _ in given], media, model=model or None, quality=quality)
    listed = [
        {"name": name, "coder": coder, "height": item.shape[0], "width": item.shape[1], "channels": item.shape[2]}
        for name, coder, item in zip(made.names, made.coders, made.items, strict=True)
    ]
    told = {"bytes": len(made.file), "bits_per_pixel": made.bits_per_pixel, "pictures": listed}
    return stored_bytes(made.file, file_name(made.names[0])), told


def decompress(file: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Open a .glz file: its pictures as PNGs, sealed again where the signed claim inside it holds.

    Args:
        file: a .glz file.

    Returns:
        The PNG files, and for each {"name", "coder", "sealed", "note"}.
    """
    found = files.decompress(uploads.read_file(uploaded_path(file)))
    told = [{"name": p.name, "coder": p.coder, "sealed": p.sealed is not None, "note": p.note} for p in found]
    return [stored_bytes(p.media, f"{p.name}.png") for p in found], told


def file_name(name: str) -> str:
    """What a compressed file is called."""
    return f"{name}.glz"


# ---- events


def _arrive() -> Any:
    return gr.update(visible=bool(files.codecs()))


def _first(source: tuple[str, bytes] | None, data: str, number: object, *controls) -> list:
    """Something to look at for a visitor who has given nothing yet."""
    if source is not None:
        return [gr.skip()] * 13
    item = _taken(data, number)
    return [item, *_show(item, *controls)]


def _uploaded(payload: object) -> tuple[str, bytes]:
    ((name, path),) = uploaded_paths(payload)[:1] or [("", None)]
    return name, uploads.read_file(path)


def _taken(data: str, number: object) -> tuple[str, bytes]:
    return studio.example(data, number)


def _way(way: str) -> Any:
    return gr.update(visible=way == WAYS[1])


def _aim(aim: str) -> Any:
    return gr.update(visible=aim == rivals.AIMS[0])


def _again(source: tuple[str, bytes] | None, way: str, quality: float, aim: str, share: float) -> list:
    """A control was turned: the same for the picture that is there; nothing where there is none, or a file of ours."""
    if source is None or studio.is_archive(source[1]):
        return [gr.skip()] * 12
    return _show(source, way, quality, aim, share)


def _show(source: tuple[str, bytes], way: str, quality: float, aim: str, share: float) -> list:
    name, media = source
    if studio.is_archive(media):
        return _opened(name, files.decompress(media))
    asked = quality if way == WAYS[1] else None
    found = studio.compare(name, media, quality=asked, aim=aim, share=share)
    written = file_name(found.made.names[0])
    with_loss = f" --quality {quality:g}" if asked is not None else ""
    line = f"python -m genlab compress {shlex.quote(name)} --out {shlex.quote(written)}{with_loss}"
    choices = list(found.lossy())
    first = OURS if asked is not None else choices[1] if len(choices) > 1 else OURS
    return [
        found, _told(found, name, len(media)), gr.update(visible=True), gr.update(choices=choices, value=first),
        *_look(found, first), charts.plot(found) + charts.rows(found) + charts.parts(found),
        gr.update(visible=False), None, gr.update(value=[stored_bytes(found.made.file, written)], visible=True),
        gr.update(value=line, visible=True),
    ]  # fmt: skip


def _look(found: Comparison | None, which: str) -> list:
    if found is None:
        return [gr.skip()] * 3
    before, after, residual, bits = studio.views(found, which)
    pair = (stored_bytes(before, "before.png"), stored_bytes(after, "after.png"))
    return [pair, stored_bytes(residual, "difference.png"), stored_bytes(bits, "bits.png")]


def _opened(name: str, found: list[Returned]) -> list:
    paths = [stored_bytes(p.media, f"{p.name}.png") for p in found]
    shown = [(path, p.name) for path, p in list(zip(paths, found, strict=True))[:SHOWN]]
    line = f"python -m genlab decompress {shlex.quote(name)} --out pictures"
    return [
        None, _told_opened(found), gr.update(visible=False), gr.skip(), None, None, None, "",
        gr.update(visible=True), shown, gr.update(value=paths, visible=True), gr.update(value=line, visible=True),
    ]  # fmt: skip


# ---- what they fill in


def _told(found: Comparison, name: str, given: int) -> str:
    lossless = [other for other in found.others if not other.file]
    best = min(lossless, key=lambda other: other.size)
    coder = found.ours.setting
    ours = f"{found.ours.size:,} bytes, {found.bits_per_pixel(found.ours):.2f} bits per pixel, coded by {coder}."
    beside = f"{best.codec.partition(',')[0]} takes {best.size:,} for every pixel; the file you gave has {given:,}."
    kept = "Every pixel comes back; that was checked." if found.ours.psnr == float("inf") else (
        f"What comes back is {found.ours.psnr:.1f} dB from it."
    )  # fmt: skip
    smaller = "yes" if found.ours.size < best.size else "partly"
    return (
        f'<p class="sentence" data-made="{smaller}">{html.escape(Path(name).name)}: {html.escape(ours)}</p>'
        f'<p class="note">{html.escape(f"{beside} {kept}")}</p>'
    )


def _told_opened(found: list[Returned]) -> str:
    sealed = sum(p.sealed is not None for p in found)
    coders = "; ".join(sorted({p.coder for p in found}))
    words = f"{len(found):,} picture{'s' * (len(found) != 1)}, coded by {coders}."
    seals = "No claim of this lab came with them, so they leave as they came, unmarked."
    if sealed:
        seals = f"{sealed:,} made here: the claims inside hold, and they are sealed again."
    notes = " ".join(sorted({p.note for p in found} - {""}))
    more = f" The first {SHOWN} are shown." if len(found) > SHOWN else ""
    return (
        f'<p class="sentence" data-made="yes">{html.escape(words)}</p>'
        f'<p class="note">{html.escape(f"{seals} {notes}{more}")}</p>'
    )
