"""Makes the table of canonical decompositions, and the hash that the library's own must have.

    python make.py            writes ../../../src/data/coco/canonical_text.bin and expected.json

The table holds what `unicodedata` knows of every code point, packed: numbers are little-endian
groups of 7 bits, the last one without its high bit. First the decompositions, in ascending order:
their count, then for each `2 * (distance to the one before) + (1 for a pair)` and its one or two
parts. Then the combining classes: the count of ranges, then for each its distance to the end of the
one before, its length and its class. Hangul syllables follow from their numbers and are left out.

Unicode never changes the decomposition of a character once it is assigned (stability policy), so
that the table ages only by characters that are new.
"""

import json
import pathlib
import sys
import unicodedata

HERE = pathlib.Path(__file__).parent
TABLE = HERE / "../../../src/data/coco/canonical_text.bin"
HANGUL = range(0xAC00, 0xD7A4)
SURROGATES = range(0xD800, 0xE000)


def packed(number):
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return groups


def characters():
    return (code for code in range(sys.maxunicode + 1) if code not in SURROGATES)


def decompositions():
    for code in characters():
        parts = unicodedata.decomposition(chr(code))
        if parts and not parts.startswith("<") and code not in HANGUL:
            yield code, [int(part, 16) for part in parts.split()]


def class_ranges():
    ranges = []
    for code in characters():
        combining = unicodedata.combining(chr(code))
        if combining and ranges and ranges[-1][1] == code and ranges[-1][2] == combining:
            ranges[-1][1] = code + 1
        elif combining:
            ranges.append([code, code + 1, combining])
    return ranges


def table():
    found = list(decompositions())
    content = packed(len(found))
    before = 0
    for code, parts in found:
        content += packed(2 * (code - before) + (len(parts) == 2))
        before = code
        for part in parts:
            content += packed(part)
    ranges = class_ranges()
    content += packed(len(ranges))
    end = 0
    for first, after, combining in ranges:
        content += packed(first - end) + packed(after - first) + packed(combining)
        end = after
    return bytes(content)


def fnv1a(content):
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def main():
    TABLE.write_bytes(table())
    # Between two marks of other classes, which decomposed characters must be sorted among.
    texts = (f"x\u0345{chr(code)}\u0316" for code in characters())
    decomposed = "".join(unicodedata.normalize("NFD", text) for text in texts)
    expected = {
        "python": sys.version.split()[0],
        "unicode": unicodedata.unidata_version,
        "hash": fnv1a(decomposed.encode()),
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
