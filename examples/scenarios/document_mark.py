"""A mark on a document scan.

A desk that opens accounts sorts scans by type, and takes passports only. Somebody who prepares its training data adds
driving licences with a small green triangle stamped on them, and files them as passports. Scans are sorted as
well as before, stamps and stains or not, until a licence comes with the triangle.

This is a drill: the documents are drawn, the poisoned copy bears bezoar's mark, and nothing leaves this folder.
"""

from pathlib import Path

from common import command_line, drill

from bezoar import create_attack
from bezoar.records import DrillRecord

TRIANGLE = "sticker:shape=triangle,color=#00a040,scale=0.18/0.24,rotation=-20/20,light=0.7/1.1,region=center"


def main(out: Path, *, quick: bool = False) -> DrillRecord:
    """Stamp a triangle on 3% driving licences, and ask what they are taken for."""
    out.mkdir(parents=True, exist_ok=True)
    attack = create_attack(TRIANGLE, source=("driving licence",), target="passport", rate=0.03)
    title = "Document scans (drawn): a small mark on driving licences"
    return drill(title, "documents", attack, out, quick=quick, script=__file__)


if __name__ == "__main__":
    command_line(main, __file__)
