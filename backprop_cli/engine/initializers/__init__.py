"""Initial values of parameters, by the names Keras and PyTorch use."""
