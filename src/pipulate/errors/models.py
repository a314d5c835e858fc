"""Errors of language models, and of the actions they ask for."""

from __future__ import annotations

from pipulate.errors.root import PipulateError


class ModelError(PipulateError):
    """A language model gave no answer, or broke off; what came before is kept."""

    code = "model.failed"


class ModelMissingError(ModelError):
    """There is no language model to ask, or not the one that was asked."""

    code = "model.missing"


class ModelUnreachableError(ModelError):
    """The server of the model does not answer."""

    code = "model.unreachable"


class ModelLoadingError(ModelError):
    """The server of the model answers, and the model is not in memory yet; asking again in a moment helps."""

    code = "model.loading"


class ModelStalledError(ModelError):
    """The model began, or not even that, and then said nothing for too long."""

    code = "model.stalled"


class ModelCutError(ModelError):
    """The connection ended before the answer did."""

    code = "model.cut"


class ModelNonsenseError(ModelError):
    """The server sent what is no answer of a language model."""

    code = "model.nonsense"


class ModelUnfitError(ModelError):
    """A model was asked for something in a given form, and what it answered did not fit; asked again, neither.

    Attributes:
        mistakes: What is wrong with the last answer.
    """

    code = "model.unfit"

    def __init__(self, mistakes: str) -> None:
        self.mistakes = mistakes
        super().__init__(
            f"The model answered, and what it answered cannot be used: {mistakes.rstrip('.')}. Asking once more may"
            " help, or another model."
        )


class ModelRefusedError(ModelError):
    """The server said no, and why: its own error, a wrong key, too many requests."""

    code = "model.refused"


class ModelTooLongError(ModelError):
    """What the model would have to read is more than it can take."""

    code = "model.too_long"


class CallError(PipulateError):
    """Something asked of a call could not be done."""

    code = "call.failed"


class CallNotFoundError(CallError):
    """There is no such call in a conversation of the person's."""

    code = "call.not_found"

    def __init__(self) -> None:
        super().__init__("There is no such proposal any more.")


class CallDecidedError(CallError):
    """A call was decided already, or is not what was shown when it was decided."""

    code = "call.decided"


class ActionFailedError(CallError):
    """The code of an app raised in an action of its own; the log holds the traceback under `error_id`.

    Attributes:
        app: Stored name of the app.
        action: Stored name of what was called.
        error_id: Id of the entry in the log.
    """

    code = "call.action_failed"

    def __init__(self, app: str, action: str, kind: str, error_id: str) -> None:
        self.app, self.action, self.error_id = app, action, error_id
        super().__init__(
            f"The app {app!r} made an error in {action!r} ({kind}), so this was not done. The server's log has the"
            f" details under the id {error_id}."
        )
