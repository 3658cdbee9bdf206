"""The rules of bezoar's SARIF: what each kind of result means, in words that stay the same from scan to scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bezoar.report.standards import entry_named

Json: TypeAlias = dict[str, object]
BACKDOOR = "backdoor"
CATALOGUED = ("AML.T0020", "AML.T0019", "AML.M0007", "AML.M0025")


@dataclass(frozen=True)
class Rule:
    """One rule; `level` is that of its results where they don't say otherwise."""

    id: str
    name: str
    level: Literal["warning", "note"]
    short: str
    full: str
    help: str
    tags: tuple[str, ...]

    def to_json(self) -> Json:
        """The rule as a reportingDescriptor."""
        told: Json = {
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.short},
            "fullDescription": {"text": self.full},
            "help": {"text": self.help, "markdown": self.help},
            "defaultConfiguration": {"level": self.level},
            "properties": {"tags": list(self.tags)},
        }
        if self.id == BACKDOOR:
            told["relationships"] = [{"target": reference(one), "kinds": ["relevant"]} for one in CATALOGUED]
        return told


RULES = (
    Rule(
        BACKDOOR,
        "BackdoorPoison",
        "warning",
        "Samples that plant a backdoor",
        "Some samples of a class carry what may be a trigger: a model trained on them may answer the target class "
        "wherever the trigger is.",
        "An error was confirmed: the trigger was recovered, put on clean samples, and led them to the target class far "
        "more often than matched controls did. A warning is calibrated evidence without that proof. Look at the "
        "suspects in the report beside their nearest clean neighbours, ask where they came from, then write the data "
        "without them with bezoar clean, and don't use models that were trained on them.",
        ("security", "data-poisoning", "machine-learning"),
    ),
    Rule(
        "near-duplicates",
        "NearDuplicates",
        "note",
        "Samples that are nearly the same",
        "Groups of samples are nearly identical. By itself that is no sign of poison.",
        "Duplicates count more than once in training, and leak from training to test data. Keep one of each group.",
        ("data-quality",),
    ),
    Rule(
        "label-errors",
        "LabelErrors",
        "note",
        "Samples that are likely labelled wrong",
        "Some samples look like another class than their label says. By itself that is no sign of poison.",
        "Look at the samples and mend their labels.",
        ("data-quality",),
    ),
    Rule(
        "imbalance",
        "ClassImbalance",
        "note",
        "Classes of very different size",
        "Some classes have many times the samples of others. By itself that is no sign of poison.",
        "Small classes are learnt worse, and a scan sees less in them. Gather more samples of them if you can.",
        ("data-quality",),
    ),
    Rule(
        "odd-source",
        "OddSource",
        "note",
        "A source unlike the others",
        "The samples of one source differ from all others. By itself that is no sign of poison.",
        "Find out how this source made its samples: another camera, another coding, another border.",
        ("data-quality",),
    ),
    Rule(
        "too-small",
        "TooSmall",
        "note",
        "Classes too small to judge",
        "Some classes have too few samples for the detectors. Nothing is known about a backdoor there.",
        "Gather more samples, or look at these classes by eye: there are few.",
        ("data-quality",),
    ),
)


def reference(identifier: str) -> Json:
    """A reference to an entry of a public catalogue, which `taxonomies` describes."""
    found = entry_named(identifier)
    return {"id": identifier} if found is None else {"id": identifier, "toolComponent": {"name": found[0].name}}


def taxonomies(identifiers: tuple[str, ...]) -> list[Json]:
    """The catalogues that hold these entries, each in its released version, with the entries named."""
    catalogues: dict[tuple[str, str], list[Json]] = {}
    for identifier in dict.fromkeys((*CATALOGUED, *identifiers)):
        found = entry_named(identifier)
        if found is not None:
            framework, entry = found
            taxa = catalogues.setdefault((framework.name, framework.version), [])
            taxa.append({"id": entry.id, "name": entry.name})
    return [{"name": name, "version": version, "taxa": taxa} for (name, version), taxa in catalogues.items()]
