"""The functions behind the verbs, without a terminal."""
