"""Make backprop_cli/data/sample/pride_and_prejudice.txt from Debian's r-cran-janeaustenr.

    apt-get download r-cran-janeaustenr && dpkg-deb -x r-cran-janeaustenr_*.deb unpacked
    python scripts/make_text_sample.py unpacked/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb

The first chapters of the novel: each chapter that ends within the first 60,000 characters.
An .rdb file is a row of (4-byte big-endian length of the unpacked bytes, zlib stream); unpacked, each
string is the big-endian words 0x00040009 (CHARSXP, ASCII) or 0x00008009 (UTF-8), its length, its bytes.
R Internals, section 1.8, "Serialization Formats".
"""

import re
import struct
import sys
import zlib
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "backprop_cli" / "data" / "sample"
LENGTH = 60_000


def objects(packed: bytes) -> list[bytes]:
    found = []
    while packed:
        unpacker = zlib.decompressobj()
        found.append(unpacker.decompress(packed[4:]))
        packed = unpacker.unused_data
    return found


def strings(serialized: bytes) -> list[str]:
    start = re.search(rb"\x00\x00\x00\x10(....)(?=\x00[\x04\x00][\x00\x80]\x09)", serialized, re.DOTALL)
    assert start, "no vector of strings"
    found, at = [], start.end()
    for _ in range(struct.unpack(">I", start[1])[0]):
        _, length = struct.unpack(">Ii", serialized[at : at + 8])
        found.append(serialized[at + 8 : at + 8 + length].decode())
        at += 8 + length
    return found


def main() -> None:
    novels = [strings(each) for each in objects(Path(sys.argv[1]).read_bytes())]
    lines = next(novel for novel in novels if novel[0] == "PRIDE AND PREJUDICE")
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace("_", "")
    chapters = [match.start() for match in re.finditer(r"^Chapter \d+$", text, re.MULTILINE)]
    text = text[: max(start for start in chapters if start <= LENGTH)].strip() + "\n"
    path = SAMPLE / "pride_and_prejudice.txt"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text):,} characters, {len(set(text))} different ones")


if __name__ == "__main__":
    main()
