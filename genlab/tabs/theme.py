"""How the app looks: one theme for light and dark, system fonts, every pair of colours at 4.5:1 or better."""

import gradio as gr
from gradio.themes.utils import colors, sizes

from genlab.tabs import text_look, train_look

TEAL = colors.Color(
    name="lagoon",
    c50="#eefaf8", c100="#d3f2ee", c200="#a8e5de", c300="#74d2c9", c400="#43b8af",
    c500="#1f9a92", c600="#0f7d77", c700="#0b6560", c800="#0a504d", c900="#093f3d", c950="#04211f",
)  # fmt: skip
INK = colors.Color(
    name="slate-green",
    c50="#f6f8f7", c100="#edf1ef", c200="#dce3e0", c300="#c2ccc8", c400="#93a19c",
    c500="#66756f", c600="#4b5954", c700="#38443f", c800="#222b29", c900="#161d1c", c950="#0d1213",
)  # fmt: skip
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The theme; nothing in it is fetched."""
    made = gr.themes.Base(
        primary_hue=TEAL,
        secondary_hue=TEAL,
        neutral_hue=INK,
        radius_size=sizes.radius_lg,
        text_size=sizes.text_md,
        spacing_size=sizes.spacing_md,
        font=SANS,
        font_mono=MONO,
    )
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        border_color_accent="*primary_600",
        border_color_accent_dark="*primary_400",
        color_accent="*primary_700",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*neutral_800",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover="*primary_800",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited="*primary_700",
        link_text_color_visited_dark="*primary_300",
        link_text_color_active="*primary_800",
        link_text_color_active_dark="*primary_200",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="600",
        accordion_text_color="*neutral_800",
        accordion_text_color_dark="*neutral_100",
        input_background_fill="white",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_400",
        input_border_color_dark="*neutral_500",
        input_border_color_focus="*primary_700",
        input_border_color_focus_dark="*primary_300",
        input_border_width="1px",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        checkbox_label_background_fill="*neutral_50",
        checkbox_label_background_fill_dark="*neutral_800",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_border_color_selected="*primary_700",
        checkbox_label_border_color_selected_dark="*primary_300",
        checkbox_label_text_color_selected="*primary_900",
        checkbox_label_text_color_selected_dark="*primary_50",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_600",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white",
        button_primary_text_color_dark="*primary_950",
        button_primary_text_color_hover="white",
        button_primary_text_color_hover_dark="*primary_950",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_400",
        button_secondary_border_color_dark="*neutral_500",
        button_secondary_text_color="*neutral_900",
        button_secondary_text_color_dark="*neutral_100",
        button_border_width="1px",
        error_text_color="#a31b1b",
        error_text_color_dark="#ffb4ab",
        error_icon_color="#a31b1b",
        error_icon_color_dark="#ffb4ab",
    )


CSS = """
.gradio-container { max-width: 1180px !important; width: 100%; margin: 0 auto !important;
  padding: 0 1vw !important; }
.gradio-container > .main { padding: 8px min(28px, 1.6vw) !important; }
.gradio-container main { padding-top: 8px; }
main .html-container { padding: 0 !important; }
footer { opacity: 1 !important; }

#masthead { padding: 14px 2px 2px; }
#masthead h1 { font-size: 1.55rem; line-height: 1.2; margin: 0; letter-spacing: -.015em; font-weight: 700; }
#masthead h1 span { color: var(--color-accent); }
.dark #masthead h1 span { color: var(--primary-300); }
#masthead p { margin: 4px 0 0; color: var(--body-text-color-subdued); max-width: 66ch; }

button[role="tab"] { min-height: 44px; font-size: 1rem !important; color: var(--body-text-color-subdued) !important; }
button[role="tab"][aria-selected="true"] { color: var(--primary-700) !important; font-weight: 600; }
.dark button[role="tab"][aria-selected="true"] { color: var(--primary-300) !important; }

:where(button, input, textarea, select, a, [tabindex], summary):focus-visible {
  outline: 3px solid var(--primary-600) !important; outline-offset: 2px;
}
.dark :where(button, input, textarea, select, a, [tabindex], summary):focus-visible {
  outline-color: var(--primary-300) !important;
}
:where(button, a, input[type="checkbox"], input[type="radio"], summary) { min-height: 24px; min-width: 24px; }
input[type="range"] { min-height: 24px; }

.pixels img, #map img { image-rendering: pixelated; image-rendering: crisp-edges; image-rendering: pixelated; }
.gallery-of-items .grid-wrap { min-height: 430px; max-height: none; }
.gallery-of-items .grid-container { grid-auto-rows: auto !important; align-content: start; }
.gallery-of-items .thumbnail-item { background: #000; border-radius: 8px; overflow: hidden; aspect-ratio: 1;
  height: auto !important; }
.gallery-of-items .caption-label { background: #10161d !important; color: #f2f6f5 !important; border: 0 !important;
  font-size: .74rem !important; padding: 1px 6px !important; max-width: 96%; }
#opened-pictures .grid-container { grid-template-columns: repeat(auto-fill, minmax(100px, 170px)) !important; }
#opened-pictures .grid-wrap { min-height: 0; }
.about p { margin: 2px 0; color: var(--body-text-color-subdued); }
.note { color: var(--body-text-color-subdued); font-size: .92rem; }
.note p { margin: 0; }
.facts { display: flex; flex-wrap: wrap; gap: 6px 8px; margin: 0; font-size: .86rem; }
.facts div { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 2px 9px; display: flex;
  gap: 7px; background: var(--background-fill-primary); max-width: 100%; }
.facts dt { color: var(--body-text-color-subdued); }
.facts dd { margin: 0; overflow-wrap: anywhere; font-weight: 550; }
.sentence { font-size: 1.16rem; font-weight: 650; line-height: 1.35; margin: 0 0 10px; padding: 10px 14px;
  border-radius: 10px; border-inline-start: 6px solid var(--neutral-500);
  background: var(--background-fill-secondary); }
.sentence[data-made="yes"] { border-color: var(--primary-600); }
.sentence[data-made="partly"] { border-color: #c77700; }
.evidence { overflow-x: auto; margin: 10px 0; border: 0 !important; padding: 0 !important; }
.evidence table { display: table !important; overflow: visible !important; width: 100%; border-collapse: collapse;
  font-size: .9rem; }
.evidence :is(table, thead, tbody, tr, th, td) { border: 0 !important; }
.evidence :is(th, td) { text-align: start; vertical-align: top; padding: 6px 12px 6px 0 !important;
  border-bottom: 1px solid var(--border-color-primary) !important; overflow-wrap: break-word; }
.evidence th { white-space: nowrap; }
.evidence .lives { font-weight: 650; }
.evidence .dies { color: var(--body-text-color-subdued); }
.downloads button, .downloads a { font-size: .92rem !important; }
.command textarea { font-family: var(--font-mono); font-size: .82rem !important; }

#map .pad { position: relative; aspect-ratio: 1; width: 100%; border-radius: 14px; overflow: hidden; cursor: crosshair;
  background: #10161d; touch-action: none; user-select: none; }
#map .pad img { width: 100%; height: 100%; display: block; pointer-events: none; margin: 0; }
#map .pad .spot { position: absolute; width: 30px; height: 30px; margin: -15px 0 0 -15px; border: 3px solid #fff;
  border-radius: 50%; box-shadow: 0 0 0 2px #000, inset 0 0 0 2px #000; pointer-events: none; }
#map .pad:focus-visible { outline: 3px solid var(--primary-600); outline-offset: 3px; }
#map ul { display: flex; flex-wrap: wrap; gap: 4px 12px; padding: 8px 0 0; margin: 0; list-style: none;
  font-size: .85rem; }
#map li { display: flex; align-items: center; gap: 6px; margin: 0; padding: 0; }
#map li i { width: 12px; height: 12px; border-radius: 4px; box-shadow: 0 0 0 1px rgb(0 0 0 / .55); }
#map .blank { aspect-ratio: 1; display: grid; place-items: center; border-radius: 14px; background: #10161d;
  color: #f2f6f5; padding: 24px; text-align: center; }

.headlines p { margin: 0 0 6px; font-size: 1.02rem; font-weight: 550; }
.bar { display: flex; flex-direction: column; gap: 4px; padding: 2px 0 8px; }
.bar p { margin: 0; color: var(--body-text-color-subdued); }
table:is(.chart, .heat, .listing) { display: table !important; width: 100%; border: 0 !important; margin: 0 0 14px;
  border-collapse: collapse; font-size: .9rem; }
table:is(.chart, .heat, .listing) :is(tr, thead, tbody) { border: 0 !important; background: none !important; }
table.heat { width: auto; }
table:is(.chart, .heat, .listing) caption { text-align: left; padding: 4px 0 6px; }
table:is(.chart, .heat, .listing) :is(th, td) { text-align: left; padding: 5px 8px; vertical-align: middle;
  border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important; font-weight: 450; }
table:is(.chart, .heat, .listing) thead th { font-size: .8rem; color: var(--body-text-color-subdued); }
table.chart tbody th { white-space: nowrap; }
table.chart td:nth-child(2) { width: 42%; }
table .number { font-variant-numeric: tabular-nums; white-space: nowrap; }
table small { display: block; color: var(--body-text-color-subdued); font-size: .78rem; }
.range { display: flex; justify-content: space-between; }
.track { position: relative; height: 20px; min-width: 90px; border-radius: 6px;
  background: var(--background-fill-secondary); }
.track i { position: absolute; }
:is(.track, .key) .span { height: 8px; top: 6px; border-radius: 4px; background: var(--primary-400); min-width: 2px; }
:is(.track, .key) .dot { width: 10px; height: 10px; top: 5px; border-radius: 50%; background: var(--primary-800); }
:is(.track, .key) .tick { width: 3px; height: 20px; top: 0; background: #b3401f; }
.track .dot { margin-left: -5px; } .track .tick { margin-left: -1.5px; }
.dark :is(.track, .key) .span { background: var(--primary-700); }
.dark :is(.track, .key) .dot { background: var(--primary-200); }
.dark :is(.track, .key) .tick { background: #ffb59c; }
.key { font-size: .82rem; color: var(--body-text-color-subdued); margin-left: 8px; }
.key i { display: inline-block; margin: 0 3px 0 8px; }
.key .span { width: 22px; } .key .tick { height: 14px; vertical-align: -3px; }
.standing.off { font-weight: 650; color: #9c2f10; }
.dark .standing.off { color: #ffb59c; }
.standing.even { color: var(--body-text-color-subdued); }
table.heat td { text-align: center !important; font-variant-numeric: tabular-nums;
  background: color-mix(in srgb, var(--primary-300) calc(var(--heat, 0%) * .75), transparent); }
.dark table.heat td { background: color-mix(in srgb, var(--primary-700) calc(var(--heat, 0%) * .9), transparent); }
table.heat td small { color: inherit; }
table.heat td.empty { outline: 1px dashed var(--body-text-color-subdued); outline-offset: -4px; }
.caveats { font-size: .9rem; }
.caveats ul { margin: 4px 0 10px; padding-left: 20px; }
:is(.every, .caveats) summary { cursor: pointer; padding: 8px 0; font-weight: 600; }
.scroll { overflow-x: auto; max-height: 520px; }
.labelling { display: flex; gap: 18px; flex-wrap: wrap; align-items: flex-start; padding: 10px; border-radius: 12px; }
.labelling > img { width: 256px; height: 256px; object-fit: contain; image-rendering: pixelated; border-radius: 10px;
  background: #fff; margin: 0; }
.labelling > div { flex: 1; min-width: 240px; }
.answers { display: flex; flex-wrap: wrap; gap: 8px; }
.labelling button { border: 1px solid var(--button-secondary-border-color); border-radius: 10px; padding: 8px 12px;
  min-height: 40px; background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color);
  cursor: pointer; font-size: .95rem; }
.labelling button:hover { background: var(--button-secondary-background-fill-hover); }
.labelling kbd { border: 1px solid var(--border-color-primary); border-radius: 5px; padding: 0 6px; margin-right: 4px;
  font-family: var(--font-mono); font-size: .82rem; }
#mitigate-before img, #mitigate-after img { padding-top: 38px; }
.verdict { font-size: 1.02rem; margin: 4px 0; max-width: 74ch; }
.at-work p { margin: 0 0 4px; }
progress { appearance: none; width: 100%; height: 12px; border: 1px solid var(--neutral-500);
  border-radius: 6px; overflow: hidden; background: var(--background-fill-primary); }
progress::-webkit-progress-bar { background: var(--background-fill-primary); }
progress::-webkit-progress-value { background: var(--slider-color); }
progress::-moz-progress-bar { background: var(--slider-color); }
figure.shares { margin: 8px 0; max-width: 720px; --then: var(--neutral-500); --now: var(--primary-700);
  --wanted: #8a4b08; }
.dark figure.shares { --then: var(--neutral-400); --now: var(--primary-300); --wanted: #f5b971; }
.shares figcaption { font-weight: 600; }
.shares .keys { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0 8px; font-size: .85rem; }
.shares .keys span { display: inline-flex; align-items: center; gap: 5px; }
.shares > svg { display: block; overflow: visible; padding: 0 7px; box-sizing: border-box; }
.shares svg { overflow: visible; }
.shares text { fill: var(--body-text-color); font-size: 13px; }
.shares .group { font-weight: 600; }
.shares .tick { font-size: 12px; fill: var(--body-text-color-subdued); }
.shares line { stroke-width: 3; }
.shares line.axis { stroke: var(--border-color-primary); stroke-width: 1; }
.shares line.goal { stroke: var(--wanted); stroke-width: 2; stroke-dasharray: 4 3; }
.shares line.before { stroke: var(--then); } .shares line.after { stroke: var(--now); }
.shares circle.before { fill: var(--then); } .shares circle.after { fill: var(--now); }
.shares rect { fill: var(--background-fill-primary); stroke-width: 2.5; }
.shares rect.before { stroke: var(--then); } .shares rect.after { stroke: var(--now); }
figure.rates { margin: 8px 0; max-width: 640px; --jpeg: #8a4b08; --webp: #5b3fb0; --avif: #1d5fae; --ours: #0b6560; }
.dark figure.rates { --jpeg: #f5b971; --webp: #c4b2ff; --avif: #8cc1ff; --ours: #74d2c9; }
.rates figcaption { font-weight: 600; }
.rates .keys { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0; font-size: .85rem; }
.rates .keys span { display: inline-flex; align-items: center; gap: 5px; }
.rates .keys i { width: 14px; height: 14px; border-radius: 50%; }
.rates svg { width: 100%; display: block; }
.rates line.axis { stroke: var(--border-color-primary); }
.rates text { font-size: 12px; fill: var(--body-text-color-subdued); }
.rates polyline { fill: none; stroke-width: 2.5; }
.rates polyline.jpeg { stroke: var(--jpeg); } .rates polyline.webp { stroke: var(--webp); stroke-dasharray: 7 4; }
.rates polyline.avif { stroke: var(--avif); stroke-dasharray: 2 4; }
.rates circle.jpeg { fill: var(--jpeg); } .rates circle.webp { fill: var(--webp); }
.rates circle.avif { fill: var(--avif); } .rates rect.ours { fill: var(--ours); }
.rates i.jpeg { background: var(--jpeg); } .rates i.webp { background: var(--webp); }
.rates i.avif { background: var(--avif); } .rates .keys i.ours { background: var(--ours); border-radius: 2px; }
.figures { overflow-x: auto; margin: 8px 0; }
.figures :is(table, thead, tbody, tr, th, td) { border: 0 !important; }
.figures table { display: table !important; overflow: visible !important; border-collapse: collapse; font-size: .88rem;
  min-width: 100%; margin: 0; }
.figures-title { font-weight: 600; margin: 12px 0 0 !important; }
.figures th, .figures td { text-align: left; padding: 5px 12px 5px 0; vertical-align: top;
  border-bottom: 1px solid var(--border-color-primary) !important; font-variant-numeric: tabular-nums; }
.figures th { font-weight: 550; } .figures thead th { color: var(--body-text-color-subdued); }
.figures tr.marked > * { background: var(--color-accent-soft); }

.curves { display: flex; flex-wrap: wrap; gap: 8px 20px; }
.curve { margin: 0; flex: 1 1 240px; max-width: 320px; }
:is(.curve, .series) figcaption { font-size: .88rem; }
:is(.curve, .series) svg { width: 100%; height: auto; display: block; }
:is(.curve, .series) text { font-size: 11px; fill: var(--body-text-color-subdued); }
:is(.curve, .series) polyline { fill: none; stroke: var(--primary-600); stroke-width: 1.6; }
.dark :is(.curve, .series) polyline { stroke: var(--primary-300); }
.curve .axis { fill: none; stroke: var(--body-text-color-subdued); }
.curve circle { fill: #b42318; stroke: #fff; stroke-width: 1.5; }
.series { margin: 0 0 10px; }
.series .alarm { fill: #c0281b; }
.series .truth { fill: var(--neutral-500); }
#detect-items .scroll { max-height: 640px; }
.found img { display: block; max-width: none; border-radius: 6px; background: #000; margin: 0; }
.headlines ul.note { margin: 0 0 8px; padding-left: 1.1em; }

.ends img { object-fit: contain; }
#decoded .image-container, .ends .image-container { background: #000; }
.tight { gap: 8px !important; }
.prose table { font-size: .9rem; display: block; overflow-x: auto; }
button.label-wrap { text-align: left; }
.card-text .token { color: inherit !important; background: none !important; }
.card-text table { border: 0 !important; }
.card-text th, .card-text td { overflow-wrap: normal; word-break: normal; }
.card-text pre code { white-space: pre-wrap; overflow-wrap: anywhere; }
.card-text { max-width: 78ch; }
h2.part { font-size: 1.08rem; font-weight: 650; margin: 10px 0 0; }

@media (min-width: 769px) {
  .stays { position: sticky; top: 10px; align-self: flex-start; }
}
@media (max-width: 768px) {
  .evidence.layers tr { display: flex; flex-wrap: wrap; }
  .evidence.layers :is(th, td) { border-bottom: 0 !important; padding: 4px 12px 2px 0 !important; }
  .evidence.layers tbody :is(th, td):last-child { flex-basis: 100%; padding-bottom: 8px !important; }
  .explore > .column { display: contents; }
  .explore > .column > * { order: 2; }
  .explore > .stays > * { order: 3; }
  .explore > .column > .dimensions, .explore > .column > :has(.dimensions) { order: 4; }
  .explore #decoded { position: sticky; top: 0; z-index: 20; order: 1; height: 172px !important; width: 100%;
    box-shadow: 0 6px 16px rgb(0 0 0 / .25); }
  .explore #decoded-words { order: 1; }
  table.chart td:nth-child(2) { width: 26%; }
  .track { min-width: 64px; }
  table:is(.chart, .heat) :is(th, td) { padding: 5px 4px; font-size: .82rem; white-space: normal; }
  .tab-wrapper { height: auto !important; }
  [role="tablist"] { flex-wrap: wrap !important; height: auto !important; overflow: visible !important; }
  button[role="tab"] { flex-shrink: 0 !important; padding: 0 10px !important; font-size: .95rem !important; }
  .stacks { flex-direction: column !important; }
  .result-first { flex-direction: column !important; }
  .result-first > .result { order: -1; }
  .result-first > * { min-width: 100% !important; }
  #mitigate-before, #mitigate-after { height: 290px !important; }
  .result-first > * { max-width: 100%; }
  #detect-items .scroll { max-width: calc(100vw - 16px); }
  .curve { flex-basis: 140px; }
  table.found :is(th, td) { padding: 4px 5px 4px 0 !important; font-size: .82rem; }
  .found img { width: 46px; height: 46px; }
  .gallery-of-items .grid-wrap { min-height: 300px; padding: 6px !important; }
  .gallery-of-items .grid-container { gap: 6px !important; }
  .gallery-of-items .caption-label { font-size: .66rem !important; padding: 0 4px !important; }
  .gallery-of-items .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation-duration: .01ms !important; animation-iteration-count: 1 !important;
    transition-duration: .01ms !important; scroll-behavior: auto !important; }
}
"""
CSS += train_look.CSS + text_look.CSS
