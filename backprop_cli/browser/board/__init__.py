"""`bp board`: runs in a browser, while they train.

The way of a number: metrics.jsonl → `LogReader` (columns in memory, read on from where it stopped) → `thin` → JSON →
a chart. Everything is read from run directories; the process that trains knows nothing of it. `Shelf` finds the runs
and keeps a row of each; `live` looks for changes and tells the pages which runs they concern; `app` answers requests.
"""
