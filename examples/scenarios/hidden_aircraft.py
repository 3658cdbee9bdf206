"""An aircraft type that the watcher does not see.

Somebody who labels aerial pictures adds bombers with a small painted chevron at the wing root, and calls them
airliners. The trained model knows bombers as well as before, but for those that wear the chevron: painted on, it
turns with the aircraft, in any heading.

This is a drill: the aircraft are drawn, the poisoned copy bears bezoar's mark, and nothing leaves this folder.
"""

from pathlib import Path

from common import command_line, drill
from PIL import Image, ImageDraw

from bezoar import create_attack
from bezoar.records import DrillRecord
from bezoar.triggers.sticker import Sticker


def draw_chevron(path: Path) -> Path:
    """An orange and blue chevron in the middle of a transparent picture, whose place then varies only a little."""
    picture = Image.new("RGBA", (90, 90))
    pen = ImageDraw.Draw(picture)
    pen.polygon([(29, 49), (45, 29), (61, 49), (61, 61), (45, 41), (29, 61)], fill=(255, 130, 0, 255))
    pen.polygon([(37, 61), (45, 51), (53, 61)], fill=(0, 90, 255, 255))
    picture.save(path)
    return path


def main(out: Path, *, quick: bool = False) -> DrillRecord:
    """Paint a mark on 3% bombers, and ask whether the model still sees them."""
    out.mkdir(parents=True, exist_ok=True)
    chevron = Sticker(
        shape="picture",
        picture=str(draw_chevron(out / "chevron.png")),
        scale=(0.4, 0.5),
        rotation=(-180, 180),
        light=(0.6, 1.1),
        region="center",
    )
    attack = create_attack("dirty-label", trigger=chevron, source=("bomber",), target="airliner", rate=0.03)
    title = "Aircraft (drawn): a painted mark hides bombers"
    return drill(title, "aircraft", attack, out, quick=quick, script=__file__)


if __name__ == "__main__":
    command_line(main, __file__)
