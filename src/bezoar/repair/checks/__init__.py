"""What a defender sees of a model, on trusted samples that no repair learnt from. No truth is needed for any of it."""

from bezoar.repair.checks.from_suspects import trigger_of_suspects
from bezoar.repair.checks.look import Looking, look
from bezoar.repair.checks.parts import Parts, parted
from bezoar.repair.checks.relearning import relearning
from bezoar.repair.checks.search import Bar, Suspected, suspected_trigger

__all__ = [
    "Bar",
    "Looking",
    "Parts",
    "Suspected",
    "look",
    "parted",
    "relearning",
    "suspected_trigger",
    "trigger_of_suspects",
]
