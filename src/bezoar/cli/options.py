"""Options that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bezoar.data.options import Fit

Seed = Annotated[int, typer.Option(help="Everything random follows from this number.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Only JSON on stdout.")]
Out = Annotated[Path, typer.Option(help="Where to write; must be new or empty.")]
Size = Annotated[int | None, typer.Option(help="Bring images to this many pixels a side.")]
Split = Annotated[str, typer.Option(help="Which part of the data, where it has parts.")]
FitOption = Annotated[Fit, typer.Option("--fit", help="How --size does it: crop the middle, resize (stretch), or pad.")]
ImageColumn = Annotated[str | None, typer.Option(help="Column of the pictures, for parquet and hf:.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column of the labels, for parquet and hf:.")]
SourceColumn = Annotated[str | None, typer.Option(help="Column of the contributors, for parquet and hf:.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable samples out, and list them.")]
SourceLevel = Annotated[
    int | None, typer.Option(help="Folder level below the root that names each sample's contributor (1 is the first).")
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder of class folders, an .npz, a folder of parquet files, hf:NAME, torchvision:NAME, "
        "or an embedded set such as signs.",
    ),
]
Model = Annotated[str, typer.Option(help="fast, preact-resnet18, or your own as package.module:factory.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data; the model's own default otherwise.")]
Flips = Annotated[bool, typer.Option("--flips", help="Mirror images at random. Changes asymmetric triggers.")]
