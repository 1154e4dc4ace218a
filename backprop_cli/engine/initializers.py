"""Initial values of parameters, by the names Keras and PyTorch use.

fan_in and fan_out are read off the layouts (in, out) and (kh, kw, in, out): every axis but the last
two is the receptive field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from backprop_cli.registry import Component, register

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def initializer(name: str, *aliases: str) -> Any:
    """Class decorator: files an initializer under its names."""
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
        raise NotImplementedError


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

    value: float = 0.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = self.value


@initializer("normal", "random_normal")
class Normal(InitializerBase):
    """w ~ N(mean, std²)"""

    mean: float = 0.0
    std: Annotated[float, Ge(0)] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = rng.normal(self.mean, self.std, out.shape)


@initializer("uniform", "random_uniform")
class Uniform(InitializerBase):
    """w ~ U(low, high)"""

    low: float = -0.05
    high: float = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = rng.uniform(self.low, self.high, out.shape)


@dataclass(kw_only=True)
class VarianceScaling(InitializerBase):
    """Var w = gain / n, n one of fan_in, fan_out or their mean; uniform or normal."""

    gain: ClassVar[float]
    mode: ClassVar[str]
    uniform: ClassVar[bool]

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        fan_in, fan_out = fans(out.shape)
        n = {"in": fan_in, "average": (fan_in + fan_out) / 2}[self.mode]
        std = float(np.sqrt(self.gain / max(n, 1)))
        if self.uniform:
            limit = float(np.sqrt(3.0)) * std
            out[...] = rng.uniform(-limit, limit, out.shape)
        else:
            out[...] = rng.normal(0.0, std, out.shape)


@initializer("glorot_uniform", "xavier_uniform", "xavier")
class GlorotUniform(VarianceScaling):
    """w ~ U(−a, a), a = √(6 / (fan_in + fan_out)).  Glorot & Bengio 2010, AISTATS"""

    gain, mode, uniform = 1.0, "average", True


@initializer("glorot_normal", "xavier_normal")
class GlorotNormal(VarianceScaling):
    """w ~ N(0, 2 / (fan_in + fan_out)).  Glorot & Bengio 2010, AISTATS"""

    gain, mode, uniform = 1.0, "average", False


@initializer("he_uniform", "kaiming_uniform")
class HeUniform(VarianceScaling):
    """w ~ U(−a, a), a = √(6 / fan_in).  He et al. 2015, arXiv:1502.01852"""

    gain, mode, uniform = 2.0, "in", True


@initializer("he_normal", "kaiming_normal", "he")
class HeNormal(VarianceScaling):
    """w ~ N(0, 2 / fan_in).  He et al. 2015, arXiv:1502.01852"""

    gain, mode, uniform = 2.0, "in", False


@initializer("lecun_uniform")
class LecunUniform(VarianceScaling):
    """w ~ U(−a, a), a = √(3 / fan_in).  LeCun et al. 1998, Efficient BackProp"""

    gain, mode, uniform = 1.0, "in", True


@initializer("lecun_normal")
class LecunNormal(VarianceScaling):
    """w ~ N(0, 1 / fan_in).  LeCun et al. 1998, Efficient BackProp"""

    gain, mode, uniform = 1.0, "in", False
