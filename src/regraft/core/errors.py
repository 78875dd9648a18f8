"""What can go wrong, as a tree. Catch the narrowest that you can act on.

RegraftError
├── ConfigError      a config, a parameter or the wiring of a recipe is wrong; nothing has run
├── SchemaError      a table or a file does not have the form that its kind asks for
├── ArtifactError    an artifact is missing, incomplete or damaged on disk
├── StoreBusy        another process is making the same artifact
└── StepFailed       a step raised while it ran; its cause is attached

Interrupted is apart: not an error, but the end that was asked for by a signal.

Every message says what is wrong, where, and what to do about it.
"""


class RegraftError(Exception):
    """Root of every error that regraft raises on purpose."""


class ConfigError(RegraftError, ValueError):
    """A config value, a parameter or the wiring of a recipe is wrong. Raised before anything runs."""


class SchemaError(RegraftError):
    """Data does not have the columns, types or order that its kind asks for."""


class ArtifactError(RegraftError):
    """An artifact is missing, incomplete or damaged."""


class StoreBusy(RegraftError):
    """Another process holds the lock of the artifact that is to be made."""


class StepFailed(RegraftError):
    """A step raised while it ran. `__cause__` is the original error; what it wrote is kept beside the store."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to end, and what it needs to go on is saved. The same command continues."""
