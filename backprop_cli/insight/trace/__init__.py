"""One step of backpropagation in symbols and numbers."""
