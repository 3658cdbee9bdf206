"""Options that several verbs share, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from bezoar.data import Dataset, open_data
from bezoar.data.options import Fit
from bezoar.errors import AttackError, TriggerError, UndividedError, UsageError

Seed = Annotated[int, typer.Option(help="Everything random follows from this number.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Only JSON on stdout.")]
Out = Annotated[Path, typer.Option(help="Where to write; must be new or empty.")]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder of class folders, an .npz, a folder of parquet files, hf:NAME, torchvision:NAME, "
        "or an embedded, drawn set: signs, faces, documents, aircraft.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="fast, plain, preact-resnet18, or your own as package.module:factory, called with the number of classes."
    ),
]
Factory = Annotated[
    str | None,
    typer.Option(help="package.module:function that builds the network, for files of weights alone."),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data; the model's own default otherwise.")]
Flips = Annotated[bool, typer.Option("--flips", help="Mirror images at random. Changes asymmetric triggers.")]


@dataclass(frozen=True)
class Reading:
    """How a user wants data read: the fields are the options of every verb that reads data (see `reads_data`)."""

    split: Annotated[str | None, typer.Option(help="Which part of the data, where it has parts.")] = None
    size: Annotated[int | None, typer.Option(help="Bring images to this many pixels a side.")] = None
    fit: Annotated[
        Fit, typer.Option("--fit", help="How --size does it: crop the middle, resize (stretch), or pad.")
    ] = "crop"
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable samples out, and list them.")] = False
    image_column: Annotated[str | None, typer.Option(help="Column of the pictures, for parquet and hf:.")] = None
    label_column: Annotated[str | None, typer.Option(help="Column of the labels, for parquet and hf:.")] = None
    source_column: Annotated[str | None, typer.Option(help="Column of the contributors, for parquet and hf:.")] = None
    source_level: Annotated[
        int | None,
        typer.Option(help="Folder level below the root that names each sample's contributor (1 is the first)."),
    ] = None

    def words(self) -> tuple[str, ...]:
        """The options as they are typed, those left out that nobody gave."""
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                option = f"--{field.name.replace('_', '-')}"
                words += [option] if value is True else [option, str(value)]
        return tuple(words)

    def open(self, data: str) -> Dataset:
        """The data, of which the training part unless another was asked for."""
        return open_data(data, **{**asdict(self), "split": self.split or "train"})

    def open_test(self, data: str) -> Dataset:
        """Test data: their test part unless another was asked for, or all of them where they have no parts."""
        try:
            return open_data(data, **{**asdict(self), "split": self.split or "test"})
        except UndividedError:
            if self.split is not None:
                raise
            return self.open(data)


def reads_data(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb with the options of `Reading` in place of its parameter `reading`."""
    own = [
        parameter for name, parameter in inspect.signature(verb, eval_str=True).parameters.items() if name != "reading"
    ]
    shared = list(inspect.signature(Reading, eval_str=True).parameters.values())

    @functools.wraps(verb)
    def wrapper(**given: Any) -> None:
        reading = Reading(**{parameter.name: given.pop(parameter.name) for parameter in shared})
        verb(reading=reading, **given)

    every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *shared)]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    wrapper.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    return wrapper


@contextmanager
def values_of_the_call() -> Iterator[None]:
    """What is wrong with the values of a method while it is built is wrong with the call's own words."""
    try:
        yield
    except (AttackError, TriggerError) as error:
        raise error.told_as(UsageError, error.what) from error
