"""Errors of the daemon that end it, each with the exit status it causes and the remedy in its text."""

from node.exit_codes import ExitCode


class NodeError(Exception):
    """A condition the daemon cannot work under. The text names the input and the remedy."""

    exit_code = ExitCode.BUG


class ConfigError(NodeError):
    """The configuration is wrong; carries one message per mistake."""

    exit_code = ExitCode.USAGE

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class InputRefusedError(NodeError):
    """A command was given something that does not exist; the message says what does."""

    exit_code = ExitCode.USAGE
