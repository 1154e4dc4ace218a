"""`python -m backprop_cli` is `bp`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # Ctrl-C while modules are imported is no traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from backprop_cli.cli.main import main

if __name__ == "__main__":
    main()
