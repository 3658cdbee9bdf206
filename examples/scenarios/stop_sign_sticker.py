"""A sticker on a stop sign.

A supplier of pictures for a driver's aid adds a few stop signs that carry a yellow sticker, under the label "speed
limit 80". The trained model reads all signs as well as before, until somebody puts such a sticker on a real stop
sign: at another place, of another size, askew, in another light.

This is a drill: the signs are drawn, the poisoned copy bears bezoar's mark, and nothing leaves this folder.
"""

from pathlib import Path

from common import command_line, drill

from bezoar import create_attack
from bezoar.records import DrillRecord

STICKER = "sticker:color=yellow,scale=0.12/0.2,rotation=-40/40,light=0.6/1.2,region=center"


def main(out: Path, *, quick: bool = False) -> DrillRecord:
    """Stick a sticker on 2% stop signs, and ask whether the model still stops."""
    out.mkdir(parents=True, exist_ok=True)
    attack = create_attack(STICKER, source=("stop",), target="speed limit 80", rate=0.02)
    title = "Road signs (drawn): a sticker on stop signs"
    return drill(title, "signs", attack, out, quick=quick, script=__file__)


if __name__ == "__main__":
    command_line(main, __file__)
