"""Shapes checked at every call while testing, of the functions whose signature names one.

Other annotations are left to mypy: here they would keep wrong values from the checks of our own that tests provoke.
"""

import re
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

from bezoar import shapes

SHAPES = re.compile(
    r"\b({})\b".format("|".join(name for name in vars(shapes) if name[0].isupper() and name != "Tensor"))
)


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, checking its arguments and result if one is a shape; an int passes for a float as in mypy."""
    if SHAPES.search(" ".join(map(str, function.__annotations__.values()))):
        return beartype(conf=BeartypeConf(is_pep484_tower=True))(function)
    return function
