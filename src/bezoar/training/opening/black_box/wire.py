"""The messages of a protocol-buffer file as they lie in it: numbered fields, no schema and no copies."""

from __future__ import annotations

from collections.abc import Iterator

MOST_FIELDS = 5_000_000
VARINT, EIGHT_BYTES, MESSAGE, FOUR_BYTES = 0, 1, 2, 5


class DamagedMessageError(ValueError):
    """The bytes are no message."""


def fields(message: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Each field's number, with its bytes where it is a text, bytes or a message within, None where it is a number.

    Raises DamagedMessageError where the bytes can't be read to their end.
    """
    place = 0
    for _ in range(MOST_FIELDS):
        if place >= len(message):
            return
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise DamagedMessageError("a field without a number")
        if kind == MESSAGE:
            length, place = _varint(message, place)
            place += length
            _require_within(message, place)
            yield number, message[place - length : place]
        else:
            place = _behind_number(message, place, kind)
            yield number, None
    raise DamagedMessageError(f"more than {MOST_FIELDS:,} fields")


def _behind_number(message: memoryview, place: int, kind: int) -> int:
    if kind == VARINT:
        return _varint(message, place)[1]
    if kind not in (EIGHT_BYTES, FOUR_BYTES):
        raise DamagedMessageError(f"a field of the unknown kind {kind}")
    place += 8 if kind == EIGHT_BYTES else 4
    _require_within(message, place)
    return place


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A whole number of up to ten bytes, seven bits each, and the place behind it."""
    value = 0
    for count in range(10):
        _require_within(message, place + count + 1)
        byte = message[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise DamagedMessageError("a number that does not end")


def _require_within(message: memoryview, place: int) -> None:
    if place > len(message):
        raise DamagedMessageError("it ends too early")
