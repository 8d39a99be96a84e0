"""Figures docs/*.png from measurements: ``python tools/results/figures.py training ablation heads front``.

docs/training/*.csv are logs of ``train.py``; name-2.csv is of a run that started from the weights of
name-1.csv. docs/ablation.csv comes from ``tools/results/ablation.py``, docs/accuracy.json from
``tools/results/weights_card.py`` and docs/speed.json from
``pfld benchmark --json docs/speed.json``. docs/published.json has errors of published weights.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[2] / "docs"
FORMS = {"train-time": "train-time", "onnx": "ONNX", "onnx-int8": "ONNX int8"}  # backend: form
MARKERS = {"train-time": "o", "ONNX": "s", "ONNX int8": "D"}
COLOURS = ("#2f6db5", "#d1662f", "#3a9a5b", "#8d5fb0", "#b03a5b", "#7a7a2e", "#3a9a9a")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, name: str) -> None:
    """Writes a figure to docs, with a grid and without upper and right frame lines."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, which="both")
    figure.savefig(DOCS / name, dpi=130)


def training_curves() -> dict[str, list[tuple[int, float]]]:
    """Learning curve of every network: faces seen in all its runs, and held-out NME in per cent."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted((DOCS / "training").glob("*.csv")):
        curve = found.setdefault(re.sub(r"-\d+$", "", path.stem), [])
        before = curve[-1][0] if curve else 0
        rows = [row for row in csv.DictReader(path.open()) if row["validation_nme"]]
        curve += [(before + int(r["faces"]), 100 * float(r["validation_nme"])) for r in rows]
    return found


def training() -> None:
    """Held-out error against faces seen, of the runs in docs/training."""
    figure = new_figure(7.5, 4.4)
    axes = figure.subplots()
    for colour, (name, curve) in zip(COLOURS, training_curves().items()):
        axes.plot(*zip(*curve), "o-", ms=3, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="augmented faces seen")
    axes.set_ylabel("NME on held-out faces, %")
    ticks = (1.6, 2, 2.5, 3, 3.5, 4, 5, 6)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.minorticks_off()
    axes.legend(frameon=False)
    save(figure, "training.png")


def ablation() -> None:
    """Errors of all rows beside those of the base run and its other seeds, and some learning curves."""
    rows = [row for row in ablation_rows() if not row["name"].endswith("38")]
    figure = new_figure(9, 0.24 * len(rows) + 5)
    bars, curves = figure.subplots(2, 1, height_ratios=[0.24 * len(rows) + 0.6, 3.8])
    base = [row for row in rows if row["name"] in ("base", "seed1", "seed2")]
    for column, colour, offset in (("validation", COLOURS[0], -0.2), ("test", COLOURS[1], 0.2)):
        values = [100 * float(row[column]) for row in rows]
        places = [index + offset for index in range(len(rows))]
        drawn = bars.barh(places, values, height=0.38, color=colour, label=column)
        bars.bar_label(drawn, fmt="%.2f", padding=2, fontsize=7)
        low, high = (f(100 * float(row[column]) for row in base) for f in (min, max))
        bars.axvspan(low, high, color=colour, alpha=0.15, lw=0, zorder=0)
    bars.set_yticks(range(len(rows)), [row["change"] for row in rows], fontsize=8)
    bars.invert_yaxis()
    bars.margins(x=0.07)
    bars.set(xlabel="NME, %; bands: the base's seeds")
    bars.legend(frameon=False, loc="lower right")
    chosen = ("base", "plain", "branches1", "pfld-loss", "no-mean-shape", "no-floor", "ghostnet")
    shown = [row for row in rows if row["name"] in chosen]
    for colour, row in zip(COLOURS, shown):
        points = [point.split(":") for point in row["curve"].split()]
        curves.plot(
            [int(faces) for faces, _ in points], [100 * float(nme) for _, nme in points],
            "--" if row["name"] == "plain" else "o-", ms=3, color=colour, label=row["change"],
        )  # fmt: skip
    curves.set(xlabel="augmented faces seen", ylabel="NME on held-out faces, %", yscale="log")
    ticks = (6, 7, 8, 10, 12, 16, 20, 30)
    curves.set_yticks(ticks, [str(tick) for tick in ticks])
    curves.yaxis.minorticks_off()
    curves.legend(frameon=False, fontsize=8)
    save(figure, "ablation.png")


def ablation_rows() -> list[dict[str, str]]:
    """The lines of docs/ablation.csv."""
    return list(csv.DictReader((DOCS / "ablation.csv").open()))


def heads() -> None:
    """Held-out error against faces seen: regression beside the heatmap head."""
    figure = new_figure(7, 3.6)
    axes = figure.subplots()
    rows = [row for row in ablation_rows() if row["name"].endswith("38")]
    for colour, row in zip(COLOURS, rows):
        points = [point.split(":") for point in row["curve"].split()]
        faces, errors = zip(*((int(seen), 100 * float(nme)) for seen, nme in points))
        axes.plot(faces, errors, "o-", ms=3, color=colour, label=row["change"])
    axes.set(xlabel="augmented faces seen", ylabel="NME on held-out faces, %", yscale="log")
    ticks = (3.5, 4, 5, 6, 8, 10, 14)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.minorticks_off()
    axes.legend(frameon=False)
    save(figure, "heads.png")


def front() -> None:
    """Error against latency of shipped weights, with areas by file size, and of published weights."""
    errors = json.loads((DOCS / "accuracy.json").read_text())
    speeds = json.loads((DOCS / "speed.json").read_text())["backends"]
    others = json.loads((DOCS / "published.json").read_text())["networks"]
    figure = new_figure(7.5, 4.6)
    axes = figure.subplots()
    legend = []
    for colour, name in zip(COLOURS, errors):
        for speed in speeds:
            if speed["network"] != name or speed["backend"] not in FORMS:
                continue
            form = FORMS[speed["backend"]]
            look = {"color": colour, "marker": MARKERS[form], "alpha": 0.75, "lw": 0}
            error = 100 * errors[name][form]
            axes.scatter(speed["p50_ms"], error, s=60 * speed["file_mib"], **look)
            if form == "ONNX" and name in others:
                published = 100 * others[name]["nme"]
                axes.scatter(speed["p50_ms"], published, marker="x", s=40, color=colour)
        legend.append(axes.scatter([], [], color=colour, s=50, label=name))
    for form, marker in MARKERS.items():
        legend.append(axes.scatter([], [], color="grey", marker=marker, s=50, label=form))
    legend.append(axes.scatter([], [], color="grey", marker="x", s=40, label="published, as ONNX"))
    axes.legend(handles=legend, frameon=False, fontsize=8, ncols=2, loc="center right")
    axes.set(xscale="log", xlabel="median milliseconds for one face, one thread")
    axes.set_ylabel("NME on the test list, %; areas: file size")
    ticks = (1, 2, 5, 10, 20, 50, 100)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    save(figure, "front.png")


def main(names: list[str] | None = None) -> int:
    """Draws the figures named, by default all; returns the exit status."""
    drawings = {"training": training, "ablation": ablation, "heads": heads, "front": front}
    for name in names or drawings:
        drawings[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
