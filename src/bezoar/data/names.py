"""Class and sample names made into file names that every system accepts."""

from __future__ import annotations

import hashlib
import unicodedata

_FORBIDDEN = frozenset('/\\:*?"<>|%~')
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
)
_JUNK = frozenset(["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin"])
_LONGEST = 120


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or one that operating systems leave behind."""
    return name.startswith(".") or name.casefold() in _JUNK


def safe_name(name: str) -> str:
    """A file name for any text: what is forbidden somewhere is percent-escaped, what is too long is cut.

    Separators, control characters, a leading dot, trailing dots and spaces, names reserved by Windows, those
    of known junk and `%` itself are escaped, so that a name can be told from its escape; a cut name ends
    in a hash.
    """
    escaped = "".join(_escape(char) if _unsafe(char) else char for char in name)
    if escaped[:1] in (".", " ") or escaped.split(".")[0].casefold() in _RESERVED or is_junk(escaped):
        escaped = _escape(escaped[0]) + escaped[1:]
    if escaped[-1:] in (".", " "):
        escaped = escaped[:-1] + _escape(escaped[-1])
    encoded = escaped.encode("utf-8")
    if len(encoded) > _LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return encoded[:_LONGEST].decode("utf-8", "ignore").rstrip(". ") + "~" + digest
    return escaped or "%"


class NameGiver:
    """Gives distinct file names, also where case or Unicode normal form are not told apart."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def claim(self, path: str) -> bool:
        """Take this very path. False when it, or a name not told apart from it, is taken already."""
        key = _folded(path)
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def give(self, folder: str, stem: str, suffix: str = "") -> str:
        """A name for `stem` in `folder`: the same for the same calls in the same order."""
        count = 1
        name = f"{stem}{suffix}"
        while (key := _folded(f"{folder}/{name}")) in self._taken:
            count += 1
            name = f"{stem}~{count}{suffix}"
        self._taken.add(key)
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _unsafe(char: str) -> bool:
    return char in _FORBIDDEN or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")


def _escape(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
