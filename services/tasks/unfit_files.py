"""Why a file is refused."""

from __future__ import annotations


class UnfitFile(ValueError):
    """A file that is refused: `code` is stable, the message can be shown, `limits` say what would have done."""

    def __init__(self, code: str, message: str, **limits: object) -> None:
        self.code = code
        self.message = message
        self.limits = {name: str(limit) for name, limit in limits.items()}
        super().__init__(message)
