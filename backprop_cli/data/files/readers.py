"""Which reader decodes the pictures or sounds of a source, or those for a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backprop_cli.data.files.media import Reader
from backprop_cli.data.files.pictures import Pictures
from backprop_cli.data.files.sounds import Sounds
from backprop_cli.data.schema import Images

if TYPE_CHECKING:
    from backprop_cli.data.files.options import FileOptions
    from backprop_cli.data.schema import Schema
    from backprop_cli.data.schema import Sounds as SettledSounds


def reader_of(kind: str, options: FileOptions, known: Schema | None) -> Reader:
    """The reader of files of a kind (images, sounds), as a model has learnt to read them, else as the options say."""
    if known is not None and known.media is not None:
        return trained_reader(known.media)
    if kind == "images":
        return Pictures(
            color=options.color,
            size=(options.size[0], options.size[1]) if options.size else None,
            resize=options.size is not None,
        )
    given = {"rate": options.sample_rate, "seconds": options.duration, "channels": options.channels}
    return Sounds(
        rate=options.sample_rate,
        seconds=options.duration,
        channels=options.channels,
        converts=tuple(name for name, value in given.items() if value is not None),
    )


def trained_reader(settled: Images | SettledSounds) -> Reader:
    """The reader that makes arrays of the shape and kind that a network was trained on."""
    if isinstance(settled, Images):
        return Pictures(color=settled.color, size=settled.size, resize=settled.resize, trained=True)
    return Sounds(
        rate=settled.rate,
        seconds=settled.seconds,
        channels=settled.channels,
        converts=tuple(settled.converts),
        trained=True,
    )
