"""What takes seconds on first use, done in a background thread after launch."""

import logging
import threading

log = logging.getLogger(__name__)


def warm_up() -> None:
    """Import torch, load and try the models, make charts, layouts, an example audit and a detector; log problems."""
    from genlab.studio import bias_audit, detect_session, encode, flat_map, generate, shelf
    from genlab.studio.latent_map import chart

    for known in shelf.generators():
        try:
            generate.generate(known.name, count=16)
        except Exception:
            log.warning("%s could not be warmed up", known.name, exc_info=True)
    try:
        bias_audit.example()
    except Exception:
        log.warning("The example of the bias audit could not be made", exc_info=True)
    try:
        for _ in detect_session.learn(detect_session.Wanted(detect_session.FIRST)):
            pass
    except Exception:
        log.warning("The first detector could not be learnt", exc_info=True)
    for known in encode.explorables():
        try:
            chart(known.name)
        except Exception:
            log.warning("%s has no chart yet", known.name, exc_info=True)
    try:
        flat_map.comparison(wait=True)
    except Exception:
        log.warning("The example items are not all laid out yet", exc_info=True)


def in_background() -> threading.Thread:
    """Start `warm_up` in a daemon thread."""
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread
