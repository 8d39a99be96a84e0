// Camera view: frames go to the server, landmarks come back and are drawn on the frame they belong to.
// Runs as the body of a function of element, props and server, after the other scripts of the view.
//
// Frames can be looked at in the browser instead. If the page has an object window.pfldBrowserRuntime,
// Live offers "in your browser" as a runtime and calls
//   await window.pfldBrowserRuntime.locate(canvas, time_s, settings)
// in place of sending the frame. canvas holds the frame, not mirrored; time_s is when it was taken;
// settings are {network, mode: "browser", smoothing, max_faces}. It returns what the server's locate
// returns: {faces: [{points: [x0, y0, x1, ...], box, id, quality, sureness, axes, pose}], network_ms,
// server_ms, jitter}, lengths in pixels of the canvas; or {error: "a sentence for the visitor"}.
// At most two calls run at once. A script that sets the object later dispatches the event
// "pfld-browser-runtime" on window. window.pfldBrowserRuntime.networks, a list of names, says which
// networks it has; without it, all are offered.

const FACELESS_MS = 800; // without a face, after which the page says so
const ASKED_MS = 2000; // without an answer to the browser's question, after which the page says where it is
const WAITING =
  "Your browser asks whether this page may use the camera, mostly beside the address bar: allow it there. The Photo and Video tabs work without one.";

const state = { running: false, shown: 0, faces: 0, last: null };
root.live = state;
let stream = null;
let facelessSince = 0;
let leftRunning = false; // the camera stopped because another tab was opened
let isFilm = false; // the example runs in place of the camera

// The settings of frames changed: what was measured, or is on its way, is of the old ones.
function settingsChanged() {
  version += 1;
  state.version = version;
  series = emptySeries();
  newest = 0;
}

// The camera, or the example. A later start takes the place of one whose permission is still asked for.
async function start(film = false) {
  if (state.running || (startButton.disabled && !film)) return;
  const mine = (run += 1);
  leftRunning = false;
  isFilm = film;
  startButton.disabled = true;
  if (film) say("", "Loading the example …");
  else say("Your browser may ask for permission.", "Starting the camera …");
  const asked = window.setTimeout(() => mine === run && !state.running && say(WAITING, "Waiting for the camera …"), ASKED_MS);
  try {
    const opened = await (film ? filmStream() : navigator.mediaDevices.getUserMedia(constraints()));
    if (mine !== run) {
      opened.getTracks().forEach((track) => track.stop());
      return;
    }
    stream = opened;
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    if (mine !== run) return;
    const [title, text] = film ? ["The example could not be shown", String(error.message || error)] : whyNoCamera(error);
    release();
    startButton.disabled = false;
    say(text, title);
    startButton.textContent = "Try again";
    return;
  } finally {
    window.clearTimeout(asked);
  }
  startButton.disabled = false;
  stream.getVideoTracks()[0].addEventListener("ended", () => stop("The camera was disconnected. Connect it and start again.", "Camera gone"));
  state.running = true;
  state.startedAt = performance.now();
  state.firstFaceMs = null;
  resetLink();
  settingsChanged();
  facelessSince = 0;
  note("");
  trouble("");
  empty.hidden = true;
  root.classList.add("pf-on", "pf-ran");
  root.classList.remove("pf-untouched");
  stopButton.textContent = film ? "Stop the example" : "Stop camera";
  stopButton.focus({ preventScroll: true });
  if (!film) listCameras();
  next(mine);
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
  if (recorder) recorder.stop();
  release();
  note("");
  trouble("");
  root.classList.remove("pf-on");
  view.write();
  startButton.textContent = "Start camera";
  say(text || "Start it again whenever you like.", title || (isFilm ? "Example stopped" : "Camera stopped"));
}

async function restart() {
  if (!state.running) return;
  stop();
  await start(isFilm);
}

function next(mine) {
  if (!state.running || mine !== run) return;
  const again = (now, frame) => {
    if (mine !== run) return;
    if (root.offsetParent === null) {
      stop("It stopped when you left this tab, and starts again when you return.");
      leftRunning = true;
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
  const slot = freeSlot();
  if (!slot || !video.videoWidth) return;
  const scale = Math.min(1, view.camera().side / Math.max(video.videoWidth, video.videoHeight));
  const width = Math.round(video.videoWidth * scale);
  const height = Math.round(video.videoHeight * scale);
  fitTo(slot.canvas, width, height);
  slot.canvas.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0, width, height);
  send(mine, slot, takenAt);
}

function show(picture, answer, takenAt) {
  view.paint(picture, answer);
  const now = performance.now();
  const faces = answer.panes ? answer.panes[0] : answer.faces;
  state.shown += 1;
  state.faces = faces.length;
  state.last = answer;
  state.size = `${picture.width} × ${picture.height}`;
  if (faces.length && state.firstFaceMs === null) state.firstFaceMs = now - state.startedAt;
  facelessSince = faces.length ? 0 : facelessSince || now;
  note(facelessSince && now - facelessSince > FACELESS_MS ? "No face in view. Come closer, or turn on a light." : "");
  take("whole", now - takenAt);
  take("server", answer.server_ms);
  take("shownAt", now, 60);
  while (now - series.shownAt[0] > 4000) series.shownAt.shift();
  view.took(answer, faces.length);
  if (now - readAt > 250) {
    readAt = now;
    read(answer);
  }
}

startButton.addEventListener("click", () => start());
find(".pf-film").addEventListener("click", () => start(true));
stopButton.addEventListener("click", () => stop());
new IntersectionObserver((entries) => {
  if (leftRunning && entries.some((entry) => entry.isIntersecting)) start(isFilm);
}).observe(root);
offerCapture();
if (!canHaveCamera) sayNoCameraHere();
view.begin();
