"""Colours, depths and layouts of TIFF."""

import zlib

import numpy

from blocks import packed, tiff
from kept import PIXELS, alpha, case, grey, refuse, rgb, saved


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
        differences = numpy.diff(colours, axis=1, prepend=numpy.zeros_like(colours[:, :1]))
        for extra in [0, 1, 2]:
            keep(f"rgb and extra {extra}, packed by differences", tiff(
                zlib.compress(differences.tobytes()), 2, (8,) * 4, order, (extra,), compression=8,
                tags={317: (2,)}))
        more = numpy.dstack([colours, levels])
        keep("rgb and two more", tiff(more.tobytes(), 2, (8,) * 5, order, (0, 0)))
        keep("rgb, alpha and one more", tiff(more.tobytes(), 2, (8,) * 5, order, (2, 0)))
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
    refuse("tiff grey and alpha in jpeg", saved(rgb.convert("LA"), "tiff", compression="jpeg"),
           "2 channels are not supported")
    refuse("tiff of two colours", tiff(levels.tobytes() * 2, 2, (8, 8)), "2 channels are not")
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
