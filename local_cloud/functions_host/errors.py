"""What can go wrong in the host itself, each with the text that the operator reads on stderr."""


class HostError(Exception):
    """The host cannot run this app; the text says which function or setting is the reason."""


class AppLoadError(HostError):
    """The app does not load: one bad function means no function at all, as on the real host."""

    def __init__(self, message: str, stack: str) -> None:
        super().__init__(message)
        self.stack = stack


class MissingSettingError(Exception):
    """An app setting named by `%NAME%` is not in the environment."""

    def __init__(self, setting: str) -> None:
        super().__init__(f"'%{setting}%' does not resolve to a value: the app setting {setting} is missing")
        self.setting = setting


class InvocationError(Exception):
    """A function ended with an exception.

    Attributes:
        message: `ErrorType: text`, as the worker reports it.
        stack: The Python traceback with its causes.
    """

    def __init__(self, message: str, stack: str) -> None:
        super().__init__(message)
        self.message = message
        self.stack = stack
