"""From names in a YAML file to classes: decorators, discovery, options.

Everything a config can name (layers, losses, optimizers, data sources, …) is a dataclass that
a decorator of this module registers under its names. **The fields of the dataclass are its YAML
options.** A class is found by being there: asking for a kind imports every module of that
kind's package. Standard library only, so that any room may import it. Registering, finding and
making are in one file because they share the table of classes.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pkgutil
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

from backprop_cli.errors import UnknownNameError, UsageError, expected, folded, to_stderr

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
    "logger": "backprop_cli.training.loggers",
    "callback": "backprop_cli.training.callbacks",
    "section": "backprop_cli.training.options",
}
ENTRY_POINT_GROUP = "backprop_cli.plugins"

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
    listed_under: ClassVar[str] = ""  # the heading under which its kind is listed
    #: a name in another library -> options that this name implies there; a function turns that library's value to ours
    implied: ClassVar[dict[str, dict[str, Any]]] = {}

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, marker in registered_fields(cls).items():
            setattr(self, name, make(marker.kind, getattr(self, name), key=marker.key, default=marker.default))


def slot() -> Any:
    """A field that the network fills in, and so no YAML option: `W: Array = slot()`."""
    return dataclasses.field(init=False, repr=False, compare=False, default=None)


@dataclass_transform(kw_only_default=True, field_specifiers=(slot, dataclasses.field))
def register(kind: str, name: str, *aliases: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: makes the class a keyword-only dataclass and registers it under its names."""

    def decorate(cls: type[T]) -> type[T]:
        new = cls if "__dataclass_fields__" in vars(cls) else dataclasses.dataclass(kw_only=True)(cls)
        new.type_name, new.aliases = name, (*aliases, *vars(new).get("implied", ()))  # type: ignore[attr-defined]  # Component's
        for alias in (name, *new.aliases):  # type: ignore[attr-defined]  # Component's
            known = _classes[kind].get(alias)
            if known is not None and (known.__module__, known.__qualname__) != (new.__module__, new.__qualname__):
                raise UsageError(
                    f"{kind} {alias!r} of {new.__module__} is already defined by {known.__module__}; "
                    "choose another name"
                )
            _classes[kind][alias] = new
        return new

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
            to_stderr(f"the plugin {entry.name} ({entry.value}) is left out: {error!r}")


def of_packages(kind: str) -> dict[str, Any]:
    """The classes of a kind that installed packages add, under their first names; ours are not imported."""
    _load_entry_points()
    known = {name: cls for name, cls in _classes[kind].items() if cls.type_name == name}
    return {name: cls for name, cls in known.items() if not cls.__module__.startswith("backprop_cli.")}


def find(kind: str, name: object) -> Any:
    """The class of that kind and name, None if there is none. `BatchNorm1d` and `batch-norm1d` mean `batch_norm1d`.

    A module called like it is tried first: whoever names three layers need not wait for seventy.
    """
    if not isinstance(name, str):
        return None
    known = _classes[kind]
    if name not in known:
        _import_module(kind, name)
    if name not in known:
        discover(kind)
    return known.get(name) or {folded(known_name): cls for known_name, cls in reversed(known.items())}.get(folded(name))


def get(kind: str, name: object) -> Any:
    """As `find`. Raises UnknownNameError with the nearest names."""
    cls = find(kind, name)
    if cls is None:
        raise UnknownNameError(f"unknown {kind} {name!r}; {expected(str(name), _classes[kind])}")
    return cls


def implied(cls: Any, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a class's name in another library implies beside the given ones, or that it means otherwise.

    PyTorch's CrossEntropyLoss takes logits, and its BatchNorm1d counts momentum from the other end.
    """
    changes = {}
    for option, meant in getattr(cls, "implied", {}).get(name, {}).items():
        if not callable(meant) and option not in given:
            changes[option] = meant
        elif callable(meant) and isinstance(given.get(option), int | float):
            changes[option] = meant(given[option])
    return changes


def _import_module(kind: str, name: str) -> None:
    """Import the module of that name in the package of a kind, if there is one."""
    module = f"{PACKAGES[kind]}.{name}"
    with suppress(ModuleNotFoundError, ValueError):  # the kind has no package; a name that is none
        if name.isidentifier() and importlib.util.find_spec(module) is not None:
            importlib.import_module(module)


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
        spec = {key: spec}
    if isinstance(spec, Mapping):
        options = dict(spec)
        name = options.pop(key, default)
        cls = get(kind, name)
        return cls(**options | implied(cls, name, options))
    if isinstance(spec, list):
        return [make(kind, item, key=key, default=default) for item in spec]
    return spec


@cache
def options(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """The YAML options of a registered dataclass: its init fields, by name."""
    return {field.name: field for field in dataclasses.fields(cls) if field.init}


def required(cls: type, option: str) -> bool:
    """Whether an option has no default."""
    field = options(cls)[option]
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@cache
def hints(cls: type) -> dict[str, Any]:
    """The annotated types of a dataclass's fields, markers included."""
    return typing.get_type_hints(cls, include_extras=True)


@cache
def own_first(cls: type) -> dict[str, bool]:
    """The options of a class -> whether they are its own: defined by it, or in a module of its package. Those first."""
    bases = [base for base in cls.__mro__ if base is cls or base.__module__.startswith(f"{cls.__module__}.")]
    own = {name for base in bases for name in vars(base).get("__annotations__", ())}
    given: Any = cls
    return {name: name in own for name in sorted(options(given), key=lambda name: name not in own)}


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
        markers = [extra for extra in annotation.__metadata__ if isinstance(extra, Registered)]
        return markers[0] if markers else marker_of(typing.get_args(annotation)[0])
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
