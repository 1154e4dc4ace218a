"""`python -m backprop_cli` is `bp`."""

from backprop_cli.cli.main import main

main()
