"""Makes images of kinds that decoders disagree on, and what Pillow reads from them.

    python make.py

Kinds: which way up (EXIF in every number type and byte order, XMP, where both stand), JPEGs with
padding and junk between their segments, colours of TIFF, first pictures of GIF. `files.zlib` holds
the files and `expected.zlib` the upright RGB bytes, one after the other and then packed as a whole,
as they repeat each other; `manifest.json` names them with offsets, sizes and the tolerance in
levels, and the version of Pillow. `refused` lists what must be an error, with the words that it
holds.
"""

import io
import json
import pathlib
import struct
import warnings
import zlib

import numpy
import PIL
import PIL.ImageOps
from PIL import Image, PngImagePlugin

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 13, 9
cases, refused = [], []
files, expected = bytearray(), bytearray()
warnings.simplefilter("ignore")


def picture():
    """Smooth and different in every corner, so that a wrong orientation shows."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH] / (WIDTH - 1)
    waves = [0.15 + 0.8 * x, 0.5 + 0.45 * numpy.sin(5 * y + 2 * x), 0.9 - 0.7 * y]
    return (numpy.stack(waves, 2) * 255).round().astype(numpy.uint8)


PIXELS = picture()
rgb = Image.fromarray(PIXELS)
grey = rgb.convert("L")
alpha = Image.fromarray((PIXELS[:, :, 0] // 2 + 90).astype(numpy.uint8))


def store(name, data):
    files.extend(data)
    return {"name": name, "file_offset": len(files) - len(data), "file_length": len(data)}


def case(name, data, tolerance=0, pixels=None):
    """Pillow's answer, unless `pixels` says why it is another."""
    if pixels is None:
        image = PIL.ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        pixels = numpy.asarray(image.convert("RGB"))
    cases.append(store(name, data) | {
        "offset": len(expected), "width": pixels.shape[1], "height": pixels.shape[0],
        "tolerance": tolerance})
    expected.extend(numpy.ascontiguousarray(pixels, dtype=numpy.uint8).tobytes())


def refuse(name, data, words):
    """Pillow refuses it as well, or reads numbers whose range nobody has agreed on, or Lab."""
    refused.append(store(name, data) | {"words": words})


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# --- EXIF and XMP ---------------------------------------------------------------------------------

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


# --- TIFF -----------------------------------------------------------------------------------------


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


def tiff_colours():
    levels = numpy.asarray(grey)
    with_alpha = numpy.dstack([levels, numpy.asarray(alpha)])
    colours = numpy.dstack([PIXELS, numpy.asarray(alpha)])
    palette = numpy.random.default_rng(2).integers(0, 65536, (3, 256))
    whole = (8, 8, 8)
    for order, name in [("<", "little"), (">", "big")]:
        keep = lambda what, data, tolerance=0: case(f"tiff {what}, {name}", data, tolerance)
        for bits in [1, 2, 4, 8]:
            numbers = levels >> (8 - bits)
            data = numbers.tobytes() if bits == 8 else packed(numbers, bits)
            for fill in [1, 2]:
                turned = data if fill == 1 else bytes(int(f"{b:08b}"[::-1], 2) for b in data)
                tags = {266: (fill,)}
                keep(f"black is 0, {bits} bits, fill {fill}",
                     tiff(turned, 1, (bits,), order, tags=tags))
                # The rest is a combination that this Pillow has a name for and no code.
                if bits < 8 or fill == 1:
                    keep(f"white is 0, {bits} bits, fill {fill}",
                         tiff(turned, 0, (bits,), order, tags=tags))
                tags[320] = tuple(palette[:, :1 << bits].flatten())
                if bits == 8 or fill == 1:
                    keep(f"palette, {bits} bits, fill {fill}",
                         tiff(turned, 3, (bits,), order, tags=tags))
        tags = {320: tuple(palette.flatten())}
        keep("palette and alpha", tiff(with_alpha.tobytes(), 3, (8, 8), order, (2,), tags=tags))
        keep("palette and more", tiff(with_alpha.tobytes(), 3, (8, 8), order, (0,), tags=tags))
        keep("palette, packed", tiff(zlib.compress(levels.tobytes()), 3, (8,), order,
                                     compression=8, tags=tags))
        keep("grey and alpha", tiff(with_alpha.tobytes(), 1, (8, 8), order, (2,)))
        keep("grey and more", tiff(with_alpha.tobytes(), 1, (8, 8), order, (0,)))
        keep("rgb and alpha", tiff(colours.tobytes(), 2, (8,) * 4, order, (2,)))
        keep("rgb and multiplied alpha", tiff(colours.tobytes(), 2, (8,) * 4, order, (1,)))
        keep("rgb and more", tiff(colours.tobytes(), 2, (8,) * 4, order, (0,)))
        planes = [PIXELS[:, :, channel].tobytes() for channel in range(3)]
        keep("rgb in planes", tiff(None, 2, whole, order, strips=planes, tags={284: (2,)}))
        ycbcr = numpy.asarray(rgb.convert("YCbCr")).tobytes()
        keep("ycbcr", tiff(ycbcr, 6, whole, order, tags={530: (1, 1)}), 1)
        keep("ycbcr that does not say it is whole", tiff(ycbcr, 6, whole, order), 1)
        keep("ycbcr, packed", tiff(zlib.compress(ycbcr), 6, whole, order, compression=8,
                                   tags={530: (1, 1)}), 2)
        cmyk = numpy.asarray(rgb.convert("CMYK")).copy()
        cmyk[:, :, 3] = levels // 3
        keep("cmyk", tiff(cmyk.tobytes(), 5, (8,) * 4, order), 0)
        sixteen = (with_alpha.astype(numpy.uint16) * 251 + 77).astype(order + "u2")
        rounded = numpy.floor(sixteen[:, :, :1] / 257 + 0.5).repeat(3, 2)
        # Pillow cuts 16-bit grey to 255 when it becomes RGB.
        case(f"tiff grey, 16 bits, {name}", tiff(sixteen[:, :, 0].tobytes(), 1, (16,), order),
             pixels=rounded)
        case(f"tiff grey and alpha, 16 bits, {name}",
             tiff(sixteen.tobytes(), 1, (16, 16), order, (2,)), pixels=rounded)
    for mode in ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"]:
        image = rgb.convert("LA" if mode == "LA" else mode)
        for compression in ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"]:
            tolerance = 2 if mode == "YCbCr" else 0
            case(f"tiff of Pillow, {mode}, {compression}",
                 saved(image, "tiff", compression=compression), tolerance)
    case("tiff of Pillow, group 4", saved(rgb.convert("1"), "tiff", compression="group4"))
    for mode in ["L", "RGB", "YCbCr"]:
        case(f"tiff of Pillow, {mode}, jpeg",
             saved(rgb.convert(mode), "tiff", compression="jpeg", quality=95), 6)
    ycbcr = numpy.asarray(rgb.convert("YCbCr")).tobytes()
    refuse("tiff lab", tiff(ycbcr, 8, whole), "Lab is not supported")
    refuse("tiff mask", tiff(packed(levels >> 7, 1), 4, (1,)), "mask is not supported")
    refuse("tiff filter array", tiff(levels.tobytes(), 32803, (8,)), "space 32803 is not supported")
    refuse("tiff float", tiff(levels.astype("<f4").tobytes(), 1, (32,), tags={339: (3,)}),
           "floating point")
    refuse("tiff signed", tiff(levels.tobytes(), 1, (8,), tags={339: (2,)}), "with a sign")
    refuse("tiff 12 bits", tiff(packed(levels, 12), 1, (12,)), "12 bits are not supported")
    refuse("tiff 32 bits", tiff(levels.astype("<u4").tobytes(), 1, (32,)), "32 bits are not")
    refuse("tiff palette without colours", tiff(levels.tobytes(), 3, (8,)), "without its colours")
    half = ycbcr[:len(ycbcr) // 2]
    refuse("tiff subsampled", tiff(zlib.compress(half), 6, whole, compression=8, tags={530: (2, 2)}),
           "subsampled chroma")
    refuse("tiff subsampled by default", tiff(half, 6, whole), "subsampled chroma")
    refuse("tiff palette cut", tiff(levels.tobytes(), 3, (8,), tags={
        320: tuple(palette.flatten())})[:-40], "TIFF")


# --- JPEG -----------------------------------------------------------------------------------------


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


# --- GIF ------------------------------------------------------------------------------------------


def gif(numbers, screen=None, place=(0, 0), shared=b"", local=b"", interlace=False, control=b"",
        code_bits=8, data=None):
    """A hand-made file; `data` are the packed pixels, by default those of Pillow."""
    height, width = numbers.shape
    screen = screen or (width, height)
    bits = lambda table: max(0, (len(table) // 3 - 1).bit_length() - 1)
    flags = 0x80 | bits(shared) if shared else 0
    out = b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 0, 0) + shared + control
    flags = (0x80 | bits(local) if local else 0) | (0x40 if interlace else 0)
    out += b"," + struct.pack("<HHHHB", *place, width, height, flags) + local + bytes([code_bits])
    if data is None:
        data = lzw(numbers.flatten().tolist(), code_bits)
    for at in range(0, len(data), 255):
        part = data[at:at + 255]
        out += bytes([len(part)]) + part
    return out + b"\0;"


def lzw(numbers, bits, clear_when_full=True):
    """Codes as the specification packs them."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, filled, held = bytearray(), 0, 0
    table, width = {}, bits + 1

    def put(code):
        nonlocal filled, held
        held |= code << filled
        filled += width
        while filled >= 8:
            out.append(held & 255)
            held >>= 8
            filled -= 8

    def start():
        nonlocal table, width
        table, width = {(number,): number for number in range(clear)}, bits + 1

    start()
    put(clear)
    next_code, known = end + 1, ()
    for number in numbers:
        longer = known + (number,)
        if longer in table:
            known = longer
            continue
        put(table[known])
        if next_code < 4096:
            table[longer] = next_code
            if next_code == 1 << width and width < 12:
                width += 1
            next_code += 1
        elif clear_when_full:
            put(clear)
            start()
            next_code = end + 1
        known = (number,)
    put(table[known])
    put(end)
    if filled:
        out.append(held & 255)
    return bytes(out)


def gifs():
    random = numpy.random.default_rng(3)
    table = random.integers(0, 256, 768, dtype=numpy.uint8).tobytes()
    other = random.integers(0, 256, 768, dtype=numpy.uint8).tobytes()
    numbers = numpy.asarray(grey)
    keep = lambda name, data: case("gif, " + name, data)
    palette = rgb.quantize(60)
    keep("of Pillow", saved(palette, "gif"))
    keep("of Pillow, not interlaced", saved(palette, "gif", interlace=0))
    keep("of Pillow, grey", saved(grey, "gif"))
    keep("of Pillow, transparent", saved(palette, "gif", transparency=3))
    keep("of Pillow, animated", saved(palette, "gif", save_all=True,
                                      append_images=[palette.rotate(180)], disposal=2))
    keep("of Pillow, two colours", saved(rgb.convert("1"), "gif"))
    keep("shared colours", gif(numbers, shared=table))
    keep("own colours", gif(numbers, local=other))
    keep("both colours", gif(numbers, shared=table, local=other))
    keep("no colours", gif(numbers))
    keep("few colours", gif(numbers, shared=table[:24]))
    keep("interlaced", gif(numbers, shared=table, interlace=True))
    control = b"!\xf9\4\1\0\0\x07\0"
    keep("inside its canvas", gif(numbers, (30, 25), (4, 6), shared=table))
    keep("inside its canvas, transparent", gif(numbers, (30, 25), (4, 6), table, control=control))
    keep("beyond its canvas", gif(numbers, (10, 8), (4, 6), shared=table))
    keep("with comments", gif(numbers, shared=table, control=b"!\xfe\3abc\2de\0!\xff\x0bNETSCAPE2.0\3\1\0\0\0"))
    keep("no pixels to speak of", gif(numbers[:1, :1], shared=table))
    four = numbers >> 6
    keep("2 bits", gif(four, shared=table[:12], code_bits=2))
    noise = random.integers(0, 256, (90, 100), dtype=numpy.uint8)
    keep("noise", gif(noise, shared=table))
    keep("noise without clearing", gif(noise, shared=table, data=lzw(noise.flatten().tolist(), 8, False)))
    whole = gif(numbers, shared=table)
    refuse("gif cut in its pixels", whole[:-60], "truncated")
    refuse("gif cut in its colours", whole[:200], "truncated")
    refuse("gif without picture", whole[:13 + 768] + b";", "truncated")
    refuse("gif with an end too early", gif(numbers[:-2], screen=(WIDTH, HEIGHT), shared=table).replace(
        struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT - 2), struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT)),
        "of 117 pixels")
    refuse("gif of no pixels", gif(numbers[:0], screen=(WIDTH, HEIGHT), shared=table, data=b"\x80\x02"),
           "13x0")


def others():
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    refuse("heic", heic, "HEIC is not supported")
    refuse("avif", heic.replace(b"heic", b"avif"), "AVIF is not supported")
    refuse("jpeg xl", b"\xff\x0a" + bytes(50), "JPEG XL is not supported")
    refuse("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not supported")
    refuse("text", b"I am not a picture.", "not a JPEG")


for make in [jpeg_orientations, png_orientations, webp_orientations, tiff_orientations,
             tiff_colours, jpegs, gifs, others]:
    make()
(HERE / "files.zlib").write_bytes(zlib.compress(files, 9))
(HERE / "expected.zlib").write_bytes(zlib.compress(expected, 9))
versions = {"pillow": PIL.__version__, "numpy": numpy.__version__}
lines = lambda items: "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]"
(HERE / "manifest.json").write_text(
    f'{{"versions": {json.dumps(versions)},\n"cases": {lines(cases)},\n'
    f'"refused": {lines(refused)}}}\n')
