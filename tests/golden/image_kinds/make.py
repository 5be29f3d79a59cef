"""Makes images of kinds that decoders disagree on, and what Pillow reads from them.

    python make.py

Kinds: which way up (EXIF in every number type and byte order, XMP, where both stand), JPEGs with
padding and junk between their segments, colours of TIFF, first pictures of GIF. `files.zlib` holds
the files and `expected.zlib` the upright RGB bytes, one after the other and then packed as a whole,
as they repeat each other; `manifest.json` names them with offsets, sizes and the tolerance in
levels, and the version of Pillow. `refused` lists what must be an error, with the words that it
holds.
"""

import gifs
import jpegs
import kept
import orientations
import tiffs
from kept import refuse


def others():
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    refuse("heic", heic, "HEIC is not supported")
    refuse("avif", heic.replace(b"heic", b"avif"), "AVIF is not supported")
    refuse("jpeg xl", b"\xff\x0a" + bytes(50), "JPEG XL is not supported")
    refuse("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is not supported")
    refuse("text", b"I am not a picture.", "not a JPEG")


for make in [orientations.jpeg_orientations, orientations.png_orientations,
             orientations.webp_orientations, orientations.tiff_orientations, tiffs.tiff_colours,
             jpegs.jpegs, gifs.gifs, others]:
    make()
kept.write()
