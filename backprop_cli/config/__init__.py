"""YAML to a checked, frozen Config, and back."""

from backprop_cli.config.dump import diff, dump, flat, masked, origins, resolved
from backprop_cli.config.load import load_config
from backprop_cli.config.recorded import recorded
from backprop_cli.config.schema import Config

__all__ = ["Config", "diff", "dump", "flat", "load_config", "masked", "origins", "recorded", "resolved"]
