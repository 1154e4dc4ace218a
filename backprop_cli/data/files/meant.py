"""Which options of a source of files mean something for which format."""

#: options of how a text lies in its file, which are guessed where they are not given
LAYOUT = ("delimiter", "header", "encoding", "decimal", "thousands", "na_values", "skip_rows", "dates", "query")
_FOLDED = ("folds", "fold", "split_seed", "stratify")
_OF_TABLES = (
    *("target", "task", "classes", "sample_weight", "features", "categorical", "categories", "columns", "text"),
    *("missing", "exclude", "group", "time", "split_column", *_FOLDED, *LAYOUT),
    *("window", "horizon", "by", "gaps", "stride"),
)
_LISTED = (
    *("corrupt", "target", "task", "classes", "label_separator", "group", "time", "split_column"),
    *(*_FOLDED, *LAYOUT),
)
#: which options mean something for what
MEANT = {
    "tables": _OF_TABLES,
    "arrays": ("target", "task", *_FOLDED),
    "images": ("size", "color", "corrupt", *_FOLDED),
    "sounds": ("sample_rate", "duration", "channels", "corrupt", *_FOLDED),
    "listed pictures": ("size", "color", "images", *_LISTED),
    "listed sounds": ("sample_rate", "duration", "channels", "sounds", *_LISTED),
    "texts": ("level", "length", "stride", "vocabulary", "encoding"),
}
