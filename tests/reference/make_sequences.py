"""Writes sequences.npz: sequence layers by PyTorch, in float64, for tests/engine/layers/test_sequences.py.

    python tests/reference/make_sequences.py

Each case holds the data, parameters under the names this package gives them, a random r, the outputs y
and the gradients of L = Σ r ⊙ y. Padded cases went through pack_padded_sequence, or key_padding_mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

N, T, F, H = 3, 5, 4, 4
LENGTHS = torch.tensor([5, 3, 1])
GRU_ORDER = (1, 0, 2)  # PyTorch keeps r, z, n; Keras and this package z, r, n

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
found: dict[str, np.ndarray] = {}


def keep(case: str, **arrays: Any) -> None:
    for name, value in arrays.items():
        found[f"{case}/{name}"] = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def blocks(weight: torch.Tensor, gru: bool) -> torch.Tensor:
    """Rows of gates in this package's order."""
    parts = weight.chunk(3)
    return torch.cat([parts[i] for i in GRU_ORDER]) if gru else weight


def recurrent_parameters(module: torch.nn.RNNBase, suffix: str, prefix: str, of: Any) -> dict[str, torch.Tensor]:
    """W, U, b (and bU) of one direction; `of` picks the value or the gradient of a tensor."""
    gru = isinstance(module, torch.nn.GRU)
    got = {name: blocks(of(getattr(module, f"{name}_l0{suffix}")), gru) for name in ("weight_ih", "weight_hh")}
    bias = {name: blocks(of(getattr(module, f"{name}_l0{suffix}")), gru) for name in ("bias_ih", "bias_hh")}
    result = {f"{prefix}W": got["weight_ih"].T, f"{prefix}U": got["weight_hh"].T}
    if gru:
        return {**result, f"{prefix}b": bias["bias_ih"], f"{prefix}bU": bias["bias_hh"]}
    total = bias["bias_ih"] + bias["bias_hh"] if of is value else bias["bias_ih"]
    return {**result, f"{prefix}b": total}


def value(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def gradient(tensor: torch.Tensor) -> torch.Tensor:
    assert tensor.grad is not None
    return tensor.grad


def recurrent(
    case: str, module: torch.nn.RNNBase, sequences: bool, padded: bool = False, merge: str = "", start: str = ""
) -> None:
    """`start`: the letters of the states whose first values are parameters, the same for every sequence."""
    x = torch.randn(N, T, F, requires_grad=True)
    firsts = [torch.randn(H, requires_grad=True) for _ in start]
    stretched = [first.expand(1, N, H) for first in firsts]
    first = tuple(stretched) if len(start) > 1 else stretched[0] if start else None
    if padded:
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True)
        raw, state = module(packed, first)
        out, _ = pad_packed_sequence(raw, batch_first=True, total_length=T)
    else:
        out, state = module(x, first)
    last = state[0] if isinstance(state, tuple) else state
    y = out if sequences else torch.cat(tuple(last), dim=-1)
    if merge == "add":
        y = out[..., :H] + out[..., H:]
    r = torch.randn_like(y)
    if padded and sequences:
        r = r * (torch.arange(T) < LENGTHS[:, None])[..., None]
    (y * r).sum().backward()
    keep(case, x=x, y=y, r=r, dx=x.grad)
    for suffix, prefix in (("", "forward."), ("_reverse", "backward.")) if module.bidirectional else (("", ""),):
        for kind, of in (("p", value), ("d", gradient)):
            parameters = recurrent_parameters(module, suffix, prefix, of)
            keep(case, **{f"{kind}:{name}": array for name, array in parameters.items()})
            keep(case, **{f"{kind}:{letter}0": of(first) for letter, first in zip(start, firsts, strict=True)})
    if padded:
        keep(case, lengths=LENGTHS)


def attention(case: str, heads: int, causal: bool = False, memory: int = 0, padded: bool = False) -> None:
    width = 6
    module = torch.nn.MultiheadAttention(
        width, heads, batch_first=True, kdim=memory or None, vdim=memory or None, bias=True
    )
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    x = torch.randn(N, T, width, requires_grad=True)
    seen = torch.randn(N, 4, memory, requires_grad=True) if memory else x
    hidden = torch.arange(seen.shape[1]) >= LENGTHS[:, None] if padded else None
    future = torch.triu(torch.ones(T, T, dtype=torch.bool), 1) if causal else None
    y, _ = module(x, seen, seen, key_padding_mask=hidden, attn_mask=future, need_weights=False)
    r = torch.randn_like(y)
    if padded:
        r = r * (torch.arange(T) < LENGTHS[:, None])[..., None]
    (y * r).sum().backward()
    keep(case, x=x, y=y, r=r, dx=x.grad)
    if memory:
        keep(case, memory=seen, dmemory=seen.grad)
    if padded:
        keep(case, lengths=LENGTHS)
    for kind, of in (("p", value), ("d", gradient)):
        if memory:
            kernels = [of(getattr(module, f"{name}_proj_weight")) for name in "qkv"]
        else:
            kernels = list(of(module.in_proj_weight).chunk(3))
        biases = of(module.in_proj_bias).chunk(3)
        for name, kernel, bias in zip("qkv", kernels, biases, strict=True):
            keep(case, **{f"{kind}:W{name}": kernel.T, f"{kind}:b{name}": bias})
        keep(case, **{f"{kind}:Wo": of(module.out_proj.weight).T, f"{kind}:bo": of(module.out_proj.bias)})


def embedding(case: str) -> None:
    module = torch.nn.Embedding(7, 3)
    x = torch.randint(0, 7, (N, T))
    y = module(x)
    r = torch.randn_like(y)
    (y * r).sum().backward()
    keep(case, x=x, y=y, r=r, **{"p:W": module.weight, "d:W": gradient(module.weight)})


def tagger(case: str) -> None:
    """Embedding, LSTM and a softmax at each step; cross-entropy over the steps that are not padding (id 0)."""
    table, lstm, head = torch.nn.Embedding(7, F), torch.nn.LSTM(F, H, batch_first=True), torch.nn.Linear(H, 3)
    x, target = torch.randint(1, 7, (N, T)), torch.randint(0, 3, (N, T))
    real = torch.arange(T) < LENGTHS[:, None]
    x = x * real
    out, _ = pad_packed_sequence(
        lstm(pack_padded_sequence(table(x), LENGTHS, batch_first=True))[0], batch_first=True, total_length=T
    )
    loss = torch.nn.functional.cross_entropy(head(out)[real], target[real])
    loss.backward()
    keep(case, x=x, target=target, loss=loss)
    for kind, of in (("p", value), ("d", gradient)):
        parameters = {f"lstm.{name}": array for name, array in recurrent_parameters(lstm, "", "", of).items()}
        parameters |= {"table.W": of(table.weight), "head.W": of(head.weight).T, "head.b": of(head.bias)}
        keep(case, **{f"{kind}:{name}": array for name, array in parameters.items()})


def main() -> None:
    recurrent("rnn", torch.nn.RNN(F, H, batch_first=True), sequences=True)
    recurrent("rnn_relu", torch.nn.RNN(F, H, nonlinearity="relu", batch_first=True), sequences=False)
    recurrent("rnn_padded", torch.nn.RNN(F, H, batch_first=True), sequences=True, padded=True)
    for name, cls in (("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)):
        recurrent(f"{name}_last", cls(F, H, batch_first=True), sequences=False)
        recurrent(f"{name}_sequences", cls(F, H, batch_first=True), sequences=True)
        recurrent(f"{name}_padded_last", cls(F, H, batch_first=True), sequences=False, padded=True)
        recurrent(f"{name}_padded_sequences", cls(F, H, batch_first=True), sequences=True, padded=True)
        both = {"batch_first": True, "bidirectional": True}
        recurrent(f"{name}_bidirectional_last", cls(F, H, **both), sequences=False)
        recurrent(f"{name}_bidirectional_sequences", cls(F, H, **both), sequences=True)
        recurrent(f"{name}_bidirectional_padded", cls(F, H, **both), sequences=True, padded=True)
        recurrent(f"{name}_bidirectional_padded_last", cls(F, H, **both), sequences=False, padded=True)
    recurrent("rnn_bidirectional_add", torch.nn.RNN(F, H, batch_first=True, bidirectional=True), True, merge="add")
    attention("attention", heads=3)
    attention("attention_causal", heads=2, causal=True)
    attention("attention_cross", heads=2, memory=5)
    attention("attention_padded", heads=1, padded=True)
    embedding("embedding")
    tagger("tagger")
    for name, cls, start in (("rnn", torch.nn.RNN, "h"), ("lstm", torch.nn.LSTM, "hc"), ("gru", torch.nn.GRU, "h")):
        recurrent(f"{name}_start", cls(F, H, batch_first=True), sequences=True, start=start)
        recurrent(f"{name}_start_padded", cls(F, H, batch_first=True), sequences=False, padded=True, start=start)
    np.savez_compressed(Path(__file__).with_name("sequences.npz"), **found)


if __name__ == "__main__":
    main()
