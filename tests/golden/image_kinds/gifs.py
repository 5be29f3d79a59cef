"""First pictures of GIF."""

import struct

import numpy

from kept import HEIGHT, WIDTH, case, grey, refuse, rgb, saved


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
