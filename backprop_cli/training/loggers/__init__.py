"""Loggers: where else each row of metrics goes, one file each."""
