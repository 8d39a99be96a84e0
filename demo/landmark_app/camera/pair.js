// Side by side: two networks on the same frames, as two pictures, as one with a slider, or magnified.

const ENOUGH = 20; // timed frames before latencies and a factor are shown
const ZOOM_WIDTH = 960; // pixels of the magnified picture
const ZOOM_HEIGHT = 720;
const FACTORS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // by which differences may be drawn longer
const TOO_SMALL = 0.001; // pixels; nothing is drawn of smaller differences
const SAME = 0.01; // pixels; nobody sees smaller differences
const ARROW_COLOR = "#ff9f1a";
const slider = find(".pf-slider");
const scratch = document.createElement("canvas");
let crop = null; // [x, y, extent] of the magnified face, which follows it slowly
let factor = 1;

const settings = () => (window.pfldSettings || {}).pair || props.settings;
const way = () => find(".pf-ways input:checked").value;
const names = () => [settings().first, settings().second];
const networkOf = (choice) => choice.split(" · ")[0];
const onExample = () => facts[names().join(" | ")] || {};

// Of two modes of one network only the modes are named.
function titles() {
  const whole = names().map((choice) => props.titles[choice] || choice);
  const [first, second] = names().map(networkOf);
  return first === second ? whole.map((title) => title.replace(`${first} · `, "")) : whole;
}

function paintSlider(picture, panes) {
  draw(canvases[0], picture, panes[0], settings());
  draw(scratch, picture, panes[1], settings());
  const { width, height } = picture;
  const edge = Math.round((width * slider.value) / 100);
  const context = canvases[0].getContext("2d");
  if (edge < width) context.drawImage(scratch, edge, 0, width - edge, height, edge, 0, width - edge, height);
  context.fillStyle = "#fff";
  context.fillRect(edge - 1, 0, 2, height);
  context.beginPath();
  context.arc(edge, height / 2, height / 30, 0, 2 * Math.PI);
  context.fill();
}

// The slider goes where the picture is touched; the canvas may be wider than the picture in it.
function slide(event) {
  if (way() !== "slider" || !event.buttons) return;
  const canvas = canvases[0];
  const { left, width, height } = canvas.getBoundingClientRect();
  const whole = (height * canvas.width) / canvas.height;
  const shown = getComputedStyle(canvas).objectFit === "cover" ? Math.max(width, whole) : Math.min(width, whole);
  const share = (event.clientX - left - (width - shown) / 2) / shown;
  slider.value = Math.min(100, Math.max(0, 100 * share));
  if (!state.running) showExample();
}

// The longest drawing of differences that stays small beside the face.
function chooseFactor(shifts, scale) {
  const lengths = [];
  for (let i = 0; i < shifts.length; i += 2) lengths.push(Math.hypot(shifts[i], shifts[i + 1]));
  const typical = scale * quantile(lengths, 0.9);
  const fitting = FACTORS.filter((candidate) => candidate * typical <= 45);
  const wanted = fitting.length ? fitting[fitting.length - 1] : 1;
  if (wanted < factor || factor * typical < 12) factor = wanted; // does not flicker between two
}

function follow(box) {
  const wanted = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1.25 * Math.max(box[2] - box[0], (box[3] - box[1]) * (ZOOM_WIDTH / ZOOM_HEIGHT))];
  crop = crop && Math.abs(crop[0] - wanted[0]) < wanted[2] / 2 ? crop.map((value, i) => value + 0.25 * (wanted[i] - value)) : wanted;
}

function arrows(context, points, shifts) {
  context.strokeStyle = ARROW_COLOR;
  context.lineWidth = 3;
  const path = new Path2D();
  for (let i = 0; i < points.length; i += 2) {
    const [x, y, dx, dy] = [points[i], points[i + 1], factor * shifts[i], factor * shifts[i + 1]];
    const length = Math.hypot(dx, dy);
    if (length < 2) continue;
    const [ux, uy] = [(dx / length) * Math.min(9, length), (dy / length) * Math.min(9, length)];
    path.moveTo(x, y);
    path.lineTo(x + dx, y + dy);
    path.moveTo(x + dx - ux - uy / 2, y + dy - uy + ux / 2);
    path.lineTo(x + dx, y + dy);
    path.lineTo(x + dx - ux + uy / 2, y + dy - uy - ux / 2);
  }
  context.stroke(path);
}

function zoomText(answer) {
  if (!answer.shifts) return "The networks have different points";
  if (answer.largest_px === 0) return "The points do not differ";
  if (answer.largest_px < TOO_SMALL) return `Differences: ${pixels(answer.largest_px)}, too small to draw`;
  return `Arrows: from left to right, drawn ${factor}× as long`;
}

function paintZoom(picture, answer) {
  const canvas = canvases[0];
  const face = answer.panes[0][0];
  if (!face) {
    draw(canvas, picture, [], {});
    return;
  }
  follow(face.box);
  fitTo(canvas, ZOOM_WIDTH, ZOOM_HEIGHT);
  const scale = ZOOM_WIDTH / crop[2];
  const across = mirror.checked ? -scale : scale;
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, ZOOM_WIDTH, ZOOM_HEIGHT);
  context.setTransform(across, 0, 0, scale, ZOOM_WIDTH / 2 - across * crop[0], ZOOM_HEIGHT / 2 - scale * crop[1]);
  context.drawImage(picture, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  const at = (value, i) => (i % 2 ? ZOOM_HEIGHT / 2 + scale * (value - crop[1]) : ZOOM_WIDTH / 2 + across * (value - crop[0]));
  const points = face.points.map(at);
  drawFace(context, { ...face, points }, new Set(["points"]), (x) => x, 0.4);
  if (answer.shifts && answer.largest_px >= TOO_SMALL) {
    const shifts = answer.shifts[0].map((value, i) => value * (i % 2 ? scale : across));
    chooseFactor(shifts, 1);
    arrows(context, points, shifts);
  }
  writeCaptions(zoomText(answer));
}

function writeCaptions(text) {
  const captions = findAll("figcaption");
  const [first, second] = titles();
  const wanted = way() === "two" ? [first, second] : [way() === "slider" ? `${first}  |  ${second}` : text || first, second];
  captions.forEach((caption, side) => {
    if (caption.textContent !== wanted[side]) caption.textContent = wanted[side];
  });
}

function writePair() {
  const counted = [series.network.length, series.second.length];
  const latencies = [series.network, series.second].map((values) => (values.length < ENOUGH ? null : quantile(values, 0.5)));
  latencies.forEach((latency, side) => {
    const waiting = counted[side] ? `${counted[side]} of ${ENOUGH} frames` : "–";
    fill(`latency-${side}`, latency === null ? waiting : ms(latency));
    fill(`p95-${side}`, latency === null ? "–" : ms(quantile(side ? series.second : series.network, 0.95)));
    fill(`fps-${side}`, latency ? String(Math.round(1000 / latency)) : "–");
  });
  const enough = series.largest.length >= ENOUGH;
  const isOnExample = !state.running && latencies.includes(null);
  const { ms: calls = [null, null], largest_px = null, mean_px = null } = isOnExample ? onExample() : {};
  const [first, second] = isOnExample ? calls : latencies;
  const known = first !== null && second !== null;
  const largest = isOnExample ? largest_px : enough ? Math.max(...series.largest) : null;
  const same = largest !== null && largest < SAME ? ", same points" : "";
  const title = (side) => (x) => `Right is ${x} ${side}${same}`;
  const idle = state.running ? "Measuring …" : "Which is faster, and by how much?";
  fill("speedup", known ? factorWords(first, second, title("faster"), title("slower"), `Equally fast${same}`) : idle);
  fill("largest", pixels(largest));
  fill("mean", pixels(isOnExample ? mean_px : enough ? quantile(series.mean, 0.5) : null));
  fill("apart", isOnExample ? (known ? `On the example photo: ${ms(first)} and ${ms(second)}, the fastest of some calls.` : "") : enough ? apartText(largest) : "");
  titles().forEach((title, side) => fill(`name-${side}`, title));
  names().forEach((choice, side) => {
    for (const name of ["parameters", "macs", "file"]) fill(`${name}-${side}`, facts[choice] ? facts[choice][name] : "…");
  });
  if (!state.running) showExample();
}

function apartText(largest) {
  if (largest === 0) return "Points differ: not at all.";
  return `Points differ: ${largest < TOO_SMALL ? "by less than 0.001 px" : `by ${pixels(largest)} at most`}.`;
}

// The face of the example in both panes, while the camera is off.
function showExample() {
  const { faces: panes = [[], []], shifts, ...apart } = onExample();
  const scaled = shifts && shifts.map((face) => face.map((value) => POSTER_SCALE * value));
  crop = null;
  showPoster(panes, (picture, placed) => view.paint(picture, { ...apart, panes: placed, shifts: scaled }));
}

function loadFacts() {
  const chosen = names();
  chosen.forEach((choice) => loadFact(choice, () => server.facts(choice)));
  loadFact(chosen.join(" | "), () => server.example(chosen));
}

const view = {
  asked: () => settings(),
  camera: () => ({ camera: window.pfldStore.get("live", {}).camera || "", side: 640 }),
  paint(picture, answer) {
    if (way() === "zoom") return paintZoom(picture, answer);
    writeCaptions();
    if (way() === "slider") return paintSlider(picture, answer.panes);
    canvases.forEach((canvas, side) => draw(canvas, picture, answer.panes[side], settings()));
  },
  took(answer, count) {
    if (!count) return;
    take("network", answer.network_ms[0]);
    take("second", answer.network_ms[1]);
    take("largest", answer.largest_px);
    take("mean", answer.mean_px);
  },
  read: writePair,
  write: writePair,
  loadFacts,
  begin() {
    let known = "";
    const changed = () => {
      const { first, second, max_faces } = settings();
      window.pfldStore.set("pair", settings());
      if (known === first + second + max_faces) {
        if (!state.running) showExample(); // what is drawn may have changed
        return;
      }
      known = first + second + max_faces;
      settingsChanged();
      crop = null;
      factor = FACTORS[0];
      writeCaptions();
      writePair();
      loadFacts();
    };
    const turned = () => {
      root.dataset.way = way();
      slider.parentElement.hidden = way() !== "slider";
      writeCaptions();
      if (!state.running) showExample();
    };
    slider.addEventListener("input", () => !state.running && showExample());
    for (const name of ["pointerdown", "pointermove"]) canvases[0].addEventListener(name, slide);
    findAll(".pf-ways input").forEach((input) => input.addEventListener("change", turned));
    window.addEventListener("pfld-settings", changed);
    turned();
    changed();
  },
};
