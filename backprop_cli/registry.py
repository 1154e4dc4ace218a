"""From names in a YAML file to classes: decorators, discovery, plugins, did-you-mean.

Everything a config can name (layers, losses, optimizers, data sources, …) is a dataclass that
a decorator of this module puts under its names. **The fields of the dataclass are its YAML
options.** A class is found by being there: asking for a kind imports every module of that
kind's package. Standard library only, so that any room may import it.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform
from zlib import crc32

from backprop_cli.errors import UnknownNameError, UsageError

#: kind -> the package (or module) whose modules define the classes of that kind
PACKAGES = {
    "layer": "backprop_cli.engine.layers",
    "activation": "backprop_cli.engine.layers",
    "loss": "backprop_cli.engine.losses",
    "optimizer": "backprop_cli.engine.optimizers",
    "schedule": "backprop_cli.engine.schedules",
    "initializer": "backprop_cli.engine.initializers",
    "constraint": "backprop_cli.engine.constraints",
    "metric": "backprop_cli.engine.metrics",
    "sugar": "backprop_cli.config.sugar",
    "source": "backprop_cli.data",
    "synthetic": "backprop_cli.data.synthetic",
    "transform": "backprop_cli.data.transforms",
    "section": "backprop_cli.training.options",
}
ENTRY_POINT_GROUP = "backprop_cli.plugins"
PLUGIN_MODULE = "bp_plugin_"  # what the names of modules made from plugin files begin with

MAX_LISTED = 12  # names in an error

T = TypeVar("T")
_classes: dict[str, dict[str, Any]] = {kind: {} for kind in PACKAGES}


@dataclasses.dataclass(frozen=True)
class Registered:
    """Marks a field whose value names a registered class: `Annotated[Any, Registered("loss")]`.

    In YAML such a value is a bare string, or a mapping whose `key` names the class and whose
    other keys are its options. With a `default`, the key may be left out.
    """

    kind: str
    key: str = "type"
    default: str | None = None


@dataclasses.dataclass(frozen=True)
class Doc:
    """Says what an option means: `patience: Annotated[int, Ge(0), Doc("epochs without improvement before stopping")]`.

    A few words with the unit, and what the default stands for where that is not plain; the type says the range. The
    JSON Schema, `bp layers NAME` and docs/config.md show them.
    """

    text: str


@dataclasses.dataclass(kw_only=True)
class Component:
    """Base of every registered class. Turns nested names into instances on construction."""

    type_name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, marker in registered_fields(cls).items():
            setattr(self, name, make(marker.kind, getattr(self, name), key=marker.key, default=marker.default))


def slot() -> Any:
    """A field that the network fills in, and so no YAML option: `W: Array = slot()`."""
    return dataclasses.field(init=False, repr=False, compare=False, default=None)


@dataclass_transform(kw_only_default=True, field_specifiers=(slot, dataclasses.field))
def register(kind: str, name: str, *aliases: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: makes the class a keyword-only dataclass and files it under its names."""

    def decorate(cls: type[T]) -> type[T]:
        made = cls if "__dataclass_fields__" in vars(cls) else dataclasses.dataclass(kw_only=True)(cls)
        made.type_name, made.aliases = name, aliases  # type: ignore[attr-defined]  # Component's
        for each in (name, *aliases):
            known = _classes[kind].get(each)
            if known is not None and (known.__module__, known.__qualname__) != (
                made.__module__,
                made.__qualname__,
            ):
                raise UsageError(
                    f"{kind} {each!r} of {made.__module__} is already defined by {known.__module__}; "
                    "choose another name"
                )
            _classes[kind][each] = made
        return made

    return decorate


@cache
def discover(kind: str) -> None:
    """Import every module that defines classes of this kind, then the installed plugins."""
    package = importlib.import_module(PACKAGES[kind])
    for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
        importlib.import_module(f"{PACKAGES[kind]}.{module.name}")
    _load_entry_points()


@cache
def _load_entry_points() -> None:
    import importlib.metadata  # takes 20 ms, which `bp --help` need not wait for

    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            entry.load()
        except Exception as error:  # one broken package must not take every command with it
            print(f"bp: the plugin {entry.name} ({entry.value}) is left out: {error!r}", file=sys.stderr)


def load_plugin(path: Path) -> None:
    """Run a plugin file, once per process; its decorators file what it defines. Raises UsageError."""
    path = path.resolve()
    if not path.is_file():
        raise UsageError(f"plugin {path}: no such file; give the path relative to the config that names it")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"plugin {path}: {error.strerror}") from None
    module_name = f"{PLUGIN_MODULE}{path.stem}_{crc32(text):08x}"  # a copy of what is loaded is not loaded again
    if module_name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"plugin {path}: not a Python file; expected a name ending in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # any mistake of the plugin's author, shown with its own words
        del sys.modules[module_name]
        raise UsageError(f"plugin {path}: {type(error).__name__}: {error}") from error


def plugin_failure(error: BaseException) -> str | None:
    """`plugin FILE, line N: what was raised` for an exception out of a plugin's code; None for any other."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith(PLUGIN_MODULE):
            found = f"plugin {frame.f_code.co_filename}, line {line}: {type(error).__name__}: {error}"
    return found


def get(kind: str, name: object) -> Any:
    """The class of that kind and name. Raises UnknownNameError with the nearest names."""
    discover(kind)
    found = _classes[kind].get(name) if isinstance(name, str) else None
    if found is None:
        raise UnknownNameError(f"unknown {kind} {name!r}; {expected(str(name), _classes[kind])}")
    return found


def classes(kind: str) -> dict[str, Any]:
    """Every class of a kind under its first name, sorted."""
    discover(kind)
    return {name: cls for name, cls in sorted(_classes[kind].items()) if cls.type_name == name}


def names(kind: str) -> list[str]:
    """Every name and alias of a kind, sorted."""
    discover(kind)
    return sorted(_classes[kind])


def make(kind: str, spec: Any, *, key: str = "type", default: str | None = None) -> Any:
    """An instance from `"adam"`, `{"type": "adam", …}` or an instance; lists item by item, None as None."""
    if isinstance(spec, str):
        return get(kind, spec)()
    if isinstance(spec, Mapping):
        options = dict(spec)
        return get(kind, options.pop(key, default))(**options)
    if isinstance(spec, list):
        return [make(kind, item, key=key, default=default) for item in spec]
    return spec


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known name nearest to a mistyped one, or None."""
    folded = {name.lower().replace("_", ""): name for name in known}
    match = difflib.get_close_matches(word.lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def expected(word: str, known: Iterable[str]) -> str:
    """`expected one of …; did you mean …?` for an unknown name, with only the nearest of a long list."""
    names = sorted(set(known))
    if not names:
        return "nothing is expected here"
    near, shown = suggest(word, names), names
    if len(names) > MAX_LISTED:
        shown = (difflib.get_close_matches(word, names, n=5, cutoff=0.3) or names)[:MAX_LISTED]
        shown = [*shown, f"… ({len(names)} in all)"]
    return f"expected one of {', '.join(shown)}" + (f"; did you mean {near!r}?" if near else "")


@cache
def options(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """The YAML options of a registered dataclass: its init fields, by name."""
    return {field.name: field for field in dataclasses.fields(cls) if field.init}


@cache
def hints(cls: type) -> dict[str, Any]:
    """The annotated types of a dataclass's fields, markers included."""
    return typing.get_type_hints(cls, include_extras=True)


@cache
def about(cls: type, option: str) -> str:
    """What an option means, in the words of its class, else of the base it is inherited from."""
    for base in cls.__mro__:
        if option in vars(base).get("__annotations__", ()):
            marks = getattr(hints(base)[option], "__metadata__", ())
            for mark in reversed(marks):
                if isinstance(mark, Doc):
                    return mark.text
    return ""


def marker_of(annotation: Any) -> Registered | None:
    """The `Registered` marker inside an annotation (`X`, `X | None`, `list[X]`), or None."""
    if typing.get_origin(annotation) is Annotated:
        found = [extra for extra in annotation.__metadata__ if isinstance(extra, Registered)]
        return found[0] if found else marker_of(typing.get_args(annotation)[0])
    for part in typing.get_args(annotation):
        marker = marker_of(part)
        if marker:
            return marker
    return None


@cache
def registered_fields(cls: type) -> dict[str, Registered]:
    """The options of a class that name registered classes, with their markers."""
    markers = {name: marker_of(hints(cls)[name]) for name in options(cls)}
    return {name: marker for name, marker in markers.items() if marker}
