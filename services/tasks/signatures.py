"""A signature: a name, typed in full, and the word that it is meant as one; with it perhaps a picture of it."""

from __future__ import annotations

import io
import warnings
from typing import Any

from PIL import Image, ImageOps

from chassis.jpegs import MOST_IN_SCANS, is_in_one_scan
from services.tasks.unfit_files import UnfitFile

SIDE = 1200
_MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 8_000_000}
"""A JPEG, as a phone makes it of a sheet of paper, is decoded at a fraction of its size unless it is in several scans
(see `chassis.jpegs`), a PNG whole: 32 MB."""
_LONGEST_SIDE = 20_000
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
        with warnings.catch_warnings():
            # What Pillow warns of, such as a picture too large for it, is refused here.
            warnings.simplefilter("ignore")
            drawn = _drawn(content)
    except UnfitFile:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:
        # Pillow raises what its decoders do: OSError, SyntaxError, ValueError, struct.error and others.
        raise UnfitFile("not_a_picture", "Not a JPEG or PNG picture that can be read.") from error
    if _is_blank(drawn):
        raise UnfitFile("signature_blank", "There is nothing drawn on the picture.")
    target = io.BytesIO()
    drawn.save(target, "PNG", optimize=True)
    return target.getvalue()


def _drawn(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=tuple(_MOST_PIXELS)) as image:
        width, height = image.size
        # What phones make of several pictures begins as a JPEG, which is the picture.
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        in_scans = kind == "JPEG" and not is_in_one_scan(content)
        if max(width, height) > _LONGEST_SIDE or width * height > (MOST_IN_SCANS if in_scans else _MOST_PIXELS[kind]):
            raise _too_large()
        image.draft("L", (2 * SIDE, 2 * SIDE))
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    grey: Any = Image.alpha_composite(paper, upright).convert("L")
    clean = Image.new("L", grey.size)
    clean.paste(grey)
    return clean


def _is_blank(drawn: Image.Image) -> bool:
    """Whether hardly anything stands out from what most of it is: a page of one colour, white or black."""
    shades = drawn.histogram()
    paper = max(range(256), key=shades.__getitem__)
    marks = sum(count for shade, count in enumerate(shades) if abs(shade - paper) > _CONTRAST)
    return marks < _FEWEST_MARKS


def _too_large() -> UnfitFile:
    return UnfitFile("picture_too_large", "The picture has too many pixels.")
