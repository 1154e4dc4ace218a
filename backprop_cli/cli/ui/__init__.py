"""What a person sees: progress, tables, warnings. The only importer of rich."""

from backprop_cli.cli.ui.console import err, loading, note, out, warn
from backprop_cli.cli.ui.progress import progress
from backprop_cli.cli.ui.sweeps import sweep_progress
from backprop_cli.cli.ui.tables import brief, fits, number, print_rows, sections, size, table

__all__ = [
    "brief",
    "err",
    "fits",
    "loading",
    "note",
    "number",
    "out",
    "print_rows",
    "progress",
    "sections",
    "size",
    "sweep_progress",
    "table",
    "warn",
]
