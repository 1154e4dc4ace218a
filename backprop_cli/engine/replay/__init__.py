"""Training steps in C: one is recorded while Python runs it, the ones after it are replayed.

The way of a step: `stages` cuts it into batch, layers, loss, metrics, update. `standins` puts arrays of `traced` in the
place of the network's own; `recorder` and `tape` write down what is done with them, `numbers` by which arithmetic its
numbers come about, `loops` which loop of NumPy's is meant. `program` is the list that src/replay.c works through, and
`running` makes steps of it, with Python for the stages that have no list. `replay` decides: it makes one step both ways
and replays nothing unless all that the step leaves is equal to the last bit.
"""
