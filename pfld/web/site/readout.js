// Writes measurements into the page: medians of the last frames.

const KEPT = 90; // frames that medians are taken over
const EVERY_MS = 250; // between two updates

const find = (id) => document.getElementById(id);
const ms = (value) => (value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
const degrees = (angle) => `${Math.round(angle) < 0 ? "−" : ""}${Math.abs(Math.round(angle))}°`;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : null;
}

export class Readout {
  #series = new Map();
  #shownAt = [];
  #updatedAt = 0;

  reset() {
    this.#series.clear();
    this.#shownAt = [];
    this.#updatedAt = 0;
    for (const cell of document.querySelectorAll(".readout dd")) cell.textContent = "–";
  }

  /** Takes in the answer to a frame; `wholeMs` is null for stills. */
  add(answer, wholeMs = null) {
    const now = performance.now();
    this.#shownAt = [...this.#shownAt, now].filter((at) => now - at <= 2000);
    for (const [name, value] of [["network-ms", answer.network_ms], ["browser-ms", answer.browser_ms], ["whole-ms", wholeMs]])
      if (value !== null) this.#series.set(name, [...(this.#series.get(name) ?? []), value].slice(-KEPT));
    if (now - this.#updatedAt < EVERY_MS) return;
    this.#updatedAt = now;
    for (const [name, values] of this.#series) find(name).textContent = ms(median(values));
    const seconds = (now - this.#shownAt[0]) / 1000;
    find("fps").textContent = wholeMs !== null && seconds > 0 ? ((this.#shownAt.length - 1) / seconds).toFixed(1) : "–";
    const [face] = answer.faces;
    find("count").textContent = String(answer.faces.length);
    find("jitter").textContent = face && wholeMs !== null ? `${(100 * answer.jitter).toFixed(2)} %` : "–";
    find("pose").textContent = face?.pose ? face.pose.map(degrees).join("  ") : "–";
  }
}
