"""A picture that somebody uploads, as one that is safe to show: judged by its content, and drawn anew.

What a file says of itself is not believed; JPEG, PNG and WebP are opened, and nothing else. Its size in pixels is known
before a pixel is decoded. The outcome holds pixels alone: no place and camera, no comments, no second file behind it.
"""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps

from chassis.jpegs import MOST_IN_SCANS, is_in_one_scan

SIDE = 512
_MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 16_000_000, "WEBP": 16_000_000}
"""A JPEG is decoded at a fraction of its size unless it is in several scans (see `chassis.jpegs`), the others whole: 64
MB."""
_LONGEST_SIDE = 20_000
_QUALITY = 85


class UnfitPicture(ValueError):
    """A file that is refused: `code` is stable, the message can be shown."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def portrait(content: bytes) -> bytes:
    """The picture as a JPEG that fits into a square of 512 pixels, upright, on white. Raises UnfitPicture."""
    try:
        with warnings.catch_warnings():
            # What Pillow warns of, such as a picture too large for it, is refused here.
            warnings.simplefilter("ignore")
            return _drawn(content)
    except UnfitPicture:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:
        # Pillow raises what its decoders do: OSError, SyntaxError, ValueError, struct.error and others.
        raise UnfitPicture("not_a_picture", "Not a JPEG, PNG or WebP picture that can be read.") from error


def _drawn(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content), formats=tuple(_MOST_PIXELS)) as image:
        width, height = image.size
        # What phones make of several pictures begins as a JPEG, which is the picture.
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        in_scans = kind == "JPEG" and not is_in_one_scan(content)
        if max(width, height) > _LONGEST_SIDE or width * height > (MOST_IN_SCANS if in_scans else _MOST_PIXELS[kind]):
            raise _too_large()
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        upright = ImageOps.exif_transpose(image)
        target = io.BytesIO()
        _opaque(upright).save(target, "JPEG", quality=_QUALITY, optimize=True)
        return target.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    """In red, green and blue; what lets through stands on white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        above = image.convert("RGBA")
        below = Image.new("RGBA", above.size, "white")
        return Image.alpha_composite(below, above).convert("RGB")
    clean = Image.new("RGB", image.size)
    clean.paste(image.convert("RGB"))
    return clean


def _too_large() -> UnfitPicture:
    return UnfitPicture("picture_too_large", "The picture has too many pixels.")
