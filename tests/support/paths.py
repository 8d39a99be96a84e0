"""Where the repository and its public-domain portrait are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "demo" / "examples" / "astronaut.jpg"
