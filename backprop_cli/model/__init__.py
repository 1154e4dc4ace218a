"""From a config to a network in training (`build`), and from a model's file to its answers (`model`)."""
