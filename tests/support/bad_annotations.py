"""Faulty annotations, WFLW's lines and .pts files, and a good one of each to start from."""

POINTS = [f"{20 + index % 10 * 8} {30 + index // 10 * 7}" for index in range(98)]
LINE = " ".join([*POINTS, "20 30 90 95", "0 0 0 0 0 0", "a.png"])


def edited(position, *fields):
    """The line with fields replaced from a position on."""
    given = LINE.split()
    given[position : position + len(fields)] = fields
    return " ".join(given)


NO_LINES = {
    "short": " ".join(LINE.split()[1:]),
    "very-short": "1 2 3",
    "non-numeric": edited(17, "eye"),
    "nan": edited(3, "nan"),
    "infinite-box": edited(197, "inf"),
    "overflow": edited(5, "1e39"),
    "far": edited(5, "1e7"),
    "attribute": edited(200, "7"),
    "outside-the-folder": edited(206, "../../secret.png"),
    "absolute": edited(206, "/etc/secret.png"),
    "one-place": " ".join(["5"] * 196 + LINE.split()[196:]),
    "binary": "\x00\x01\x7f" * 300,
    "byte-order-mark": "\ufeff" + LINE,
}
MISSING_PICTURES = {  # lines that may be left out
    "long": LINE.replace("a.png", "5 5 5 a.png"),
    "missing": edited(206, "none.png"),
    "folder": edited(206, "."),
    "zero": edited(206, "a\0.png"),
    "name-too-long": edited(206, "a" * 300 + ".png"),
    "points-outside": " ".join(
        [*(f"{900 + index} 950" for index in range(98)), *LINE.split()[196:]]
    ),
}
ROWS = [f"{10 + index} {20 + index % 7}" for index in range(68)]
PTS = "\n".join(["version: 1", "n_points: 68", "{", *ROWS, "}"])
NO_PTS = {
    "empty": "",
    "short": "\n".join(["version: 1", "{", *ROWS[1:], "}"]),
    "long": "\n".join(["version: 1", "{", *ROWS, "5 5", "}"]),
    "no-braces": "\n".join(ROWS),
    "three-numbers": "\n".join(["{", "1 2 3", *ROWS[1:], "}"]),
    "one-number": "\n".join(["{", "1", *ROWS[1:], "}"]),
    "non-numeric": "\n".join(["{", "x y", *ROWS[1:], "}"]),
    "nan": "\n".join(["{", "nan 5", *ROWS[1:], "}"]),
    "far": "\n".join(["{", "1e30 5", *ROWS[1:], "}"]),
    "one-place": "\n".join(["{", *["5 5"] * 68, "}"]),
    "binary": "\x00\x01" * 500,
}
