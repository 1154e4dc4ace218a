"""Makes optimizers.npz: 20 updates of each optimizer, and each schedule's sequence, as PyTorch computes them.

    python tests/reference/make_optimizers.py        # needs PyTorch; the tests that read the file do not

Keys are the YAML options as JSON; `start`, `gradients` hold what the updates begin from. Float64 throughout.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

UPDATES = 20
SHAPES = {"dense.W": (5, 3), "dense.b": (3,)}
STEPS = 60
Options = dict[str, Any]

#: our options -> PyTorch's class and its own
CASES: list[tuple[Options, type[torch.optim.Optimizer], Options]] = [
    ({"type": "sgd", "learning_rate": 0.1}, torch.optim.SGD, {"lr": 0.1}),
    ({"type": "sgd", "momentum": 0.9}, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    (
        {"type": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        torch.optim.SGD,
        {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    ({"type": "rmsprop"}, torch.optim.RMSprop, {"lr": 1e-3}),
    (
        {"type": "rmsprop", "centered": True, "rho": 0.9},
        torch.optim.RMSprop,
        {"lr": 1e-3, "centered": True, "alpha": 0.9},
    ),
    (
        {"type": "rmsprop", "centered": True, "momentum": 0.8, "weight_decay": 0.1, "epsilon": 1e-4},
        torch.optim.RMSprop,
        {"lr": 1e-3, "centered": True, "momentum": 0.8, "weight_decay": 0.1, "eps": 1e-4},
    ),
    ({"type": "adagrad"}, torch.optim.Adagrad, {"lr": 0.01}),
    (
        {"type": "adagrad", "initial_accumulator": 0.1, "weight_decay": 0.1},
        torch.optim.Adagrad,
        {"lr": 0.01, "initial_accumulator_value": 0.1, "weight_decay": 0.1},
    ),
    ({"type": "adadelta"}, torch.optim.Adadelta, {"lr": 1.0}),
    (
        {"type": "adadelta", "rho": 0.5, "weight_decay": 0.1},
        torch.optim.Adadelta,
        {"lr": 1.0, "rho": 0.5, "weight_decay": 0.1},
    ),
    ({"type": "adam"}, torch.optim.Adam, {"lr": 1e-3}),
    (
        {"type": "adam", "amsgrad": True, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-3, "weight_decay": 0.1},
        torch.optim.Adam,
        {"lr": 1e-3, "amsgrad": True, "betas": (0.7, 0.8), "eps": 1e-3, "weight_decay": 0.1},
    ),
    ({"type": "adamw", "learning_rate": 0.1}, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.01}),
    (
        {"type": "adamw", "amsgrad": True, "weight_decay": 0.3},
        torch.optim.AdamW,
        {"lr": 1e-3, "amsgrad": True, "weight_decay": 0.3},
    ),
    ({"type": "adamax"}, torch.optim.Adamax, {"lr": 2e-3}),
    (
        {"type": "adamax", "beta_2": 0.5, "weight_decay": 0.1},
        torch.optim.Adamax,
        {"lr": 2e-3, "betas": (0.9, 0.5), "weight_decay": 0.1},
    ),
    ({"type": "nadam"}, torch.optim.NAdam, {"lr": 2e-3}),
    (
        {"type": "nadam", "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        torch.optim.NAdam,
        {"lr": 2e-3, "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    ({"type": "radam"}, torch.optim.RAdam, {"lr": 1e-3}),
    (
        {"type": "radam", "beta_2": 0.9, "weight_decay": 0.1},
        torch.optim.RAdam,
        {"lr": 1e-3, "betas": (0.9, 0.9), "weight_decay": 0.1},
    ),
    ({"type": "adam", "clip_norm": 0.5}, torch.optim.Adam, {"lr": 1e-3}),
    ({"type": "sgd", "clip_value": 0.2}, torch.optim.SGD, {"lr": 0.01}),
]

Scheduler = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]
#: our options -> PyTorch's scheduler; learning_rate is 1
SCHEDULES: list[tuple[Options, Scheduler]] = [
    ({"type": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ({"type": "step", "every": 7, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 7, 0.5)),
    (
        {"type": "multi_step", "milestones": [5, 20, 21], "gamma": 0.3},
        lambda o: lr_scheduler.MultiStepLR(o, [5, 20, 21], 0.3),
    ),
    ({"type": "exponential", "gamma": 0.9}, lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    ({"type": "polynomial", "steps": 40, "power": 2.0}, lambda o: lr_scheduler.PolynomialLR(o, 40, 2.0)),
    ({"type": "cosine", "final": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
    (
        {"type": "cosine_restarts", "period": 7, "growth": 2.0, "final": 0.05},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 7, 2, eta_min=0.05),
    ),
    ({"type": "cosine_restarts", "period": 9}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9)),
    ({"type": "one_cycle"}, lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=STEPS)),
    (
        {"type": "one_cycle", "rise": 0.25, "anneal": "linear", "div_factor": 10, "final_div_factor": 100},
        lambda o: lr_scheduler.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=STEPS,
            pct_start=0.25,
            anneal_strategy="linear",
            div_factor=10,
            final_div_factor=100,
        ),
    ),
    (
        {"type": "piecewise", "boundaries": [10, 30], "values": [1.0, 0.5, 0.2]},
        lambda o: lr_scheduler.LambdaLR(o, lambda s: 1.0 if s < 10 else 0.5 if s < 30 else 0.2),
    ),
    (
        {"type": "cosine", "warmup": 10},
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.1, 1.0, 9), lr_scheduler.CosineAnnealingLR(o, STEPS - 10)],
            [10],
        ),
    ),
]
PLATEAUS: list[Options] = [
    {"type": "reduce_on_plateau", "patience": 2},
    {"type": "reduce_on_plateau", "patience": 1, "cooldown": 3, "factor": 0.5, "min": 0.2, "min_delta": 0.1},
    {"type": "reduce_on_plateau", "patience": 0, "mode": "max", "factor": 0.7},
]


def trajectory(ours: Options, make: type[torch.optim.Optimizer], options: Options, start: Any, gradients: Any) -> Any:
    """The weights after each update, flat. The bias does not decay, as with us."""
    w = [torch.tensor(part, requires_grad=True) for part in split(start)]
    groups = [{"params": w[:1]}, {"params": w[1:], "weight_decay": 0.0}]
    optimizer = make(groups, **{"foreach": False, **options})
    rows = []
    for gradient in gradients:
        for each, part in zip(w, split(gradient), strict=True):
            each.grad = torch.tensor(part)
        if "clip_value" in ours:
            torch.nn.utils.clip_grad_value_(w, ours["clip_value"])
        if "clip_norm" in ours:
            torch.nn.utils.clip_grad_norm_(w, ours["clip_norm"])
        optimizer.step()
        rows.append(np.concatenate([each.detach().numpy().reshape(-1) for each in w]))
    return np.stack(rows)


def split(flat: Any) -> list[Any]:
    bounds = np.cumsum([np.prod(shape) for shape in SHAPES.values()])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(flat, bounds), SHAPES.values(), strict=True)]


def sequence(make: Scheduler) -> Any:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


def plateau(ours: Options, values: Any) -> Any:
    """The learning rate after each epoch's value."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=ours.get("mode", "min"),
        factor=ours.get("factor", 0.1),
        patience=ours["patience"],
        threshold=ours.get("min_delta", 1e-4),
        threshold_mode="abs",
        cooldown=ours.get("cooldown", 0),
        min_lr=ours.get("min", 0.0),
        eps=0.0,
    )
    rates = []
    for value in values:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return np.array(rates)


def main() -> None:
    rng = np.random.default_rng(0)
    size = sum(int(np.prod(shape)) for shape in SHAPES.values())
    start = rng.normal(size=size)
    gradients = rng.normal(size=(UPDATES, size)) * np.exp(rng.normal(size=size))
    values = 1 / np.arange(1, 31) + rng.normal(size=30) * 0.1
    found = {"start": start, "gradients": gradients, "values": values}
    for ours, make, options in CASES:
        found["optimizer " + json.dumps(ours)] = trajectory(ours, make, options, start, gradients)
    for ours, scheduler in SCHEDULES:
        found["schedule " + json.dumps(ours)] = sequence(scheduler)
    for ours in PLATEAUS:
        found["plateau " + json.dumps(ours)] = plateau(ours, values)
    np.savez_compressed(Path(__file__).with_name("optimizers.npz"), **found)


if __name__ == "__main__":
    main()
