"""What takes seconds on first use, done in a background thread after launch."""

import logging
import threading

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Import torch, load the models, draw from each once and make the charts; problems go to the log only."""
    from genlab.studio import encode, generate, shelf
    from genlab.studio.latent_map import chart

    for known in shelf.with_capability("generate"):
        try:
            generate.generate(known.name, count=16)
        except Exception:
            log.warning("%s could not be warmed up", known.name, exc_info=True)
    for known in encode.explorables():
        try:
            chart(known.name)
        except Exception:
            log.warning("%s has no chart yet", known.name, exc_info=True)


def in_background() -> threading.Thread:
    """Start `warm_up` in a daemon thread."""
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread
