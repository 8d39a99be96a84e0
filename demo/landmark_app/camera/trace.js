// The chart of frames/s in Live; part of switch.js.

const TRACED_MS = 30_000; // that the chart of frames/s goes back
const SIDES = ["train-time", "re-parameterized"];
const trace = []; // what the chart shows, oldest first: at, rate, side

// A line for each time that the switch stayed where it was.
// side is where it is now: 0 for train-time, 1 for re-parameterized.
function drawTrace(side) {
  const now = performance.now();
  if (state.fps) trace.push({ at: now, rate: state.fps, side });
  while (trace.length && now - trace[0].at > TRACED_MS) trace.shift();
  const chart = find(".pf-trace svg");
  const { width, height } = chart.viewBox.baseVal;
  const top = Math.max(30, ...trace.map((point) => point.rate));
  const lines = [];
  trace.forEach((point, i) => {
    if (!i || trace[i - 1].side !== point.side) {
      lines.push(document.createElementNS(chart.namespaceURI, "polyline"));
      lines[lines.length - 1].dataset.trace = point.side;
    }
    const line = lines[lines.length - 1];
    const [x, y] = [width * (1 - (now - point.at) / TRACED_MS), height - 2 - (height - 4) * (point.rate / top)];
    line.setAttribute("points", `${line.getAttribute("points") || ""} ${x.toFixed(1)},${y.toFixed(1)}`);
  });
  chart.replaceChildren(...lines);
  const told = SIDES.map((name, index) => [name, trace.filter((point) => point.side === index).map((point) => point.rate)])
    .filter(([, rates]) => rates.length)
    .map(([name, rates]) => `${name} ${quantile(rates, 0.5).toFixed(0)}`);
  chart.setAttribute("aria-label", `Frames/s of the last 30 seconds, median: ${told.join(", ") || "none yet"}`);
}
