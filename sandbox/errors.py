"""The sandbox's error tree: broken machinery. How a script ends is a value, never one of these.

SandboxError
+-- EngineUnavailable     no container engine answers
+-- ImageMissing          the sandbox image is not on the engine
+-- BuildFailed           the sandbox image could not be built
+-- ProbeFailed           the engine answers, but does not isolate as it must
+-- ContainerLost         a container could not be started, or ended before its script began
+-- ProtocolViolation     a script wrote what is no message (caught; it is outcome kind `protocol`)
+-- InterpreterMissing    the Monty interpreter is not installed or does not start
"""


class SandboxError(Exception):
    """Base of everything the sandbox raises about its own machinery."""


class EngineUnavailable(SandboxError):
    """No container engine answers at the address the environment names."""


class ImageMissing(SandboxError):
    """The engine has no image of this tag; `greenlight sandbox build` makes it."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"image {tag} is not built")
        self.tag = tag


class BuildFailed(SandboxError):
    """The sandbox image could not be built."""


class ProbeFailed(SandboxError):
    """A canary container was not isolated as scripts must be; nothing may run there."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class ContainerLost(SandboxError):
    """A container could not be started, or ended before its script began."""


class ProtocolViolation(SandboxError):
    """A script wrote to the runner's pipe what is no message of the protocol."""


class InterpreterMissing(SandboxError):
    """The Monty interpreter is not installed, or its worker process does not start."""
