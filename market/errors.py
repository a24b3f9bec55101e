"""What can be wrong with the market's inputs, by whose fault it is.

`OrderError`, `FeederError`, `AmountError` and `CertificateError` are the fault of whoever wrote the input:
nothing is cleared, and the message names the place. They are expected from people and peers, so a shell
shows the message and goes on.
"""

from ledger.errors import InvalidGenesis, PeerError


class MarketError(Exception):
    """Any error that this package raises on purpose."""


class InputError(MarketError):
    """The input is wrong, whoever wrote it: show the message, clear nothing."""


class AmountError(InputError):
    """A text that is no exact amount: not a plain decimal number, too many decimals, or out of range."""


class OrderError(InputError):
    """An order, or a set of orders, that no auction can take."""


class FeederError(InputError):
    """A feeder that is no tree, or a limit or price on it that makes no sense."""


class CertificateError(InputError):
    """A certificate that does not prove a clearing of these orders on this feeder; the message says what fails."""


class FileError(InputError):
    """A file with mistakes. `mistakes` holds one line of text per mistake, each with its place."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


class MalformedPayload(InputError, PeerError):  # noqa: N818 - as `Malformed` in the ledger
    """An entry's payload does not say what its kind demands; its author is at fault."""


class InvalidRules(InputError, InvalidGenesis):  # noqa: N818 - as `InvalidGenesis` in the ledger
    """The market rules of a genesis cannot found a cell; `where` names the field."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where} {reason}")
        self.where = where
