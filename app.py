"""GenLab in a browser: assembles the tabs and launches them. `python app.py`, then http://127.0.0.1:7860."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from genlab import device

if device.ZERO_GPU:
    import spaces  # noqa: F401  (must come before torch)

import logging

import gradio as gr

from genlab.studio import warm_up
from genlab.tabs import (
    api,
    api_audit,
    api_codes,
    api_detect,
    api_mitigate,
    api_pixels,
    api_text,
    api_train,
    autoencoders,
    bias,
    cards,
    compress,
    detect,
    explore,
    generate,
    measure,
    mitigate,
    names,
    pixels,
    text,
    theme,
    train,
    verify,
)
from genlab.tabs.middleware import Limits

ON_SPACE = bool(os.environ.get("SPACE_ID"))
HOUR = 3600
MASTHEAD = """
<header id="masthead"><h1>Gen<span>Lab</span></h1>
<p>Generative models trained by this repository, running live. Every file you take away says how it was made.</p>
</header>
"""


def build() -> gr.Blocks:
    """The page: one tab for each thing a visitor may want to do."""
    with gr.Blocks(title="GenLab", delete_cache=(HOUR, 2 * HOUR), analytics_enabled=False) as demo:
        gr.HTML(MASTHEAD, padding=False)
        with gr.Tab("Generate"):
            generate.build(demo)
        with gr.Tab("Explore"):
            explore.build(demo)
        with gr.Tab("Pixels") as pixels_tab:
            pixels.build(pixels_tab)
        with gr.Tab("Text") as text_tab:
            text.build(text_tab)
        with gr.Tab("Autoencoders") as kinds_tab:
            autoencoders.build(kinds_tab)
        with gr.Tab("Compress") as compress_tab:
            compress.build(demo, compress_tab)
        with gr.Tab("Bias audit") as audit_tab:
            bias.build(audit_tab)
        with gr.Tab("Mitigate"):
            mitigate.build(demo)
        with gr.Tab("Detect") as detect_tab:
            detect.build(detect_tab)
        with gr.Tab("Train") as train_tab:
            train.build(train_tab)
        with gr.Tab("Measure") as measure_tab:
            measure.build(measure_tab)
        with gr.Tab("Verify") as verify_tab:
            verify.build(demo, verify_tab)
        with gr.Tab("Cards"):
            cards.build(demo)
        api.build()
        api_audit.build()
        api_mitigate.build()
        api_codes.build()
        api_pixels.build()
        api_text.build()
        api_detect.build()
        api_train.build()
    return demo.queue(max_size=64, default_concurrency_limit=4)


def launch(demo: gr.Blocks) -> None:
    """Serve it: on this machine only, or as a Space wants it."""
    from starlette.middleware import Middleware

    where = {} if ON_SPACE else {"server_name": os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")}
    demo.launch(
        **where,
        theme=theme.theme(),
        css=theme.CSS,
        js=names.SCRIPT,
        ssr_mode=False,
        mcp_server=True,
        show_error=False,
        max_file_size="64mb",
        allowed_paths=[],
        strict_cors=True,
        enable_monitoring=False,
        run_history=False,
        state_session_capacity=500,
        footer_links=["api"],
        app_kwargs={"middleware": [Middleware(Limits, behind_proxy=ON_SPACE)]},
        prevent_thread_lock=True,
    )
    warm_up.in_background()
    demo.block_thread()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    launch(build())
