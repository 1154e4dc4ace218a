"""Where the matrix products of NumPy's own BLAS are."""

from __future__ import annotations

import ctypes

from threadpoolctl import threadpool_info

#: names of cblas_sgemm and cblas_dgemm, and the bits of their integers: NumPy's wheels first
NAMES = (
    ("scipy_cblas_{}gemm64_", 64),
    ("cblas_{}gemm64_", 64),
    ("scipy_cblas_{}gemm", 32),
    ("cblas_{}gemm", 32),
)
IN_PLACE = ("SkylakeX", "Cooperlake", "SapphireRapids")  # OpenBLAS's names of processors; see blas.c


def find() -> tuple[int | None, int | None, int, int] | None:
    """(address of sgemm, of dgemm, bits of their integers, whether small products are read in place), or None.

    NumPy must have been imported. Its BLAS is loaded first, so it comes before one that SciPy brings.
    """
    for info in threadpool_info():
        if info.get("user_api") != "blas":
            continue
        lib = ctypes.CDLL(info["filepath"])
        for name, bits in NAMES:
            if hasattr(lib, name.format("s")):
                single, double = (ctypes.cast(getattr(lib, name.format(t)), ctypes.c_void_p).value for t in "sd")
                return single, double, bits, int(info.get("architecture") in IN_PLACE)
    return None
