// Numbers as people read them, and medians of what was measured; part of live.js.

const KEPT = 120; // frames that medians are taken over

const emptySeries = () => ({ network: [], second: [], server: [], whole: [], largest: [], mean: [], shownAt: [] });
let series = emptySeries();
let readAt = 0;

function take(name, value, most = KEPT) {
  if (value === null || value === undefined) return;
  series[name].push(value);
  if (series[name].length > most) series[name].shift();
}

function quantile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const ms = (value) => (value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
const signed = (value) => `${Math.round(value) < 0 ? "−" : ""}${Math.abs(Math.round(value))}°`;

// Frames/s of times in milliseconds, in their order; null for fewer than two.
function rateOf(times) {
  const span = times.length > 1 ? times[times.length - 1] - times[0] : 0;
  return span > 0 ? (1000 * (times.length - 1)) / span : null;
}

function pixels(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "none";
  return value < 0.001 ? "less than 0.001 px" : `${value.toFixed(value < 0.1 ? 3 : 2)} px`;
}

function times(factor) {
  return `${factor < 9.95 ? factor.toFixed(1) : Math.round(factor)}×`;
}

// A factor of latencies in words: how the second compares with the first.
function factorWords(first, second, faster, slower, alike) {
  const factor = first / second;
  if (factor >= 1.05) return faster(times(factor));
  return factor <= 1 / 1.05 ? slower(times(1 / factor)) : alike;
}

function put(name, text, detail) {
  const cell = find(`[data-read="${name}"]`);
  if (!cell) return;
  cell.querySelector("b").textContent = text;
  if (detail !== undefined) cell.querySelector("small").textContent = detail;
}

function fill(name, text) {
  const cell = find(`[data-cell="${name}"]`);
  if (cell && cell.textContent !== text) cell.textContent = text;
}

function read(answer) {
  state.fps = rateOf(series.shownAt) || 0;
  const p95 = (name) => `p95 ${ms(quantile(series[name], 0.95))}`;
  put("fps", state.fps ? state.fps.toFixed(1) : "–", state.size);
  put("whole", ms(quantile(series.whole, 0.5)), p95("whole"));
  put("server", ms(quantile(series.server, 0.5)), p95("server"));
  put("faces", String(state.faces), state.faces && answer.faces ? answer.faces.map((face) => `#${face.id}`).join(" ") : "");
  view.read(answer);
}
