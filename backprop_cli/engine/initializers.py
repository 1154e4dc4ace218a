"""Initial values of parameters, by the names Keras and PyTorch use.

fan_in and fan_out are read off the layouts (in, out) and (kh, kw, in, out): every axis but the last
two is the receptive field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from backprop_cli.errors import BuildError
from backprop_cli.registry import Component, Doc, register

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def initializer(name: str, *aliases: str) -> Any:
    """Class decorator: registers an initializer under its names."""
    return register("initializer", name, *aliases)


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel."""
    if len(shape) < 2:
        size = int(np.prod(shape))
        return size, size
    field = int(np.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


@dataclass(kw_only=True)
class InitializerBase(Component):
    """Fills a new parameter with its first values."""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        raise NotImplementedError  # every initializer has its own


@initializer("zeros")
class Zeros(InitializerBase):
    """w = 0"""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = 0


@initializer("ones")
class Ones(InitializerBase):
    """w = 1"""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = 1


@initializer("constant")
class Constant(InitializerBase):
    """w = value"""

    value: Annotated[float, Doc("of every entry")] = 0.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = self.value


@initializer("normal", "random_normal")
class Normal(InitializerBase):
    """w ~ N(mean, std²)"""

    mean: Annotated[float, Doc("of the distribution")] = 0.0
    std: Annotated[float, Ge(0), Doc("standard deviation of the distribution")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = rng.normal(self.mean, self.std, out.shape)


@initializer("uniform", "random_uniform")
class Uniform(InitializerBase):
    """w ~ U(low, high)"""

    low: Annotated[float, Doc("lower end of the interval")] = -0.05
    high: Annotated[float, Doc("upper end of the interval")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = rng.uniform(self.low, self.high, out.shape)


@initializer("truncated_normal", "trunc_normal")
class TruncatedNormal(InitializerBase):
    """w ~ N(mean, std²), redrawn beyond mean ± 2 std

    `std` is that of the normal before the cut; the values' own is 0.8796 std, as with Keras's TruncatedNormal.
    """

    mean: Annotated[float, Doc("of the distribution")] = 0.0
    std: Annotated[float, Ge(0), Doc("standard deviation of the normal before the cut at 2 std")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        drawn = rng.standard_normal(out.shape)
        while (beyond := np.abs(drawn) > 2).any():
            drawn[beyond] = rng.standard_normal(int(beyond.sum()))
        out[...] = self.mean + self.std * drawn


@initializer("orthogonal")
class Orthogonal(InitializerBase):
    """Orthonormal columns (rows, where the kernel is wider than high), times gain.

    A kernel of more axes counts as (product of all but the last, last), as in Keras. `per_block`: a kernel (H, k H),
    as recurrent layers have for their k gates, gets k square orthogonal blocks, one per gate, so that each gate by
    itself keeps norms. Uniform over such matrices: QR of a normal one, R's diagonal made positive (Mezzadri 2007).
    Saxe, McClelland & Ganguli 2014, arXiv:1312.6120
    """

    gain: Annotated[float, Doc("factor on every entry; √2 suits a ReLU")] = 1.0
    per_block: Annotated[bool, Doc("one orthogonal block for each gate of a recurrent kernel")] = False

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        matrix = np.empty((int(np.prod(out.shape[:-1])), out.shape[-1]))
        rows, columns = matrix.shape
        width = rows if self.per_block and columns % rows == 0 else columns
        for start in range(0, columns, width):
            q, r = np.linalg.qr(rng.standard_normal((max(rows, width), min(rows, width))))
            q *= np.where(np.diag(r) < 0, -1.0, 1.0)
            matrix[:, start : start + width] = q if rows >= width else q.T
        out[...] = self.gain * matrix.reshape(out.shape)


@initializer("identity", "eye", "dirac")
class Identity(InitializerBase):
    """The kernel that passes its input on, times gain.

    (in, out): ones on the diagonal. (kh, kw, in, out): that at the field's centre, zero around it.
    Raises BuildError for a parameter of one axis. Le, Jaitly & Hinton 2015, arXiv:1504.00941
    """

    gain: Annotated[float, Doc("factor on the ones")] = 1.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        if out.ndim < 2:
            raise BuildError(f"identity fills kernels (…, in, out), got a parameter of shape {out.shape}")
        out[...] = 0
        centre = tuple((size - 1) // 2 for size in out.shape[:-2])
        np.fill_diagonal(out[centre], self.gain)


@dataclass(kw_only=True)
class Scaled(InitializerBase):
    """Var w = scale / n, n one of fan_in, fan_out or their mean; uniform or normal."""

    mode: ClassVar[str]
    uniform: ClassVar[bool]

    @property
    def scale(self) -> float:
        """n · Var w"""
        return 1.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        spread(out, rng, self.scale, self.mode, self.uniform)


def spread(out: Array, rng: np.random.Generator, scale: float, mode: str, uniform: bool) -> None:
    """Fill with zero-mean values of variance scale / n."""
    fan_in, fan_out = fans(out.shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = float(np.sqrt(scale / max(n, 1)))
    if uniform:
        limit = float(np.sqrt(3.0)) * std
        out[...] = rng.uniform(-limit, limit, out.shape)
    else:
        out[...] = rng.normal(0.0, std, out.shape)


@initializer("variance_scaling")
class VarianceScaling(InitializerBase):
    """Var w = scale / n, n = fan_in, fan_out or their mean (fan_avg); Keras's VarianceScaling."""

    scale: Annotated[float, Gt(0), Doc("numerator of the variance; 2 suits a ReLU, 1 a tanh")] = 1.0
    mode: Annotated[
        Literal["fan_in", "fan_out", "fan_avg"],
        Doc("which count of connections divides it: inputs, outputs or their mean"),
    ] = "fan_in"
    distribution: Annotated[
        Literal["normal", "uniform"], Doc("shape of the distribution; its variance is the same")
    ] = "normal"

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        spread(out, rng, self.scale, self.mode, self.distribution == "uniform")


@dataclass(kw_only=True)
class Glorot(Scaled):
    """Var w = gain² · 2 / (fan_in + fan_out)"""

    gain: Annotated[float, Gt(0), Doc("factor on every entry; 1 suits tanh and linear units")] = 1.0

    mode = "fan_avg"

    @property
    def scale(self) -> float:
        return self.gain**2


@dataclass(kw_only=True)
class He(Scaled):
    """Var w = 2 / ((1 + a²) fan_in), for the ReLU, or a leaky one of slope a = negative_slope."""

    negative_slope: Annotated[float, Doc("slope of the leaky ReLU that follows; 0 is a plain ReLU")] = 0.0

    mode = "fan_in"

    @property
    def scale(self) -> float:
        return 2 / (1 + self.negative_slope**2)


@initializer("glorot_uniform", "xavier_uniform", "xavier")
class GlorotUniform(Glorot):
    """w ~ U(−a, a), a = gain √(6 / (fan_in + fan_out)).  Glorot & Bengio 2010, AISTATS"""

    uniform = True


@initializer("glorot_normal", "xavier_normal")
class GlorotNormal(Glorot):
    """w ~ N(0, gain² · 2 / (fan_in + fan_out)), not truncated, as in PyTorch.  Glorot & Bengio 2010, AISTATS"""

    uniform = False


@initializer("he_uniform", "kaiming_uniform")
class HeUniform(He):
    """w ~ U(−a, a), a = √(6 / ((1 + negative_slope²) fan_in)).  He et al. 2015, arXiv:1502.01852"""

    uniform = True


@initializer("he_normal", "kaiming_normal", "he")
class HeNormal(He):
    """w ~ N(0, 2 / ((1 + negative_slope²) fan_in)), not truncated, as in PyTorch.  He et al. 2015, arXiv:1502.01852"""

    uniform = False


@initializer("lecun_uniform")
class LecunUniform(Scaled):
    """w ~ U(−a, a), a = √(3 / fan_in).  LeCun et al. 1998, Efficient BackProp"""

    mode, uniform = "fan_in", True


@initializer("lecun_normal")
class LecunNormal(Scaled):
    """w ~ N(0, 1 / fan_in), not truncated, as in PyTorch.  LeCun et al. 1998, Efficient BackProp"""

    mode, uniform = "fan_in", False
