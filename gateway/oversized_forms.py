"""What a client typed into a form whose files are too large together: its texts are read, and of its files nothing."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, MultipartDecoder, NeedData

MOST_PARTS = 5_000
"""Of a form of the client's page: its fields, the files chosen and the boxes ticked."""
_HELD = 512 * 1024
"""Bytes of a body that are kept until it is clear which part they are of."""


class TextFields:
    """Takes in a multipart body bit by bit, and keeps its fields that are no files, up to `most` bytes of them. What
    cannot be read ends it: the fields before are there."""

    def __init__(self, content_type: str, most: int) -> None:
        self.found: MultiDict[str, str] = MultiDict()
        boundary = parse_options_header(content_type)[1].get("boundary", "").encode()
        self._decoder = MultipartDecoder(boundary, _HELD, max_parts=MOST_PARTS) if boundary else None
        self._left = most
        self._name: str | None = None
        self._text = b""

    def take(self, some: bytes) -> None:
        """The next bytes of the body."""
        if self._decoder is None:
            return
        try:
            self._decoder.receive_data(some)
            while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
                self._read(event)
        except (ValueError, RequestEntityTooLarge):
            self._decoder = None

    def _read(self, event: object) -> None:
        if not isinstance(event, Data):
            self._name, self._text = (event.name if isinstance(event, Field) else None), b""
            return
        if self._name is None:
            return
        self._left -= len(event.data)
        if self._left < 0:
            raise RequestEntityTooLarge
        self._text += event.data
        if not event.more_data:
            self.found.add(self._name, self._text.decode("utf-8", "replace"))
