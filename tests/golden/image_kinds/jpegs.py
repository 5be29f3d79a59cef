"""Padding, junk and odd segments in JPEG, and its colours."""

import struct

from PIL import Image

from blocks import JPEG, behind_start, segment
from kept import HEIGHT, case, refuse, rgb, saved


def between_segments(data, junk):
    """`junk` behind every segment up to the first scan; a file begins with one at once."""
    out, at = data[:20], 20
    while data[at + 1] != 0xDA:
        end = at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        out += junk + data[at:end]
        at = end
    return out + junk + data[at:]


def between_scans(data, junk):
    """`junk` before every table and scan behind the first scan."""
    out, at = data[:2], 2
    seen = False
    while True:
        marker = data[at + 1]
        if marker == 0xD9:
            return out + junk + data[at:]
        end = at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
        if marker == 0xDA:
            while data[end] != 0xFF or data[end + 1] == 0:
                end += 1
        out += (junk if seen else b"") + data[at:end]
        seen |= marker == 0xDA
        at = end


def jpegs():
    progressive = saved(rgb, "jpeg", quality=95, subsampling=0, progressive=True)
    junk = {"zeros": b"\0" * 5, "one zero": b"\0", "fill bytes": b"\xff" * 4, "text": b"junk text",
            "stuffed": b"\x0a\xff\0\xff\0\x07", "newline": b"\r\n",
            "zeros and fill bytes": b"\0\0\xff\xff", "restart": b"\xff\xd3"}
    for kind, data in [("baseline", JPEG), ("progressive", progressive)]:
        for name, bytes_between in junk.items():
            case(f"jpeg {kind}, {name} between segments", between_segments(data, bytes_between), 3)
    for name in ["zeros", "fill bytes"]:
        case(f"jpeg progressive, {name} between scans", between_scans(progressive, junk[name]), 3)
        case(f"jpeg baseline, {name} before the end", between_scans(JPEG, junk[name]), 3)
    # Data that are all zeros to their end are no padding.
    for side in [8, 16, 24, 40, 64, 72, 128]:
        flat = Image.new("RGB", (side, 8), (128, 128, 128))
        for progressive_scans in [False, True]:
            data = saved(flat, "jpeg", quality=95, optimize=True, progressive=progressive_scans)
            kind = "progressive" if progressive_scans else "baseline"
            case(f"jpeg {kind}, flat, {side} wide", data, 1)
            case(f"jpeg {kind}, flat, {side} wide, padded", between_scans(data, junk["zeros"]), 1)
    for marker in [0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF]:
        for length in [0, 1, 2, 3]:
            body = b"x" * max(0, length - 2)
            head = bytes([0xFF, marker]) + struct.pack(">H", length) + body
            case(f"jpeg segment {marker:02x} of length {length}", behind_start(head), 3)
            case(f"jpeg segment {marker:02x} of length {length} and junk",
                 behind_start(head + b"\x0a\0\xff\0"), 3)
    bodies = {"exif without block": (0xE1, b"Exif\0\0"), "xmp without packet":
              (0xE1, b"http://ns.adobe.com/xap/1.0/\0"), "profile that is cut":
              (0xE2, b"ICC_PROFILE\0\1\5abc"), "extended xmp that is cut":
              (0xE1, b"http://ns.adobe.com/xmp/extension/\0abc"), "short Adobe": (0xEE, b"Adobe\0d"),
              "Adobe with 9": (0xEE, b"Adobe\0d\0\0\0\0\x09"), "Photoshop": (0xED, b"Photoshop 3.0\0"),
              "Adobe with 0 beside JFIF": (0xEE, b"Adobe\0d\0\0\0\0\0"),
              "lines": (0xDC, struct.pack(">H", HEIGHT)), "conditioning": (0xCC, b"\0\0")}
    for name, (marker, body) in bodies.items():
        head = segment(marker, body)
        case(f"jpeg with {name}", JPEG[:20] + head + JPEG[20:], 3)
    plain = JPEG[:2] + JPEG[20:]
    for transform in [0, 1, 2, 9]:
        head = segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([transform]))
        case(f"jpeg without JFIF, Adobe with {transform}", behind_start(head, data=plain), 3)
    case("jpeg without JFIF and Adobe", plain, 3)
    case("jpeg in RGB", saved(rgb, "jpeg", quality=95, subsampling=0, keep_rgb=True), 3)
    cmyk = saved(rgb.convert("CMYK"), "jpeg", quality=95)
    adobe = cmyk.index(b"Adobe") - 4
    for transform in [0, 2, 9]:
        data = bytearray(cmyk)
        data[adobe + 15] = transform
        case(f"jpeg of four inks, Adobe with {transform}", bytes(data), 4)
    case("jpeg of four inks without Adobe", cmyk[:adobe] + cmyk[adobe + 16:], 4)
    padded = between_segments(JPEG, b"\0" * 5)
    refuse("jpeg half, padded", padded[:len(padded) // 2], "truncated")
    refuse("jpeg half, filled with zeros", JPEG[:len(JPEG) // 2].ljust(len(JPEG), b"\0"), "truncated")
    refuse("jpeg cut behind its header", JPEG[:JPEG.index(b"\xff\xda") + 14], "truncated")
