"""MNIST as a PyTorch user writes it: python mnist_torch.py mnist.npz"""

import sys

import numpy as np
import torch
from torch import nn

with np.load(sys.argv[1]) as data:
    x = torch.from_numpy(data["x_train"].astype("float32") / 255)
    y = torch.from_numpy(data["y_train"])

model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters())
total, right = 0.0, 0
order = torch.randperm(len(x))
for start in range(0, len(x), 32):
    rows = order[start : start + 32]
    optimizer.zero_grad()
    scores = model(x[rows])
    loss = criterion(scores, y[rows])
    loss.backward()
    optimizer.step()
    total += loss.item() * len(rows)
    right += (scores.argmax(1) == y[rows]).sum().item()
print(total / len(x), right / len(x))
