"""A picture that somebody uploads, opened so that it does no harm.

What a file says of itself is not believed: pictures of the named formats are opened, and nothing else. Its size in
pixels is known before a pixel is decoded. What is drawn of it holds pixels alone: no place and camera, no comments, no
second file behind it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from PIL import Image, ImageOps

from chassis.jpegs import MOST_IN_SCANS, is_in_one_scan

_LONGEST_SIDE = 20_000


class NoPicture(ValueError):
    """It cannot be read as a picture of any of the formats."""


class TooManyPixels(ValueError):
    """It would take too much memory."""


@contextmanager
def opened(content: bytes, most_pixels: Mapping[str, int], *, side: int, mode: str) -> Iterator[Image.Image]:
    """The picture, upright, made small enough for a square of `side` pixels. What fails while it is open is its fault.

    `most_pixels`: what a picture of each format may have. A JPEG is decoded at a fraction of its size, as `mode` has
    it, unless it is in several scans (see `chassis.jpegs`), the others whole. Raises NoPicture, TooManyPixels.
    """
    try:
        with warnings.catch_warnings():
            # What Pillow warns of, such as a picture too large for it, is refused here.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=tuple(most_pixels)) as image:
                _demand_few_pixels(image, content, most_pixels)
                image.draft(mode, (2 * side, 2 * side))
                image.thumbnail((side, side), Image.Resampling.LANCZOS)
                yield ImageOps.exif_transpose(image)
    except TooManyPixels:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixels from error
    except Exception as error:
        # Pillow raises what its decoders do: OSError, SyntaxError, ValueError, struct.error and others.
        raise NoPicture from error


def _demand_few_pixels(image: Image.Image, content: bytes, most_pixels: Mapping[str, int]) -> None:
    width, height = image.size
    # What phones make of several pictures begins as a JPEG, which is the picture.
    kind = "JPEG" if image.format == "MPO" else image.format or ""
    in_scans = kind == "JPEG" and not is_in_one_scan(content)
    if max(width, height) > _LONGEST_SIDE or width * height > (MOST_IN_SCANS if in_scans else most_pixels[kind]):
        raise TooManyPixels
