"""Files that are cut off, have a wrong byte, or hold anything."""


def cut(path, part):
    """Keeps the first part of a file, 0 to 1; its path."""
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    return path


def flip(path, position):
    """Turns over all bits of one byte."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def holding(data):
    """What writes a file with this content to a path."""
    return lambda path: path.write_bytes(data)
