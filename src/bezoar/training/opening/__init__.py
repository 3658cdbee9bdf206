"""Models from anywhere, opened without running what a stranger put into the file.

`open.py` is the door. `trained.py` opens what bezoar wrote, `weights.py` safetensors of others, `checkpoints/` pickled
checkpoints, `black_box/` ONNX; `building.py` puts weights into a network of the user's, `checks.py` looks at the
result.
"""

from bezoar.training.opening.open import open_model, open_model_for, require_there
from bezoar.training.opening.opened import Kind, OpenedModel

__all__ = ["Kind", "OpenedModel", "open_model", "open_model_for", "require_there"]
