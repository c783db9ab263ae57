"""Files that a provider keeps for messages, and what can go wrong with fetching one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.stand_ins.server import Connection, response, spawn


@dataclass
class Media:
    """A file: `content` in hex. `announce` false: without a length. `status`: what is answered in its place. `drip`:
    seconds before each byte. `location`: where its address leads to. `times`: how many requests find it unlike itself;
    after them it is simply there."""

    content: str = ""
    content_type: str = "image/jpeg"
    announce: bool = True
    status: int = 200
    drip: float = 0.0
    location: str | None = None
    times: int | None = None


def give(connection: Connection, media: Media | None) -> None:
    """Answers with a file."""
    if media is None:
        connection.write(response(404, {"status": 404, "code": 20404, "message": "Not found"}))
        return
    odd = media.times is None or media.times > 0
    if media.times:
        media.times -= 1
    content = bytes.fromhex(media.content)
    if odd and media.location is not None:
        connection.write(response(307, {}, f"Location: {media.location}\r\n"))
    elif odd and media.status != 200:
        connection.write(response(media.status, {}))
    elif odd and media.drip:
        spawn(_drip(connection, response(200, content, content_type=media.content_type), len(content), media.drip))
    elif media.announce:
        connection.write(response(200, content, content_type=media.content_type))
    else:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {media.content_type}\r\nConnection: close\r\n\r\n"
        connection.write(head.encode() + content)
        connection.transport.close()


async def _drip(connection: Connection, answer: bytes, size: int, seconds: float) -> None:
    connection.write(answer[:-size])
    for at in range(len(answer) - size, len(answer)):
        await asyncio.sleep(seconds)
        connection.write(answer[at : at + 1])
