"""Files that must not be kept, and some like them that must: what people who mean harm upload."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

TYPES = "[Content_Types].xml"
PLAIN = {TYPES: b"<Types/>", "word/document.xml": b"<document/>"}
SHEET = {TYPES: b"<Types/>", "xl/workbook.xml": b"<workbook/>"}
SCRIPT = b"<script>alert(document.cookie)</script>"


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(target, kind)
    return target.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with a few bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int, **options: object) -> bytes:
    """A JPEG that says it is so large, with the pixels of a small one."""
    target = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(target, "JPEG", **options)
    content = target.getvalue()
    frame = content.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    return content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]


def of_several(content: bytes) -> bytes:
    """A JPEG as phones make it of several pictures, this one twice."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.save(target, "MPO", save_all=True, append_images=[image.copy()])
    return target.getvalue()


def archive(parts: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return target.getvalue()


def pdf(inside: bytes = b"") -> bytes:
    return b"%PDF-1.7\n" + inside + b"\ntrailer << /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"


def _twice() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in (*PLAIN.items(), ("word/Document.xml", b"<other/>")):
            packed.writestr(name, content)
    return target.getvalue().replace(b"word/Document.xml", b"word/document.xml")


def _locked() -> bytes:
    """Says of each part that it is encrypted."""
    content = bytearray(archive(PLAIN))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + place] |= 1
            start = content.find(mark, start + 4)
    return bytes(content)


def _symlink() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in PLAIN.items():
            packed.writestr(name, content)
        link = zipfile.ZipInfo("word/media/picture.png")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    return target.getvalue()


def _bomb(name: str, parts: Mapping[str, bytes], megabytes: int) -> bytes:
    return archive({**parts, name: bytes(megabytes * 1024 * 1024)})


def _lying_bomb() -> bytes:
    """Its table of contents says that the large part is small."""
    size = 40 * 1024 * 1024
    return _bomb("xl/media/image1.bin", SHEET, 40).replace(struct.pack("<I", size), struct.pack("<I", 100))


def _many_parts() -> bytes:
    return archive({**PLAIN, **{f"p/{number:x}": b"" for number in range(6000)}}, zipfile.ZIP_STORED)


def _entity(encoding: str) -> bytes:
    text = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'
    return archive({**PLAIN, "word/document.xml": text.encode(encoding)})


def _laughs() -> bytes:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return archive({**SHEET, "xl/sharedStrings.xml": f'<!DOCTYPE l [<!ENTITY l0 "ha">{lines}]><l>&l9;</l>'.encode()})


def _with(**parts: bytes) -> bytes:
    return archive({**PLAIN, **{name.replace("__", "/").replace("_dot_", "."): part for name, part in parts.items()}})


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "white space": lambda: b" \r\n\t",
    # Not what is taken at all.
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg">' + SCRIPT + b"</svg>",
    "svg after a declaration": lambda: b'<?xml version="1.0"?>\n<!-- a picture --><svg onload="alert(1)"/>',
    "svg after white space": lambda: b"\xef\xbb\xbf" + b" " * 10_000 + b"<svg/>",
    "html": lambda: b"<!DOCTYPE html><html>" + SCRIPT + b"</html>",
    "xml with an entity": lambda: b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>',
    "program of windows": lambda: b"MZ" + bytes(58) + b"\x80\x00\x00\x00" + bytes(64) + b"PE\x00\x00",
    "program of linux": lambda: b"\x7fELF\x02\x01\x01" + bytes(200),
    "program in java": lambda: b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + bytes(100),
    "archive": lambda: archive({"notes.txt": b"x"}),
    "archive of gzip": lambda: b"\x1f\x8b\x08\x00" + bytes(100),
    "archive of rar": lambda: b"Rar!\x1a\x07\x01\x00" + bytes(100),
    "archive of 7z": lambda: b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(100),
    "old document of office": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000),
    "postscript with a null": lambda: b"%!PS-Adobe-3.0\n\x00",
    "flash": lambda: b"FWS\x0a" + bytes(100),
    "picture of windows": lambda: picture("BMP"),
    "picture of a fax": lambda: picture("TIFF"),
    "picture of a page's title": lambda: picture("ICO"),
    "bytes of chance": lambda: bytes(range(256)) * 20,
    "text with a null": lambda: b"Dear Sir,\x00",
    "half a letter": lambda: b"Dear S\xc3",
    # Of another kind than they begin as.
    "named a jpeg": lambda: b"\xff\xd8\xff\xe0 no picture",
    "named a png": lambda: b"\x89PNG\r\n\x1a\n no picture",
    "named a gif": lambda: b"GIF89a/*" + SCRIPT,
    "named a webp": lambda: b"RIFF\x10\x00\x00\x00WEBP no picture",
    "named a pdf": lambda: b"%PDF-1.7\n",
    "named a document": lambda: b"PK\x03\x04" + bytes(200),
    # Two things in one.
    "jpeg and page": lambda: picture() + SCRIPT,
    "png and page": lambda: picture("PNG") + b"<HTML><body onload=alert(1)>",
    "gif and program": lambda: picture("GIF") + b"<?php system($_GET[0]); ?>",
    "jpeg and archive": lambda: picture() + archive({"a.class": b"x"}),
    "png and archive": lambda: picture("PNG") + archive(PLAIN),
    "jpeg and pdf": lambda: picture()[:20] + pdf() + picture()[20:],
    "pdf and page": lambda: b"%PDF-1.7\n<html>" + SCRIPT + pdf(),
    "pdf and archive": lambda: pdf() + archive({"a.class": b"x"}),
    "song and page": lambda: b"ID3\x03\x00\x00\x00\x00\x00\x00" + SCRIPT,
    "film and page": lambda: b"\x00\x00\x00\x18ftypmp42" + bytes(12) + SCRIPT,
    "document after a page": lambda: SCRIPT + archive(PLAIN),
    "archive before a document": lambda: b"PK\x03\x04" + archive(PLAIN),
    "document and spreadsheet": lambda: archive({**PLAIN, **SHEET}),
    # Documents that carry something.
    "document with a program": lambda: _with(word__vbaProject_dot_bin=b"x"),
    "document with a program inside": lambda: _with(word__embeddings__invoice_dot_exe=b"MZ"),
    "document with an entity": lambda: _entity("utf-8"),
    "document with an entity in utf-16": lambda: _entity("utf-16"),
    "workbook with a billion laughs": _laughs,
    "document with a password": _locked,
    "document with a part twice": _twice,
    "document with a link": _symlink,
    "document that leaves its folder": lambda: archive({**PLAIN, "../../etc/cron.d/x": b"x"}),
    "document from the root": lambda: archive({**PLAIN, "/etc/passwd": b"x"}),
    "document with a windows path": lambda: archive({**PLAIN, "C:\\windows\\x": b"x"}),
    "half a document": lambda: archive(PLAIN)[:-30],
    # Floods.
    "document that unpacks to much": lambda: _bomb("word/media/image1.bin", PLAIN, 60),
    "workbook that unpacks to much": lambda: _bomb("xl/worksheets/sheet1.xml", SHEET, 60),
    "workbook that lies of its size": _lying_bomb,
    "document of many parts": _many_parts,
    "pixels of a png": lambda: png_of(60_000, 60_000),
    "pixels in a line": lambda: png_of(2**31 - 1, 1),
    "no pixels": lambda: png_of(0, 0),
}  # fmt: skip

HARMLESS: dict[str, tuple[Callable[[], bytes], str]] = {
    "jpeg": (picture, "jpg"),
    "png": (lambda: picture("PNG"), "png"),
    "gif": (lambda: picture("GIF"), "gif"),
    "webp": (lambda: picture("WEBP"), "webp"),
    "a phone's jpeg with more behind it": (lambda: picture(size=(400, 300)) + b"MotionPhoto_Data" + bytes(500), "jpg"),
    "a phone's heic": (lambda: b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100), "heic"),
    "pdf": (pdf, "pdf"),
    "pdf about pages": (lambda: pdf(bytes(2000) + b"stream <html> endstream"), "pdf"),
    "document": (lambda: archive(PLAIN), "docx"),
    "document with pictures": (lambda: archive({**PLAIN, "word/media/image1.png": picture("PNG")}), "docx"),
    "workbook": (lambda: archive({**SHEET, "xl/worksheets/sheet1.xml": b"<c/>" * 100_000}), "xlsx"),
    "text": (lambda: "Señor, 1 < 2".encode(), "txt"),
    "card": (lambda: b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n", "vcf"),
    "song": (lambda: b"ID3\x03\x00\x00\x00\x00\x00\x00" + bytes(100), "mp3"),
}
