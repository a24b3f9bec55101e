"""Shell: the signals that ask a long simulation to end: it then says what was done."""

import signal


def heed_interrupts() -> None:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt, also where a shell started us in its background.

    A shell without job control starts its background jobs with SIGINT ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
