"""Weights that others have trained, put into a network: files of bp, NumPy, PyTorch and Keras (`weights:`)."""
