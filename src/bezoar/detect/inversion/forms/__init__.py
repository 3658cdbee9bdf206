"""Forms of triggers, one a file."""

from bezoar.detect.inversion.forms.additive import Additive
from bezoar.detect.inversion.forms.patch import Patch
from bezoar.detect.inversion.forms.warp import Warp

__all__ = ["Additive", "Patch", "Warp"]
