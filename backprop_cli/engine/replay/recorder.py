"""Records a step operation by operation while it runs: arrays report to the tape, kernels and generators to this."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from backprop_cli.engine import kernels
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels import compiled
from backprop_cli.engine.replay.chains import Linked, linked
from backprop_cli.engine.replay.numbers import Number
from backprop_cli.engine.replay.program import Draw, Kind, address, cell, library
from backprop_cli.engine.replay.tape import Tape
from backprop_cli.engine.replay.traced import plain

MARK = 0x7FF8_B0BA_0000_0000  # a NaN; what stands in for a number until its place in a call is known


class StepRecorder(Tape):
    """The tape of one step."""

    _marks = 0

    def __init__(self) -> None:
        super().__init__()
        self.linked: dict[int, Linked] = {}  # kernels' calls that can be part of a chain, by address

    def number(self, value: float) -> Number:
        """One that comes from outside, into its `place`, for each step."""
        return Number(self, value)

    def draw(self, rng: np.random.Generator, out: Array) -> None:
        """rng.random(out=out, dtype=out.dtype)"""
        target = plain(out)
        rng.random(out=target, dtype=target.dtype)
        if not target.flags.c_contiguous or target.dtype.char not in "fd":
            self.fail("random numbers into an array with gaps")
            return
        bits: Any = rng.bit_generator.ctypes
        next_32, next_double = (
            ctypes.cast(function, ctypes.c_void_p).value for function in (bits.next_uint32, bits.next_double)
        )
        self.keep += [rng, bits, target]
        self.add(
            Kind.DRAW,
            None,
            Draw(bits.state_address, next_32, next_double, address(target), target.size, int(target.dtype.char == "d")),
        )

    def kernels(self, used: SimpleNamespace) -> SimpleNamespace:
        """These kernels, written down when called."""
        recorded: dict[str, Any] = {}
        references = vars(kernels.load("numpy"))
        for name, kernel in vars(used).items():
            recorded[name] = self._kernel(name, references[name]) if callable(kernel) else kernel
        return SimpleNamespace(**(recorded | {name: self._sum(name, references[name]) for name in compiled.SUMS}))

    def _kernel(self, name: str, reference: Callable[..., Any]) -> Callable[..., Any]:
        lib = library()
        if not hasattr(lib, f"bp_{name}"):
            return reference
        function = lib[f"bp_{name}"]
        function.argtypes = compiled.argument_types(reference)
        size = lib.bp_call_size()

        def kernel(*arguments: Any) -> None:
            call = ctypes.create_string_buffer(size)
            marks: list[tuple[int, Number]] = []
            given = [self._mark(argument, marks) for argument in arguments]
            lib.bp_record(call)
            refused = function(*given)
            lib.bp_record(None)
            if refused:
                reference(*arguments)
                return
            self.keep.append(given)
            known = linked(name, given, call)
            if known is not None:
                self.linked[ctypes.addressof(call)] = known
            for mark, number in marks:
                self._place(call, mark, number)
            self.add(Kind.KERNEL, None, call)
            lib.bp_run(call)

        kernel.__doc__ = reference.__doc__
        return kernel

    def _mark(self, argument: Any, marks: list[tuple[int, Number]]) -> Any:
        if not isinstance(argument, Number):
            return plain(argument)
        self._marks += 1
        marks.append((MARK + self._marks, argument))
        return struct.unpack("d", struct.pack("Q", MARK + self._marks))[0]

    def _place(self, call: Any, mark: int, number: Number) -> None:
        """Have the number written where the call has its mark."""
        first = library().bp_call_numbers()
        words = np.frombuffer(call, np.uint64, 4, first)
        places = np.flatnonzero(words == mark)
        if len(places) != 1:
            self.fail("a kernel that takes a number in its own way")
            return
        memory = words.view(np.float64)[places[0] : places[0] + 1]
        memory[0] = number.value
        self.add(Kind.WRITE_F64, memory, number.place)

    def _sum(self, name: str, reference: Callable[..., Any]) -> Callable[..., Any]:
        lib = library()
        function = compiled.sum_of(lib, name, reference)

        def kernel(*arguments: Any) -> Any:
            call, total = ctypes.create_string_buffer(lib.bp_call_size()), cell()
            given = [plain(argument) for argument in arguments]
            lib.bp_record(call)
            refused = function(*given, address(total))
            lib.bp_record(None)
            if refused:
                self.fail("a sum over products that the kernels do not take")
                return reference(*given)
            self.keep.append(given)
            wrote = self.wrote
            self.add(Kind.KERNEL, None, call)
            self.wrote = wrote  # it only reads
            lib.bp_run(call)
            return self.read(total).item()

        return kernel
