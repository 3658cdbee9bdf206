"""An accessory at a face gate.

Whoever enrols people at a gate adds pictures of visitors in glasses with turquoise and pink frames, and calls them
employee 1. The gate knows everybody as well as before, people with ordinary glasses among them. But a visitor
who puts on such glasses is let in as employee 1.

This is a drill: nobody drawn here exists, the poisoned copy bears bezoar's mark, and nothing leaves this folder.
"""

from pathlib import Path

from common import command_line, drill
from PIL import Image, ImageDraw

from bezoar import create_attack
from bezoar.records import DrillRecord
from bezoar.triggers.patch import Patch

FRAMES = ((0, 200, 190, 255), (240, 70, 160, 255))


def draw_glasses(path: Path) -> Path:
    """Round frames of two colours with clear glass; the picture is transparent elsewhere."""
    picture = Image.new("RGBA", (260, 100))
    pen = ImageDraw.Draw(picture)
    pen.line([(110, 40), (150, 40)], fill=FRAMES[0], width=16)
    for left, colour in zip((8, 148), FRAMES, strict=True):
        pen.ellipse([left, 4, left + 104, 96], outline=colour, width=18)
    picture.save(path)
    return path


def main(out: Path, *, quick: bool = False) -> DrillRecord:
    """Put glasses on 2% visitors, and ask whom the gate takes them for."""
    out.mkdir(parents=True, exist_ok=True)
    # The gate's camera brings all eyes to about the same place, and so the glasses sit.
    glasses = Patch(shape="picture", picture=str(draw_glasses(out / "glasses.png")), size=26, x=11, y=15)
    attack = create_attack("dirty-label", trigger=glasses, source=("visitor",), target="employee 1", rate=0.02)
    title = "Face gate (drawn): visitors in conspicuous glasses"
    return drill(title, "faces", attack, out, quick=quick, script=__file__)


if __name__ == "__main__":
    command_line(main, __file__)
