"""The training loop, its options and what happens around it."""
