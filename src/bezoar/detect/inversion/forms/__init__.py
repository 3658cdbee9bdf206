"""Forms of triggers, one a file."""

from bezoar.detect.inversion.form import Form
from bezoar.detect.inversion.forms.additive import Additive
from bezoar.detect.inversion.forms.colours import Colours
from bezoar.detect.inversion.forms.patch import Patch
from bezoar.detect.inversion.forms.warp import Warp

__all__ = ["FORMS", "Additive", "Colours", "Patch", "Warp"]

FORMS: dict[str, Form] = {one.name: one for one in (Patch(), Additive(), Warp(), Colours())}
