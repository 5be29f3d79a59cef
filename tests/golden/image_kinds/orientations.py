"""Which way up: EXIF in every number type and byte order, XMP, and where both stand."""

import struct
import zlib

from blocks import JPEG, TYPES, app1, app1_xmp, behind_start, exif, orientation, tiff, xmp
from kept import PIXELS, case, rgb, saved


def jpeg_orientations():
    def keep(name, *parts):
        case("jpeg orientation, " + name, behind_start(*parts), 3)

    for value in range(10):
        keep(f"short {value}", app1(exif(orientation(value))))
        keep(f"xmp {value}", app1_xmp(xmp(value, element=value % 2 == 1)))
    for order, byte_order in [("<", "little"), (">", "big")]:
        for kind in TYPES:
            for value in [3, 6, 8]:
                block = exif(orientation(value, kind, order), order=order)
                keep(f"{kind} {byte_order} {value}", app1(block))
        rational = 274, 5, 1, struct.pack(order + "II", 6, 1)
        keep(f"rational {byte_order}", app1(exif(rational, order=order)))
        two = 274, 3, 2, struct.pack(order + "HH", 6, 3)
        keep(f"two values {byte_order}", app1(exif(two, order=order)))
        four = 274, 3, 4, struct.pack(order + "HHHH", 8, 3, 1, 1)
        keep(f"four values {byte_order}", app1(exif(four, order=order)))
    six, three = orientation(6), orientation(3)
    other = 271, 2, 6, b"maker\0"
    keep("text", app1(exif((274, 2, 2, b"6\0"))))
    keep("undefined", app1(exif((274, 7, 1, b"\6"))))
    keep("double", app1(exif((274, 12, 1, struct.pack("<d", 6)))))
    keep("behind another tag", app1(exif(other, six)))
    keep("twice in a block", app1(exif(six, three)))
    keep("behind one of an unknown type", app1(exif((270, 99, 1, b"abcd"), six)))
    keep("empty, then one", app1(exif((274, 3, 0, b""), three)))
    outside = exif((271, 2, 9, b"maker\0"), six)
    keep("behind one that lies outside", app1(outside.replace(struct.pack("<I", 38), b"\xff\xff\0\0")))
    keep("behind one that is too large", app1(exif((271, 2, 1 << 20, b"maker\0"), six)))
    keep("cut block", app1(exif(six, other)[:30]))
    keep("marker twice", app1(b"Exif\0\0" + exif(six)))
    keep("two blocks", app1(exif(six)), app1(exif(three)))
    keep("two blocks, first without", app1(exif(other)), app1(exif(three)))
    block = exif(other, (305, 2, 8, b"program\0"), six)
    keep("block over two segments", app1(block[:25]), app1(block[25:]))
    keep("behind JFIF's own place", JPEG[2:20], app1(exif(six)))
    keep("exif 1 before xmp 6", app1(exif(orientation(1))), app1_xmp(xmp(6)))
    keep("exif 0 before xmp 6", app1(exif(orientation(0))), app1_xmp(xmp(6)))
    keep("exif without, xmp 6", app1(exif(other)), app1_xmp(xmp(6)))
    keep("xmp 6 before exif 3", app1_xmp(xmp(6)), app1(exif(three)))
    keep("two xmp", app1_xmp(xmp(6)), app1_xmp(xmp(3)))
    keep("xmp in single quotes", app1_xmp(xmp(6).replace(b'"', b"'")))
    keep("padded", JPEG[2:20], b"\0\0\0", app1(exif(six)), b"\xff\xff\xff")


def chunk(kind, body):
    return (struct.pack(">I", len(body)) + kind + body
            + struct.pack(">I", zlib.crc32(kind + body)))


PNG = saved(rgb, "png")


def png_orientations():
    def keep(name, before=b"", after=b""):
        data = PNG[:33] + before + PNG[33:-12] + after + PNG[-12:]
        case("png orientation, " + name, data)

    block = exif(orientation(6))
    profile = f"\nexif\n{len(block):8}\n".encode() + block.hex().encode() + b"\n"
    keyword = b"XML:com.adobe.xmp\0"
    for value in range(1, 9):
        keep(f"{value}", chunk(b"eXIf", exif(orientation(value))))
        keep(f"behind the pixels {value}", after=chunk(b"eXIf", exif(orientation(value))))
    keep("long", chunk(b"eXIf", exif(orientation(8, "long", ">"), order=">")))
    keep("long behind the pixels", after=chunk(b"eXIf", exif(orientation(8, "long"))))
    keep("marker", chunk(b"eXIf", b"Exif\0\0" + block))
    keep("before and behind", chunk(b"eXIf", block), chunk(b"eXIf", exif(orientation(3))))
    keep("xmp", chunk(b"iTXt", keyword + b"\0\0\0\0" + xmp(6)))
    keep("xmp with language", chunk(b"iTXt", keyword + b"\0\0en\0key\0" + xmp(6, True)))
    keep("xmp compressed", chunk(b"iTXt", keyword + b"\1\0\0\0" + zlib.compress(xmp(6))))
    keep("xmp behind the pixels", after=chunk(b"iTXt", keyword + b"\0\0\0\0" + xmp(8)))
    keep("xmp as plain text", chunk(b"tEXt", keyword + xmp(6)))
    keep("xmp as compressed text", chunk(b"zTXt", keyword + b"\0" + zlib.compress(xmp(6))))
    keep("xmp under another keyword", chunk(b"tEXt", b"Comment\0" + xmp(6)))
    keep("exif 3 over xmp 6", chunk(b"iTXt", keyword + b"\0\0\0\0" + xmp(6)),
         chunk(b"eXIf", exif(orientation(3))))
    keep("profile", chunk(b"tEXt", b"Raw profile type exif\0" + profile))
    keep("profile compressed",
         chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)))
    keep("profile and chunk", chunk(b"tEXt", b"Raw profile type exif\0" + profile),
         chunk(b"eXIf", exif(orientation(3))))
    frames = saved(rgb, "png", save_all=True, append_images=[rgb.rotate(180)])
    case("png orientation, behind an animation",
         frames[:-12] + chunk(b"eXIf", block) + frames[-12:])


def webp_orientations():
    def keep(name, data):
        case("webp orientation, " + name, data)

    def save(**options):
        return saved(rgb, "webp", lossless=True, **options)

    for value in range(1, 9):
        keep(f"{value}", save(exif=exif(orientation(value))))
        keep(f"xmp {value}", save(xmp=xmp(value)))
    keep("long", save(exif=exif(orientation(6, "long"))))
    keep("long big", save(exif=exif(orientation(6, "long", ">"), order=">")))
    data = save(exif=exif(orientation(6)), xmp=xmp(3))
    keep("exif and xmp", data)
    flags = data.index(b"VP8X") + 8
    for value in [0x00, 0x04, 0x08]:
        keep(f"announced {value}", data[:flags] + bytes([value]) + data[flags + 1:])
    second = b"EXIF" + struct.pack("<I", len(exif(orientation(3)))) + exif(orientation(3))
    data += second
    keep("two blocks", data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def tiff_orientations():
    for order, byte_order in [("<", "little"), (">", "big")]:
        for kind in ["short", "long"]:
            for value in [1, 3, 6, 8]:
                number, code = TYPES[kind]
                tags = {274: (number, 1, struct.pack(order + code, value))}
                data = tiff(PIXELS.tobytes(), 2, (8, 8, 8), order, tags=tags)
                case(f"tiff orientation, {kind} {byte_order} {value}", data)
    for kind in [1, 7]:
        tags = {700: (kind, len(xmp(6)), xmp(6))}
        case(f"tiff orientation, xmp of type {kind}", tiff(PIXELS.tobytes(), 2, (8, 8, 8), tags=tags))
    tags |= {274: (3,)}
    case("tiff orientation, tag and xmp", tiff(PIXELS.tobytes(), 2, (8, 8, 8), tags=tags))
    case("tiff orientation, big file", saved(rgb, "tiff", big_tiff=True, tiffinfo={274: 6}))
