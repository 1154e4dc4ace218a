"""Loggers: other destinations for each row of metrics, one file each."""
