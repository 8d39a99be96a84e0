// The camera, and what visitors take away: pictures, recordings and landmarks; part of live.js.
// All of it is made in the browser.

const cameraList = find(".pf-camera");
const RECORDINGS = ["video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm"];
let recorder = null;

function constraints() {
  const { camera, side } = view.camera();
  const size = side > 640 ? { width: { ideal: 1280 }, height: { ideal: 720 } } : { width: { ideal: 640 }, height: { ideal: 480 } };
  const which = camera ? { deviceId: { ideal: camera } } : { facingMode: "user" };
  return { audio: false, video: { ...size, frameRate: { ideal: 30 }, ...which } };
}

const canHaveCamera = Boolean(navigator.mediaDevices && navigator.mediaDevices.getUserMedia);

// At an address without https the browser has no camera for any page.
function sayNoCameraHere() {
  say(
    "Browsers lend a camera to pages at https:// or http://localhost only. Open the app at localhost on the machine that runs it, or have it served by https. The example works here, and so do the Photo and Video tabs.",
    "No camera at this address",
  );
  startButton.hidden = true;
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

// Browsers tell the names of cameras only after one was allowed.
async function listCameras() {
  if (!cameraList || !canHaveCamera) return;
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  const chosen = stream && stream.getVideoTracks()[0].getSettings().deviceId;
  cameraList.replaceChildren(
    ...devices.map((device, index) => new Option(device.label || `Camera ${index + 1}`, device.deviceId, false, device.deviceId === chosen)),
  );
  cameraList.disabled = devices.length < 2;
}

function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "-");

function snapshot() {
  const shown = canvases.filter((canvas) => canvas.offsetParent !== null);
  const all = document.createElement("canvas");
  all.width = shown.reduce((sum, canvas) => sum + canvas.width, 0);
  all.height = Math.max(...shown.map((canvas) => canvas.height));
  let left = 0;
  for (const canvas of shown) {
    all.getContext("2d").drawImage(canvas, left, 0);
    left += canvas.width;
  }
  all.toBlob((blob) => saveAs(blob, `landmarks-${stamp()}.png`), "image/png");
}

function saveLandmarks() {
  const pairs = (points) => Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
  const { network, mode } = view.asked();
  const { width, height } = canvases[0];
  const faces = state.last.faces.map(({ points, box, id, quality, pose }) => ({ id, quality, pose, box, landmarks: pairs(points) }));
  const text = JSON.stringify({ network, mode, width, height, faces }, null, 1);
  saveAs(new Blob([text], { type: "application/json" }), `landmarks-${stamp()}.json`);
}

function toggleRecording(button) {
  if (recorder) {
    recorder.stop();
    return;
  }
  const type = RECORDINGS.find((candidate) => MediaRecorder.isTypeSupported(candidate));
  const parts = [];
  recorder = new MediaRecorder(canvases[0].captureStream(30), { mimeType: type, videoBitsPerSecond: 4_000_000 });
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    recorder = null;
    button.textContent = "Record";
    button.classList.remove("pf-recording");
    saveAs(new Blob(parts, { type }), `landmarks-${stamp()}.${type.startsWith("video/mp4") ? "mp4" : "webm"}`);
  };
  recorder.start(1000);
  button.textContent = "Stop recording";
  button.classList.add("pf-recording");
}

function offerCapture() {
  const buttons = { ".pf-snapshot": snapshot, ".pf-save": saveLandmarks, ".pf-record": toggleRecording };
  for (const [name, act] of Object.entries(buttons)) {
    const button = find(name);
    if (button) button.addEventListener("click", () => state.last && act(button));
  }
  const record = find(".pf-record");
  if (record && !RECORDINGS.some((type) => window.MediaRecorder && MediaRecorder.isTypeSupported(type))) record.hidden = true;
}
