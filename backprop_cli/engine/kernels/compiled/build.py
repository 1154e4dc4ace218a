"""Makes the library of kernels: `python backprop_cli/engine/kernels/compiled/build.py`, or `pip install`.

One call of a C compiler: $CC, else cc, gcc or clang, else that of the package ziglang. It takes half a minute.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "src"
LIBRARY = HERE / "libbp.so"  # loaded by its path, so one name serves on every system
COMMAND = (sys.executable, str(HERE / "build.py"))
#: no -march: functions for newer processors are marked in the sources, and chosen when the library is loaded
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-shared",
    "-fPIC",
    "-fno-math-errno",  # a square root is one instruction
    "-fno-trapping-math",  # comparisons may be vectorized
    "-ffp-contract=fast",  # a·b + c in one instruction where there is one
    "-fopenmp-simd",  # sums marked so may be vectorized; no library comes with it
    "-Wall",
    "-Wextra",
)


def compiler() -> list[str] | None:
    """The command of a C compiler, or None."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if not importlib.util.find_spec("ziglang"):
        return None
    return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]  # else it compiles for this very processor


def fingerprint(flags: Sequence[str] = ()) -> str:
    """Of the sources and how they are compiled."""
    code = hashlib.sha256(repr((FLAGS, *flags)).encode())
    for path in sorted(SOURCES.rglob("*.[ch]")):
        code.update(path.read_bytes())
    return code.hexdigest()


def stale() -> bool:
    """Whether the library beside the sources was made from others, as after an update of an editable installation."""
    stamp = LIBRARY.with_suffix(".made")
    return stamp.exists() and SOURCES.is_dir() and stamp.read_text() != fingerprint()


def build(library: Path = LIBRARY, flags: Sequence[str] = ()) -> str | None:
    """Write the library, unless it is there and made from these very sources. Returns why that failed, or None."""
    stamp, wanted = library.with_suffix(".made"), fingerprint(flags)
    if library.exists() and stamp.exists() and stamp.read_text() == wanted:
        return None
    command = compiler()
    if command is None:
        return "no C compiler: neither $CC, cc, gcc nor clang, and no package ziglang"
    unfinished = library.with_name(f"{library.name}.{os.getpid()}")
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    end = [] if sys.platform == "win32" else ["-lm", "-lpthread"]
    if sys.platform == "linux" and not flags:  # names of static functions are a tenth of it
        end.append("-s")
    whole = [*command, *FLAGS, *flags, "-o", str(unfinished), *sources, *end]
    try:
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{command[0]} failed:\n{done.stderr.strip()}"
        unfinished.replace(library)  # whoever has loaded the old one keeps it
        stamp.write_text(wanted)
    except OSError as error:
        return str(error)
    finally:
        unfinished.unlink(missing_ok=True)
    return None


if __name__ == "__main__":
    sys.exit(build())
