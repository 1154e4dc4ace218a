"""Make losses.npz: activations and losses in float64, values and gradients as PyTorch has them.

    python tests/reference/make_losses.py        (needs PyTorch)

Where PyTorch lacks one, its formula is written down here with PyTorch's own operations, and autograd
differentiates it.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own spelling
from torch import Tensor

rng = np.random.default_rng(3)
torch.manual_seed(3)
arrays: dict[str, np.ndarray] = {}

SIZES = [1e-8, 1e-3, 0.1, 0.5, 1.0, 1.7, 2.9, 3.1, 5.0, 9.0, 20.0, 40.0, 100.0, 1e3, 1e4]
GRID = torch.tensor([-size for size in SIZES[::-1]] + [0.0] + SIZES, dtype=torch.float64)
ROWS = torch.tensor(
    np.concatenate(
        [
            rng.normal(size=(6, 5)) * 3,
            [[0.0] * 5, [1e4, -1e4, 0, 1, 2], [-1e4] * 5, [1e4] * 5, [1e4, 9999, 9990, -1e4, 0]],
        ]
    )
)


def activation(
    name: str, function: Callable[[Tensor], Tensor], x: Tensor = GRID, case: str = "", **options: object
) -> None:
    x = x.clone().requires_grad_()
    y = function(x)
    dy = torch.tensor(rng.normal(size=y.shape))
    y.backward(dy)
    key = "activation/" + "-".join([name, *map(str, options.values()), case])
    assert x.grad is not None
    arrays[f"{key}/spec"] = np.array(json.dumps({"type": name, **options}))
    arrays.update({f"{key}/x": x.detach().numpy(), f"{key}/y": y.detach().numpy()})
    arrays.update({f"{key}/dy": dy.numpy(), f"{key}/dx": x.grad.numpy()})


activation("linear", lambda x: x * 1)
activation("relu", F.relu)
activation("leaky_relu", F.leaky_relu)
activation("leaky_relu", lambda x: F.leaky_relu(x, 0.3), negative_slope=0.3)
activation("prelu", lambda x: F.prelu(x, torch.tensor([0.4], dtype=x.dtype)), init=0.4)
activation("elu", F.elu)
activation("elu", lambda x: F.elu(x, 2.5), alpha=2.5)
activation("selu", F.selu)
activation("gelu", F.gelu)
activation("gelu", lambda x: F.gelu(x, approximate="tanh"), approximate="tanh")
activation("silu", F.silu)
activation("mish", F.mish)
activation("softplus", F.softplus)
activation("softsign", F.softsign)
activation("hard_sigmoid", lambda x: F.relu6(x + 3) / 6)  # F.hardsigmoid's own gradient is rounded to float32
activation("hard_swish", F.hardswish)
activation("sigmoid", torch.sigmoid)
activation("tanh", torch.tanh)
activation("softmax", lambda x: F.softmax(x, -1), ROWS)
activation("log_softmax", lambda x: F.log_softmax(x, -1), ROWS)
activation("softmax", lambda x: F.softmax(x, -1), ROWS[:, :1], case="one")
activation("log_softmax", lambda x: F.log_softmax(x, -1), ROWS[:, :1], case="one")


def loss(
    name: str,
    terms: Callable[[Tensor, Tensor], Tensor],
    z: Tensor,
    target: Tensor,
    last: str = "linear",
    weight: Tensor | None = None,
    case: str = "",
    **options: object,
) -> None:
    """`terms` gives the loss of every element (or row) from what goes into the last activation."""
    z = z.clone().requires_grad_()
    each = terms(z, target)
    if weight is not None:
        each = each * weight.reshape(weight.shape + (1,) * (each.ndim - weight.ndim))
    value = each.mean()
    value.backward()
    before = sum(key.startswith(f"loss/{name}-") and key.endswith("/spec") for key in arrays)
    key = f"loss/{name}-{before}{case}"
    assert z.grad is not None
    arrays[f"{key}/spec"] = np.array(json.dumps({"loss": {"type": name, **options}, "last": last}))
    arrays.update({f"{key}/x": z.detach().numpy(), f"{key}/target": target.numpy()})
    arrays.update({f"{key}/value": np.array(value.item()), f"{key}/dx": z.grad.numpy()})
    if weight is not None:
        arrays[f"{key}/weight"] = weight.numpy()


def normal(*shape: int) -> Tensor:
    return torch.tensor(rng.normal(size=shape))


def signs(t: Tensor) -> Tensor:
    return 2 * (t > 0).to(torch.float64) - 1


# numbers against numbers
y, t, w, wt = (
    normal(7, 4),
    normal(7, 4),
    torch.tensor(rng.uniform(0.1, 3, 7)),
    torch.tensor(rng.uniform(0.1, 3, (3, 5))),
)
steps, goals = normal(3, 5, 2), normal(3, 5, 2)
far = torch.tensor([[1e4, -1e4], [0.0, 1e-4], [1e4, 1e4]], dtype=torch.float64)
zero = torch.zeros(3, 2, dtype=torch.float64)
VALUES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean_squared_error": lambda y, t: F.mse_loss(y, t, reduction="none"),
    "mean_absolute_error": lambda y, t: F.l1_loss(y, t, reduction="none"),
    "huber": lambda y, t: F.huber_loss(y, t, reduction="none"),
    "log_cosh": lambda y, t: (y - t) + F.softplus(-2 * (y - t)) - math.log(2),
}
for name, function in VALUES.items():
    loss(name, function, y, t)
    loss(name, function, y, t, weight=w)
    loss(name, function, steps, goals, weight=wt)
    loss(name, function, far, zero, case="-far")
loss("huber", lambda y, t: F.huber_loss(y, t, reduction="none", delta=0.3), y, t, delta=0.3)
loss("smooth_l1", lambda y, t: F.smooth_l1_loss(y, t, reduction="none"), y, t)
counts = torch.tensor(rng.poisson(3, (7, 4)).astype(float))


def poisson(z: Tensor, t: Tensor) -> Tensor:
    return F.poisson_nll_loss(F.softplus(z), t, log_input=False, eps=1e-7, reduction="none")


loss("poisson", poisson, y, counts, "softplus")
loss("poisson", poisson, steps, torch.abs(goals), "softplus", weight=wt)
loss("poisson", poisson, far, zero + 2, "softplus", case="-far")
loss("cosine_similarity", lambda y, t: -F.cosine_similarity(y, t, dim=-1), y, t, weight=w)
loss("cosine_similarity", lambda y, t: -F.cosine_similarity(y, t, dim=-1), steps, goals)

# margins
yes = torch.tensor(rng.integers(0, 2, (7, 4)).astype(float))
for name, power in (("hinge", 1), ("squared_hinge", 2)):

    def margin(y: Tensor, t: Tensor, power: int = power) -> Tensor:
        return torch.clamp(1 - signs(t) * y, min=0) ** power

    def rest(y: Tensor, t: Tensor, power: int = power) -> Tensor:
        return torch.clamp(1 - signs(F.one_hot(t, y.shape[-1])) * y, min=0) ** power

    loss(name, margin, y, yes)
    loss(name, margin, y, signs(yes), weight=w)
    loss(name, margin, far, zero, case="-far")
    loss(name, rest, steps, torch.tensor(rng.integers(0, 2, (3, 5))), weight=wt)

# yes or no
BINARY_FAR = torch.tensor([[1e4, 1e4, -1e4, -1e4, 0.0, 50.0, -50.0]], dtype=torch.float64)
BINARY_SURE = torch.tensor([[1.0, 0, 1, 0, 1, 0, 1]], dtype=torch.float64)


def bce(z: Tensor, t: Tensor, smoothing: float = 0.0, pos_weight: float = 1.0) -> Tensor:
    t = t * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(z, t, reduction="none", pos_weight=torch.tensor(pos_weight))


def binary_focal(z: Tensor, t: Tensor, gamma: float = 2.0, alpha: float | None = 0.25) -> Tensor:
    a, b = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    yes, no = F.logsigmoid(z), F.logsigmoid(-z)
    return -a * t * torch.exp(gamma * no) * yes - b * (1 - t) * torch.exp(gamma * yes) * no


one = torch.tensor(rng.integers(0, 2, 7))
loss("binary_crossentropy", bce, y, yes, "sigmoid")
loss("binary_crossentropy", bce, y, torch.rand(7, 4, dtype=torch.float64), "sigmoid", weight=w)
loss("binary_crossentropy", lambda z, t: bce(z[:, 0], t.double()), y[:, :1], one, "sigmoid")
loss("binary_crossentropy", bce, steps, (goals > 0).double(), "sigmoid", weight=wt)
loss("binary_crossentropy", lambda z, t: bce(z, t, 0.2), y, yes, "sigmoid", label_smoothing=0.2)
loss("binary_crossentropy", lambda z, t: bce(z, t, 0, 3.0), y, yes, "sigmoid", class_weights=[1, 3])
loss("binary_crossentropy", bce, BINARY_FAR, BINARY_SURE, "sigmoid", case="-far")
loss("binary_focal_crossentropy", binary_focal, y, yes, "sigmoid")
loss(
    "binary_focal_crossentropy", lambda z, t: binary_focal(z, t, 0.5, None), y, yes, "sigmoid", w, gamma=0.5, alpha=None
)
loss(
    "binary_focal_crossentropy",
    lambda z, t: binary_focal(z, t, 3, 0.6),
    steps,
    (goals > 0).double(),
    "sigmoid",
    gamma=3,
    alpha=0.6,
)
loss("binary_focal_crossentropy", binary_focal, BINARY_FAR, BINARY_SURE, "sigmoid", case="-far")

# one of K
FAR = torch.tensor([[1e4, -1e4, 0, 1], [1e4, 1e4, 1e4, 1e4], [0, 0, 0, 0], [-60, 60, 61, 0], [1e4, 9999, 9998, 0]])
FAR = FAR.double()
SURE = torch.tensor([1, 0, 3, 0, 1])


def rows(t: Tensor, k: int) -> Tensor:
    return t if t.is_floating_point() else F.one_hot(t, k).double()


def ce(z: Tensor, t: Tensor, smoothing: float = 0.0, weights: list[float] | None = None) -> Tensor:
    flat, goal = z.reshape(-1, z.shape[-1]), t.reshape(-1, z.shape[-1]) if t.is_floating_point() else t.reshape(-1)
    each = F.cross_entropy(flat, goal, reduction="none", label_smoothing=smoothing).reshape(z.shape[:-1])
    return each if weights is None else each * (rows(t, z.shape[-1]) @ torch.tensor(weights, dtype=z.dtype))


def focal(z: Tensor, t: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    log_p = F.log_softmax(z, -1)
    q = -torch.expm1(log_p)
    return -alpha * (rows(t, z.shape[-1]) * q**gamma * log_p).sum(-1)


def kl(z: Tensor, t: Tensor) -> Tensor:
    return F.kl_div(F.log_softmax(z, -1), t, reduction="none").sum(-1)


ids, step_ids = torch.tensor(rng.integers(0, 4, 7)), torch.tensor(rng.integers(0, 2, (3, 5)))
soft, step_soft = F.softmax(normal(7, 4), -1), F.softmax(normal(3, 5, 2), -1)
for name in ("categorical_crossentropy", "sparse_categorical_crossentropy", "cross_entropy"):
    loss(name, ce, y, ids, "softmax")
loss("categorical_crossentropy", ce, y, soft, "softmax", weight=w)
loss("categorical_crossentropy", ce, y, F.one_hot(ids, 4).double(), "softmax")
loss("categorical_crossentropy", ce, steps, step_ids, "softmax", weight=wt)
loss("categorical_crossentropy", ce, steps, step_soft, "softmax", weight=torch.tensor([1.0, 0, 2]))
loss("categorical_crossentropy", lambda z, t: ce(z, t, 0.1), y, ids, "softmax", label_smoothing=0.1)
loss("categorical_crossentropy", lambda z, t: ce(z, t, 0.3), steps, step_soft, "softmax", wt, label_smoothing=0.3)
loss(
    "categorical_crossentropy",
    lambda z, t: ce(z, t, 0, [1, 2, 0.5, 0]),
    y,
    ids,
    "softmax",
    class_weights=[1, 2, 0.5, 0],
)
loss(
    "categorical_crossentropy",
    lambda z, t: ce(z, t, 0.2, [3, 1]),
    steps,
    step_soft,
    "softmax",
    wt,
    label_smoothing=0.2,
    class_weights=[3, 1],
)
loss("categorical_crossentropy", ce, FAR, SURE, "softmax", case="-far")
loss("categorical_crossentropy", ce, FAR, F.one_hot(SURE, 4).double(), "softmax", case="-far")
loss("categorical_crossentropy", lambda z, t: ce(z, t, 0.1), FAR, SURE, "softmax", case="-far", label_smoothing=0.1)
loss("categorical_crossentropy", ce, FAR[:, :1], SURE * 0, "softmax", case="-one")
loss("categorical_focal_crossentropy", focal, y, ids, "softmax")
loss("focal", lambda z, t: focal(z, t, 0.5, 1), steps, step_soft, "softmax", wt, gamma=0.5, alpha=1)
loss("categorical_focal_crossentropy", focal, FAR, SURE, "softmax", case="-far")
loss("kl_divergence", kl, y, soft, "softmax", weight=w)
loss("kl_divergence", kl, steps, step_soft, "softmax")
loss("kl_divergence", kl, FAR, F.one_hot(SURE, 4).double(), "softmax", case="-far")

assert all(np.isfinite(array).all() for key, array in arrays.items() if not key.endswith("/spec"))
np.savez_compressed(Path(__file__).with_name("losses.npz"), **arrays)
