"""What images are made of here: EXIF blocks, XMP packets, segments of JPEG, whole TIFF files."""

import struct

from kept import HEIGHT, WIDTH, rgb, saved

TYPES = {"byte": (1, "B"), "short": (3, "H"), "long": (4, "I"), "signed_short": (8, "h"),
         "signed_long": (9, "i"), "float": (11, "f"), "ifd": (13, "I")}


def ifd(entries, order="<", start=8):
    """Entries (tag, type, count, packed value) and what they point to."""
    body, outside = struct.pack(order + "H", len(entries)), b""
    outside_at = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, data in entries:
        if len(data) > 4:
            value = struct.pack(order + "I", outside_at + len(outside))
            outside += data + b"\0" * (len(data) % 2)
        else:
            value = data.ljust(4, b"\0")
        body += struct.pack(order + "HHI", tag, kind, count) + value
    return body + b"\0\0\0\0" + outside


def header(order="<"):
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)


def orientation(value, kind="short", order="<"):
    number, code = TYPES[kind]
    return 274, number, 1, struct.pack(order + code, value)


def exif(*entries, order="<"):
    return header(order) + ifd(entries, order)


def xmp(value, element=False):
    field = f"<tiff:Orientation>{value}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{value}"'
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description{attribute}>{field}'
            '</rdf:Description></rdf:RDF></x:xmpmeta>').encode()


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def app1(block):
    return segment(0xE1, b"Exif\0\0" + block)


def app1_xmp(packet):
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


JPEG = saved(rgb, "jpeg", quality=95, subsampling=0)


def behind_start(*parts, data=JPEG):
    return data[:2] + b"".join(parts) + data[2:]


def tiff(samples, photometric, bits, order="<", extra=(), compression=1, strips=None, **options):
    """A file of one strip for each of `strips` (default: one of all bytes of `samples`)."""
    strips = strips or [samples]
    count = len(bits)
    shorts = lambda *values: (3, len(values), struct.pack(f"{order}{len(values)}H", *values))
    longs = lambda *values: (4, len(values), struct.pack(f"{order}{len(values)}I", *values))
    tags = {256: shorts(WIDTH), 257: shorts(HEIGHT), 258: shorts(*bits), 259: shorts(compression),
            262: shorts(photometric), 277: shorts(count), 278: shorts(HEIGHT),
            273: longs(*[0] * len(strips)), 279: longs(*map(len, strips))}
    if extra:
        tags[338] = shorts(*extra)
    for tag, value in options.get("tags", {}).items():
        tags[tag] = value if isinstance(value[0], int) and len(value) == 3 and isinstance(
            value[2], bytes) else shorts(*value)
    length = len(ifd([(tag, *value) for tag, value in sorted(tags.items())], order))
    offsets = [8 + length + sum(map(len, strips[:index])) for index in range(len(strips))]
    tags[273] = longs(*offsets)
    return header(order) + ifd([(tag, *value) for tag, value in sorted(tags.items())], order) \
        + b"".join(strips)


def packed(levels, bits):
    """Rows of numbers of 1, 2 or 4 bits, each row padded to whole bytes."""
    rows = b""
    for row in levels:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows += int(text, 2).to_bytes(len(text) // 8, "big")
    return rows
