// A camera whose video stays on this page: frames go to the server, landmarks come back and are drawn
// on the very frame they belong to. Runs as the body of a function of element, props and server.

const root = element.querySelector(".pf-live");
const kind = props.kind; // "live": one pane, "pair": two
const curves = props.curves; // per number of points: [color, indices, closed]
const groups = props.groups; // per number of points: [color, indices]
const IN_FLIGHT = 2; // frames on their way at once; more only wait for each other
const LONGEST_SIDE = 640; // pixels sent
const KEPT = 120; // frames that medians are taken over
const RIM = "rgba(25, 25, 30, 0.85)";
const AXIS_COLORS = ["#ff4b4b", "#50e650", "#5096ff"];

const find = (name) => root.querySelector(name);
const canvases = [...root.querySelectorAll("canvas")];
const video = find("video");
const empty = find(".pf-empty");
const message = find(".pf-message");
const notice = find(".pf-notice");
const mirror = find(".pf-mirror");
const startButton = find(".pf-start");
const stopButton = find(".pf-stop");

const state = { running: false, shown: 0, faces: 0, last: null };
root.live = state;
let stream = null;
let slots = [];
let sequence = 0;
let newest = 0;
let failures = 0;
let pausedUntil = 0;
let run = 0; // grows with every start and stop, so that late answers know they are late
let series = null;
let shownAt = [];
let readAt = 0;
let facelessSince = 0;

const emptySeries = () => ({ network: [], second: [], server: [], whole: [], largest: [], mean: [] });
const settings = () => (window.pfldSettings || {})[kind] || props.settings;

function say(text, title) {
  find(".pf-title").textContent = title || "";
  message.textContent = text;
  empty.hidden = false;
}

function note(text) {
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = !text;
}

function whyNoCamera(error) {
  const name = error && error.name;
  if (name === "NotAllowedError" || name === "SecurityError")
    return ["Camera refused", "Allow the camera for this page, by the icon in the address bar, then start again. The Photo and Video tabs work without one."];
  if (name === "NotFoundError" || name === "OverconstrainedError")
    return ["No camera found", "Connect one and start again, or use the Photo and Video tabs."];
  if (name === "NotReadableError" || name === "AbortError")
    return ["Camera busy", "Another program seems to use it. Close that one and start again."];
  return ["Camera failed", String((error && error.message) || error)];
}

async function start() {
  if (state.running) return;
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    say("Browsers lend a camera to pages at https:// or http://localhost only. Open the app at localhost.", "No camera on this address");
    return;
  }
  startButton.disabled = true;
  say("Your browser may ask for permission.", "Starting the camera …");
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" },
    });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    const [title, text] = whyNoCamera(error);
    release();
    startButton.disabled = false;
    say(text, title);
    startButton.textContent = "Try again";
    return;
  }
  startButton.disabled = false;
  stream.getVideoTracks()[0].addEventListener("ended", () => stop("The camera was disconnected. Connect it and start again.", "Camera gone"));
  run += 1;
  state.running = true;
  state.startedAt = performance.now();
  state.firstFaceMs = null;
  slots = Array.from({ length: IN_FLIGHT }, () => ({ canvas: document.createElement("canvas"), busy: false }));
  series = emptySeries();
  shownAt = [];
  failures = 0;
  facelessSince = 0;
  note("");
  empty.hidden = true;
  root.classList.add("pf-on");
  stopButton.focus({ preventScroll: true });
  next(run);
}

function release() {
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
}

function stop(text, title) {
  if (!state.running) return;
  state.running = false;
  run += 1;
  release();
  note("");
  root.classList.remove("pf-on");
  startButton.textContent = "Start camera";
  say(text || "Start it again whenever you like.", title || "Camera stopped");
}

function next(mine) {
  if (!state.running || mine !== run) return;
  const again = (now, frame) => {
    if (mine !== run) return;
    if (root.offsetParent === null) {
      stop("It stopped when you left this tab.", "Camera stopped");
      return;
    }
    // When the camera took it; the moment it is handed out jumps about.
    capture(mine, (frame && frame.captureTime) || now);
    next(mine);
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(again);
  else window.requestAnimationFrame(again);
}

function capture(mine, takenAt) {
  const slot = slots.find((candidate) => !candidate.busy);
  const now = performance.now();
  if (!slot || !video.videoWidth || now < pausedUntil) return;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  const width = Math.round(video.videoWidth * scale);
  const height = Math.round(video.videoHeight * scale);
  if (slot.canvas.width !== width || slot.canvas.height !== height) {
    slot.canvas.width = width;
    slot.canvas.height = height;
  }
  slot.canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, width, height);
  slot.busy = true;
  const number = ++sequence;
  slot.canvas.toBlob((blob) => send(mine, slot, number, takenAt, blob), "image/jpeg", 0.85);
}

function asText(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function send(mine, slot, number, takenAt, blob) {
  try {
    if (!blob || mine !== run) return;
    // As text: the server would put a file on its disk.
    const data = { frame: await asText(blob), time_s: takenAt / 1000, settings: JSON.stringify(settings()) };
    const answer = await server.locate({ binary: true, data });
    if (mine !== run || number < newest || !answer || answer.late) return;
    failures = 0;
    if (answer.error) {
      note(answer.error);
      pausedUntil = performance.now() + 1000;
      return;
    }
    newest = number;
    show(slot.canvas, answer, takenAt);
  } catch (error) {
    failures += 1;
    pausedUntil = performance.now() + 500;
    if (failures >= 4 && mine === run) stop("The app does not answer. Check that it is still running, then start again.", "Connection lost");
  } finally {
    slot.busy = false;
  }
}

function show(picture, answer, takenAt) {
  const panes = kind === "pair" ? answer.panes : [answer.faces];
  canvases.forEach((canvas, index) => draw(canvas, picture, panes[index]));
  const now = performance.now();
  state.shown += 1;
  state.faces = panes[0].length;
  state.last = answer;
  if (panes[0].length && state.firstFaceMs === null) state.firstFaceMs = now - state.startedAt;
  facelessSince = panes[0].length ? 0 : facelessSince || now;
  note(facelessSince && now - facelessSince > 800 ? "No face in view. Come closer, or turn on a light." : "");
  const take = (name, value) => {
    if (value === null || value === undefined) return;
    series[name].push(value);
    if (series[name].length > KEPT) series[name].shift();
  };
  take("whole", now - takenAt);
  take("server", answer.server_ms);
  if (panes[0].length) {
    take("network", kind === "pair" ? answer.network_ms[0] : answer.network_ms);
    take("second", kind === "pair" ? answer.network_ms[1] : null);
    take("largest", answer.largest_px);
    take("mean", answer.mean_px);
  }
  shownAt.push(now);
  while (shownAt.length > 1 && now - shownAt[0] > 2000) shownAt.shift();
  if (now - readAt > 250) {
    readAt = now;
    read(answer);
  }
}

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

function draw(canvas, picture, faces) {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  const flip = mirror.checked;
  context.setTransform(flip ? -1 : 1, 0, 0, 1, flip ? width : 0, 0);
  context.drawImage(picture, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  const wanted = new Set(settings().show || []);
  context.lineJoin = context.lineCap = "round";
  for (const face of [...faces].reverse()) drawFace(context, face, wanted, (x) => (flip ? width - x : x));
}

function drawFace(context, face, wanted, at) {
  const points = [];
  for (let i = 0; i < face.points.length; i += 2) points.push([at(face.points[i]), face.points[i + 1]]);
  const count = points.length;
  const middle = points.reduce((sum, [x, y]) => [sum[0] + x / count, sum[1] + y / count], [0, 0]);
  const spread = points.reduce((sum, [x, y]) => sum + (x - middle[0]) ** 2 + (y - middle[1]) ** 2, 0) / count;
  const size = 1.56 * Math.sqrt(spread); // about the distance of the outer eye corners
  const thin = Math.max(1, size / 70);
  const stroke = (path, color, width) => {
    context.strokeStyle = RIM;
    context.lineWidth = width + 2;
    context.stroke(path);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  };
  if (wanted.has("boxes")) {
    const path = new Path2D();
    const [x0, y0, x1, y1] = face.box;
    path.rect(Math.min(at(x0), at(x1)), y0, x1 - x0, y1 - y0);
    stroke(path, "#fff", thin);
  }
  if (wanted.has("contours"))
    for (const [color, indices, closed] of curves[count] || []) {
      const path = new Path2D();
      indices.forEach((index) => path.lineTo(...points[index]));
      if (closed) path.closePath();
      stroke(path, color, thin);
    }
  if (wanted.has("points")) {
    const radius = Math.max(1.2, size / 56);
    for (const [color, indices] of groups[count] || []) {
      const path = new Path2D();
      for (const index of indices) {
        path.moveTo(points[index][0] + radius, points[index][1]);
        path.arc(...points[index], radius, 0, 2 * Math.PI);
      }
      context.strokeStyle = RIM;
      context.lineWidth = 1.5;
      context.stroke(path);
      context.fillStyle = color;
      context.fill(path);
    }
  }
  if (wanted.has("axes") && face.axes)
    face.axes.forEach(([x0, y0, x1, y1], axis) => {
      const path = new Path2D();
      path.moveTo(at(x0), y0);
      path.lineTo(at(x1), y1);
      stroke(path, AXIS_COLORS[axis], 1.7 * thin);
    });
  if (wanted.has("indices")) points.forEach(([x, y], index) => write(context, String(index), x + 2, y - 2, Math.max(6, size / 18)));
  if (wanted.has("labels")) {
    const number = face.id === null ? "" : `#${face.id} `;
    const left = Math.min(at(face.box[0]), at(face.box[2]));
    write(context, `${number}${Math.round(100 * face.quality)}%`, left, Math.max(14, face.box[1] - 6), 14);
  }
}

function write(context, text, x, y, height) {
  context.font = `600 ${height}px system-ui, sans-serif`;
  context.strokeStyle = RIM;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

startButton.addEventListener("click", start);
stopButton.addEventListener("click", () => stop());
series = emptySeries();
if (kind === "pair") {
  let known = "";
  const changed = () => {
    const { first, second } = settings();
    if (known === first + second) return;
    known = first + second;
    readFacts();
  };
  window.addEventListener("pfld-settings", changed);
  changed();
} else {
  // Latencies of another network or mode would mix with this one's.
  let known = "";
  window.addEventListener("pfld-settings", () => {
    const { network, mode } = settings();
    if (known !== network + mode) series = emptySeries();
    known = network + mode;
  });
}
