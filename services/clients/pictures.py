"""A client's picture: one that somebody uploads, drawn anew as one that is safe to show."""

from __future__ import annotations

import io

from PIL import Image

from chassis.pictures import NoPicture, TooManyPixels, opened

SIDE = 512
_MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 16_000_000, "WEBP": 16_000_000}
"""What is decoded whole takes 64 MB."""
_QUALITY = 85


class UnfitPicture(ValueError):
    """A file that is refused: `code` is stable, the message can be shown."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def portrait(content: bytes) -> bytes:
    """The picture as a JPEG that fits into a square of 512 pixels, upright, on white. Raises UnfitPicture."""
    target = io.BytesIO()
    try:
        with opened(content, _MOST_PIXELS, side=SIDE, mode="RGB") as upright:
            _opaque(upright).save(target, "JPEG", quality=_QUALITY, optimize=True)
    except TooManyPixels as error:
        raise UnfitPicture("picture_too_large", "The picture has too many pixels.") from error
    except NoPicture as error:
        raise UnfitPicture("not_a_picture", "Not a JPEG, PNG or WebP picture that can be read.") from error
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
