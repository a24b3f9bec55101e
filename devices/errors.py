"""Errors of the devices package, by whose fault they are."""

EXIT_CONFIGURATION = 2
EXIT_ALREADY_CONTROLLED = 3
EXIT_STATE = 4
EXIT_NOT_HANDED_OVER = 5
"""Exit codes of the control process for the errors that end it."""


class DeviceError(Exception):
    """Anything this package raises on purpose."""


class ConfigurationError(DeviceError):
    """The owner's fault: the configuration is wrong. `problems` holds one message per mistake."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ProfileError(DeviceError):
    """The owner's fault: a profile file is unreadable; names the line, the column and the reason."""


class ServiceError(DeviceError):
    """The operator's fault: a service that is not known, a curve that is none, or a value out of its range."""


class MessageError(DeviceError):
    """The peer's fault: bytes on the control socket that are no message of ours."""


class AlreadyControlledError(DeviceError):
    """The operator's fault: another control process holds this data directory; the message names it."""


class NotHandedOverError(DeviceError):
    """The control process that holds the devices keeps them; the message says why."""


class ControlError(DeviceError):
    """The control process could not be started or reached within the allowed attempts."""


class StateError(DeviceError):
    """The disk's fault: the saved state of the control process does not read back."""
