"""What a person sees: progress, tables, warnings. The only importer of rich.

`progress` and `sweeps` stand apart: they need the engine, which no command that only reads should wait for.
"""

from backprop_cli.cli.ui.console import err, fields, loading, note, out, warn
from backprop_cli.cli.ui.tables import brief, entries, fits, number, print_rows, sections, size, table

__all__ = [
    "brief",
    "entries",
    "err",
    "fields",
    "fits",
    "loading",
    "note",
    "number",
    "out",
    "print_rows",
    "sections",
    "size",
    "table",
    "warn",
]
