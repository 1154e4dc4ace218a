"""A trained model: what its file says of it, and how it answers."""
