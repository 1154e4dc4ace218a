"""bp beside the frameworks people would otherwise use: `python -m benchmarks --help`."""
