"""Make the weights that ship with bp, backprop_cli/model/weights/shipped/: python scripts/make_shipped_weights.py

mnist5k_cnn: configs/cnn.yaml as it is, trained on the 5,000 digits of MNIST that ship. A config takes them with
`weights: sample:mnist5k_cnn`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from backprop_cli import load
from backprop_cli.commands.export.export import export
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "backprop_cli" / "weights" / "shipped"

if __name__ == "__main__":
    SHIPPED.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        train(load_config(ROOT / "configs" / "cnn.yaml"), run_dir=Path(folder) / "run")
        export(load(Path(folder) / "run"), "safetensors", SHIPPED / "mnist5k_cnn.safetensors")
