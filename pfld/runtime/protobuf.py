"""Messages of protocol buffers taken apart, without their descriptions; for a look at ONNX files.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections import defaultdict

MOST_FIELDS = 20_000  # of one message; an ONNX graph of this package has 1000
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10


class Message:
    """The fields of a message, by number. Of fields that come again, all are kept.

    Raises:
        ValueError: For bytes that are no message, or one of more than 20,000 fields.
    """

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = defaultdict(list)
        place = 0
        for _ in range(MOST_FIELDS + 1):
            if place == len(data):
                return
            key, place = _varint(data, place)
            number, kind = key >> 3, key & 7
            value: int | bytes
            if kind == _VARINT:
                value, place = _varint(data, place)
            else:
                size = {_EIGHT: 8, _FOUR: 4}.get(kind)
                if kind == _BYTES:
                    size, place = _varint(data, place)
                if size is None or size > len(data) - place:
                    raise ValueError("it is cut off, or no message")
                value, place = data[place : place + size], place + size
            self._fields[number].append(value)
        raise ValueError(f"a part of it has more than {MOST_FIELDS} parts")

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def only(self, numbers: frozenset[int]) -> bool:
        """Whether it has none but these fields."""
        return numbers.issuperset(self._fields)

    def parts(self, number: int) -> list[bytes]:
        """All values of a field of messages, text or bytes."""
        return [value for value in self._fields.get(number, []) if isinstance(value, bytes)]

    def message(self, number: int) -> Message:
        """The message in a field; several are one, as readers join them."""
        return Message(b"".join(self.parts(number)))

    def text(self, number: int) -> str:
        """The last value of a field of text; "" if there is none."""
        return (self.parts(number) or [b""])[-1].decode("utf-8", "replace")

    def integers(self, number: int) -> list[int]:
        """All values of a field of integers, packed together or not."""
        values: list[int] = []
        for value in self._fields.get(number, []):
            if isinstance(value, int):
                values.append(_signed(value))
                continue
            place = 0
            while place < len(value):
                part, place = _varint(value, place)
                values.append(_signed(part))
        return values

    def integer(self, number: int) -> int:
        """The last value of a field of an integer; 0 if there is none."""
        return (self.integers(number) or [0])[-1]

    def floats(self, number: int) -> list[float]:
        """All values of a field of 32-bit floats, packed together or not."""
        data = b"".join(self.parts(number))
        return list(struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4]))


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if place + index >= len(data):
            break
        byte = data[place + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value & (2**64 - 1), place + index + 1
    raise ValueError("it is cut off, or no message")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
