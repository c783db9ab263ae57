"""clients: what becomes of an uploaded picture, and which files are none."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from PIL import Image

from services.clients.pictures import SIDE, UnfitPicture, portrait
from tests.hostile_files import jpeg_of, of_several


def drawn(kind: str = "JPEG", size: tuple[int, int] = (1000, 600), mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    colour = {
        "RGB": (200, 30, 30),
        "RGBA": (200, 30, 30, 0),
        "L": 90,
        "LA": (90, 0),
        "P": 3,
        "1": 1,
        "CMYK": (9, 9, 9, 0),
    }
    Image.new(mode, size, colour[mode]).save(target, kind, **options)
    return target.getvalue()


def seen(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(portrait(content)))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_made_to_fit_and_keeps_its_shape(kind: str) -> None:
    assert seen(drawn(kind)).size == (SIDE, 307)
    assert seen(drawn(kind, (20, 10))).size == (20, 10)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")])
def test_what_lets_through_stands_on_white(kind: str, mode: str) -> None:
    assert seen(drawn(kind, mode=mode)).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "L"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "L"), ("JPEG", "CMYK")])
def test_every_kind_of_colours_is_understood(kind: str, mode: str) -> None:
    assert seen(drawn(kind, mode=mode)).size == (SIDE, 307)


def test_it_is_turned_upright_and_says_nothing_of_place_and_camera() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Canary camera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    content = drawn(exif=exif, comment=b"Canary comment")
    assert b"Canary" in content
    image = seen(content)
    assert image.size == (307, SIDE)
    assert b"Canary" not in portrait(content)
    assert not image.getexif()
    assert "comment" not in image.info


def test_what_hides_behind_a_picture_is_left_behind() -> None:
    for kind in ("JPEG", "PNG"):
        assert b"<script>" not in portrait(drawn(kind) + b"<script>alert(1)</script>")
    icc = drawn("JPEG", icc_profile=b"<script>profile")
    assert b"<script>" not in portrait(icc)


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with a few bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


HOSTILE = {
    "empty": b"", "text": b"hello", "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<html><script>alert(1)</script></html>", "pdf": b"%PDF-1.7\n", "zip": b"PK\x03\x04" + bytes(100),
    "gif": drawn("GIF", mode="P"), "tiff": drawn("TIFF"), "bmp": drawn("BMP"), "ico": drawn("ICO", (64, 64)),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cut jpeg": drawn(size=(1000, 1000), quality=95)[:900],
    "cut png": drawn("PNG")[:200], "cut webp": drawn("WEBP")[:60], "named a picture": b"\xff\xd8\xff\xe0 no picture",
    "no pixels": png_of(0, 0),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UnfitPicture) as caught:
        portrait(content)
    assert caught.value.code == "not_a_picture"


@pytest.mark.parametrize(
    "size", [(4001, 4000), (20_001, 1), (1, 20_001), (60_000, 60_000), (2**31 - 1, 2**31 - 1), (15_000, 15_000)]
)
def test_a_flood_of_pixels_is_refused_before_one_is_decoded(size: tuple[int, int]) -> None:
    tracemalloc.start()
    with pytest.raises(UnfitPicture) as caught:
        portrait(png_of(*size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code == "picture_too_large"
    assert peak < 2_000_000


def test_a_jpeg_of_a_phone_is_taken() -> None:
    assert seen(drawn(size=(8000, 6000))).size == (SIDE, 384)


def test_a_jpeg_of_several_pictures_is_the_first_of_them() -> None:
    assert seen(of_several(drawn("JPEG"))).size == (512, 307)


def test_a_jpeg_that_would_lie_in_memory_whole_may_be_smaller_than_another() -> None:
    with pytest.raises(UnfitPicture, match="too many pixels"):
        portrait(jpeg_of(4000, 3000, progressive=True))
    assert seen(drawn("JPEG", progressive=True)).size == (512, 307)
