"""One line a record on standard error, for `kubectl logs`."""

import logging


class _QuietProbes(logging.Filter):
    """Probes ask every few seconds; their successes would bury everything else."""

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        if not isinstance(args, tuple) or len(args) < 5:
            return True
        return not (str(args[2]).startswith("/health") and args[4] == 200)


def setup_logging(level: str, debug: bool) -> None:
    name = "DEBUG" if debug else level.upper()
    if name not in logging.getLevelNamesMapping():
        name = "INFO"
    logging.basicConfig(level=name, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    if not debug:
        for chatty in ("httpx", "httpx2", "httpcore", "mcp", "openai"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_QuietProbes())
