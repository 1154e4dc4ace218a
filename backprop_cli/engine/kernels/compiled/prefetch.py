"""A hint to the processor: this will be read soon."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__: list[str] = []


@intrinsic
def prefetch(typing: Any, row: Any, index: Any) -> Any:
    """Fetch the cache line of row[index], for a contiguous row of bytes, into the second-level cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(array.data, [arguments[1]])
        word, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer], ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        )
        hints = [ir.Constant(word, value) for value in (0, 2, 1)]  # to read, second level, data
        builder.call(function, [builder.bitcast(address, pointer), *hints])
        return context.get_dummy_value()

    return types.void(row, index), generate
