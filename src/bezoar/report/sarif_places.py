"""Where a result of SARIF lies: files of samples, and classes for samples that have no file."""

from __future__ import annotations

import re
from urllib.parse import quote

from bezoar.records import Finding, ScanRecord, Suspect
from bezoar.report.phrases import brief, percent, visible
from bezoar.report.sarif_rules import Json

BASE = "DATA"
LONGEST_PATH = 1024


def plain(text: str) -> str:
    """`text` inside a SARIF message: nothing hidden, and no character that would make a link or a placeholder.

    Brackets get a backslash and braces are doubled, as sections 3.11.5 and 3.11.6 of the standard ask.
    """
    shown = visible(text).replace("\\", "\\\\")
    return re.sub(r"([{}])", r"\1\1", re.sub(r"([\[\]])", r"\\\1", shown))


def sample_path(identifier: str) -> str | None:
    """The relative path in a sample's id, or None: no path, or one that leads out of its folder.

    An id is `hash:relative/path` of a sample kept in a file, `hash#k` of one that is not.
    """
    _, colon, path = identifier.partition(":")
    safe = colon and path and len(path) <= LONGEST_PATH and "\\" not in path and not path.startswith("/")
    return path if safe and not any(part in ("", ".", "..") for part in path.split("/")) else None


def address(path: str, folder: str) -> str:
    """A path as a relative reference: percent-encoded, below `folder`."""
    inside = f"{folder.strip('/')}/{path}" if folder.strip("/") else path
    return quote(inside.encode("utf-8", "backslashreplace"), safe="/")


def finding_place(record: ScanRecord, finding: Finding, folder: str) -> Json:
    """One place for all of a finding: the first of its files in order of name, or the data as a whole.

    Code hosts show a result at one place and tell results apart by it, so it must not depend on the ranking.
    """
    paths = [path for suspect in finding.suspects if (path := sample_path(suspect.id)) is not None]
    return {**file_place(record, min(paths, default=None), folder), "logicalLocations": [_class(finding.target)]}


def file_place(record: ScanRecord, path: str | None, folder: str) -> Json:
    """A file, or the data as a whole where there is none; line 1, since code hosts show nothing without a line."""
    inside = address(path, folder) if path is not None else _data_address(record, folder)
    location = {"uri": inside, "uriBaseId": BASE}
    return {"physicalLocation": {"artifactLocation": location, "region": {"startLine": 1}}}


def suspect_place(number: int, suspect: Suspect, folder: str) -> Json:
    """A suspect as a related location: its file if it has one, else its id as a logical location."""
    told = f"suspect, chance {percent(suspect.score)}"
    if suspect.looks_like:
        told += f", looks like {brief(suspect.looks_like, 60)}"
    place: Json = {"id": number, "message": {"text": plain(told)}}
    path = sample_path(suspect.id)
    if path is not None:
        place["physicalLocation"] = {
            "artifactLocation": {"uri": address(path, folder), "uriBaseId": BASE},
            "region": {"startLine": 1},
        }
    place["logicalLocations"] = [
        {
            "name": visible(brief(suspect.id, 200)),
            "fullyQualifiedName": visible(brief(suspect.id, 400)),
            "kind": "sample",
        }
    ]
    return place


def _class(name: str) -> Json:
    return {"name": visible(brief(name, 200)), "kind": "class"}


def _data_address(record: ScanRecord, folder: str) -> str:
    """Where the data as a whole lie; where that is not known, what they are called."""
    if folder.strip("/"):
        return address(folder.strip("/"), "")
    parts = [part for part in re.split(r"[/\\]", record.dataset.name) if part not in ("", ".", "..")]
    return address("/".join(parts)[:LONGEST_PATH] or "data", folder)
