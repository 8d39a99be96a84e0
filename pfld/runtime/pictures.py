"""Pictures as people have them, as RGB the way they are meant to be seen."""

from pfld.data.images import MOST_PIXELS, as_rgb, read_picture

__all__ = ["MOST_PIXELS", "as_rgb", "read_picture"]
