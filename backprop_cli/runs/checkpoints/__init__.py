"""Checkpoints: safetensors files with a JSON document as metadata."""
