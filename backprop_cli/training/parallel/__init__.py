"""One training over several processes, or over a fixed number of shards.

How a batch passes through. The batch is the global one: its rows are those that one process would take, in the same
seeded order, and each rank takes a part of them that lies together (`Ranks.own`). It passes its part forward and
backward, with the loss weighed by the part's share of the batch, so that gradients are summed, not averaged: one
all-reduce of the flat gradient a step. Beside it goes one small table: loss and counted steps of each part, and the
signal that a rank has received, so that all see the same numbers and stop at the same step. Every rank then makes the
same update; weights, the optimizer's memory and running statistics are equal on all of them, and need no exchange.

Batch normalisation merges mean and variance of all parts before it normalises, and sums what its gradient needs.
Random numbers (dropout, augmentation) are drawn for the whole batch, and a rank takes the rows that are its own.
Metrics are measured by rank 0, on the answers of all, in the order of the batch; rank 0 alone writes the run.

With `shards` the parts are a fixed number however many ranks there are: each is passed by itself, and their gradients
are added as a fixed tree, so that 1, 2, 4 and 8 ranks leave the same bits.
"""
