// Camera view: frames go to the server, landmarks come back and are drawn on the frame they belong to.
// Runs as the body of a function of element, props and server.

const root = element.querySelector(".pf-live");
const kind = props.kind; // "live": one pane, "pair": two
const IN_FLIGHT = 2; // frames on their way at once; more would only wait for each other
const SLOW_MS = 400; // after a frame that took longer, only one is sent at a time
const LONGEST_SIDE = 640; // pixels sent
const KEPT = 120; // frames that medians are taken over

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
let slow = false;
let run = 0; // counts starts and stops, so that answers to an earlier run are dropped
let series = null;
let shownAt = [];
let readAt = 0;
let facelessSince = 0;

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
  slow = false;
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
    // The time the camera took it, which is more even than that of this call.
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
  if (slow && slots.some((other) => other.busy)) return;
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
    // As text, because Gradio would write a file to the server's disk.
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
  slow = now - takenAt > SLOW_MS;
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
  // Medians start anew with another network or mode.
  let known = "";
  window.addEventListener("pfld-settings", () => {
    const { network, mode } = settings();
    if (known !== network + mode) series = emptySeries();
    known = network + mode;
  });
}
