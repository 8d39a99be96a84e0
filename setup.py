"""Build step: the ONNX files of ``weights/`` and the benchmark's portrait travel inside the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
INSTALLED = "pfld/installed"  # as pfld/weights/shipped.py has it


class BuildWithFiles(build_py):
    """Copies what lies outside the package in a checkout; an editable install needs no copies."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        sources = [*(ROOT / "weights").glob("*.onnx"), ROOT / "demo" / "examples" / "astronaut.jpg"]
        folder = Path(self.build_lib) / INSTALLED
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            self.copy_file(str(source), str(folder / source.name))


setup(cmdclass={"build_py": BuildWithFiles})
