"""`bp play`: step a training by hand, in a browser.

The way of a step: a button or key → POST /do {"do": "step"} → `link` writes a line to the engine's process → `engine`
makes the step with `session` (the training's own loop, a snapshot after it) → `picture` looks at one example through a
second network, built to observe, with the same weights → a line back → `link` keeps the newest → every page gets it as
a server-sent event, and draws. A page that is slow misses pictures, never holds up the engine; the engine makes no
picture before the last one has cost its share.

What is pointed at goes the same way and is answered with its line of `bp trace`.
"""
