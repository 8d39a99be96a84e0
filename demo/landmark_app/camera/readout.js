// Writes measurements into the page: medians, rates, pose; part of live.js.

const emptySeries = () => ({ network: [], second: [], server: [], whole: [], largest: [], mean: [] });

function quantile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

const ms = (value) => (value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);

function pixels(value) {
  if (value === null || value === undefined) return "–";
  return value >= 0.01 ? `${value.toFixed(2)} px` : `${value.toExponential(0)} px`;
}

function put(name, text, detail) {
  const cell = find(`[data-read="${name}"]`);
  if (!cell) return;
  cell.querySelector("b").textContent = text;
  if (detail !== undefined) cell.querySelector("small").textContent = detail;
}

function read(answer) {
  const span = (shownAt[shownAt.length - 1] - shownAt[0]) / 1000;
  state.fps = span > 0 ? (shownAt.length - 1) / span : 0;
  const p95 = (name) => `p95 ${ms(quantile(series[name], 0.95))}`;
  put("fps", state.fps.toFixed(1), `${canvases[0].width} × ${canvases[0].height}`);
  put("whole", ms(quantile(series.whole, 0.5)), p95("whole"));
  put("server", ms(quantile(series.server, 0.5)), p95("server"));
  put("faces", String(state.faces), state.faces && !answer.panes ? answer.faces.map((face) => `#${face.id}`).join(" ") : "");
  const first = quantile(series.network, 0.5);
  if (kind === "live") {
    put("network", ms(first), p95("network"));
    put("jitter", answer.faces.length ? `${(100 * answer.jitter).toFixed(2)} %` : "–");
    const pose = answer.faces.length && answer.faces[0].pose;
    put("pose", pose ? pose.map((angle) => `${Math.round(angle)}°`).join("  ") : "–");
    return;
  }
  readPair(first, quantile(series.second, 0.5));
}

function fill(name, text) {
  const cell = find(`[data-cell="${name}"]`);
  if (cell) cell.textContent = text;
}

function readPair(...latencies) {
  latencies.forEach((latency, side) => {
    fill(`latency-${side}`, ms(latency));
    fill(`p95-${side}`, ms(quantile(side ? series.second : series.network, 0.95)));
    fill(`fps-${side}`, latency ? String(Math.round(1000 / latency)) : "–");
  });
  const [first, second] = latencies;
  fill("speedup", first && second ? `${(first / second).toFixed(1)} ×` : "–");
  fill("largest", pixels(series.largest.length ? Math.max(...series.largest) : null));
  fill("mean", pixels(quantile(series.mean, 0.5)));
}

async function readFacts() {
  const chosen = [settings().first, settings().second];
  series = emptySeries();
  readPair(null, null);
  chosen.forEach((choice, side) => {
    fill(`name-${side}`, choice);
    root.querySelectorAll("figcaption")[side].textContent = choice;
  });
  for (const [side, choice] of chosen.entries()) {
    const facts = await server.facts(choice).catch(() => ({}));
    if ([settings().first, settings().second][side] !== choice) return;
    for (const name of ["parameters", "macs", "file"]) fill(`${name}-${side}`, facts[name] || "–");
  }
}
