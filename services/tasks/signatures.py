"""A signature: a name, typed in full, and the word that it is meant as one; with it perhaps a picture of it."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from chassis.pictures import NoPicture, TooManyPixels, opened
from services.tasks.unfit_files import UnfitFile

SIDE = 1200
_MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 8_000_000}
"""A JPEG, as a phone makes it of a sheet of paper; a PNG is decoded whole: 32 MB."""
_FEWEST_MARKS = 20
"""Pixels that must stand out from the paper: fewer are dust."""
_CONTRAST = 48
"""Of 255, by which a pixel stands out."""


def drawing(content: bytes) -> bytes:
    """The picture of a signature, drawn anew as a PNG in shades of grey on white that fits into a square of 1200
    pixels: pixels alone, no place and camera, no second file behind it.

    Raises UnfitFile `not_a_picture`, `picture_too_large` or `signature_blank`.
    """
    try:
        with opened(content, _MOST_PIXELS, side=SIDE, mode="L") as upright:
            drawn = _on_white(upright)
    except TooManyPixels as error:
        raise UnfitFile("picture_too_large", "The picture has too many pixels.") from error
    except NoPicture as error:
        raise UnfitFile("not_a_picture", "Not a JPEG or PNG picture that can be read.") from error
    if _is_blank(drawn):
        raise UnfitFile("signature_blank", "There is nothing drawn on the picture.")
    target = io.BytesIO()
    drawn.save(target, "PNG", optimize=True)
    return target.getvalue()


def _on_white(upright: Image.Image) -> Image.Image:
    above = upright.convert("RGBA")
    paper = Image.new("RGBA", above.size, "white")
    grey: Any = Image.alpha_composite(paper, above).convert("L")
    clean = Image.new("L", grey.size)
    clean.paste(grey)
    return clean


def _is_blank(drawn: Image.Image) -> bool:
    """Whether hardly anything stands out from what most of it is: a page of one colour, white or black."""
    shades = drawn.histogram()
    paper = max(range(256), key=shades.__getitem__)
    marks = sum(count for shade, count in enumerate(shades) if abs(shade - paper) > _CONTRAST)
    return marks < _FEWEST_MARKS
