// The page: camera, photos and settings; landmarks come from a worker of this page.

import { drawFaces } from "./modules/drawing.js";
import { NETWORKS } from "./modules/facts.js";
import { BrowserRuntime } from "./modules/runtime.js";
import { Readout } from "./readout.js";

const FIRST = "ghostone-small-heatmap"; // the smallest with a heatmap; chosen at first if it is there
const ASKED_MS = 2000; // without an answer to the browser's question, after which the page says where it is
const CAMERA_SIDE = 640, PHOTO_SIDE = 1600; // longest side in pixels, larger pictures are shrunk

const POSTER = [52, 0, 340, 255]; // left, top, width and height of what is shown of the example at first

const find = (id) => document.getElementById(id);
const video = find("camera");
const screen = find("picture").getContext("2d");
const frame = document.createElement("canvas"); // the picture whose faces are found
const frameContext = frame.getContext("2d", { willReadFrequently: true });
const runtime = new BrowserRuntime();
const readout = new Readout();

const state = { running: false, shown: 0, faces: [], wholeMs: null, error: null };
window.pfld = state; // for those who look
let stream = null;
let run = 0; // counts pictures and cameras, so that answers to earlier ones are dropped
let still = false; // whether the frame is a photo
let facelessSince = 0;

const file = () => `${find("network").value}${find("precision").value}.onnx`;
const shown = () => new Set([...document.querySelectorAll("[name=shown]:checked")].map((box) => box.value));

function say(title, message) {
  find("title").textContent = title;
  find("message").textContent = message;
  find("invitation").hidden = false;
}

function note(text) {
  if (find("note").textContent !== text) find("note").textContent = text;
  find("note").hidden = !text;
}

function begin(isStill) {
  run += 1;
  still = isStill;
  state.faces = [];
  state.error = null;
  facelessSince = 0;
  readout.reset();
  find("invitation").hidden = true;
  document.querySelector(".readout").hidden = false;
  find("again").hidden = false;
  find("stop").hidden = isStill;
  find("back").hidden = !isStill;
  note("Loading the network …");
}

function end(title, message) {
  run += 1;
  state.running = still = false;
  stream?.getTracks().forEach((track) => track.stop());
  stream = video.srcObject = null;
  note("");
  find("again").hidden = true;
  say(title, message);
  void showPoster();
  find("start").focus({ preventScroll: true });
}

const loadExample = async () => (await fetch("example.jpg")).blob();

/** The example's face, until there is another picture. */
async function showPoster() {
  const mine = run;
  const image = await loadExample().then(createImageBitmap).catch(() => null);
  if (!image || mine !== run) return;
  frame.width = 640;
  frame.height = 480;
  frameContext.drawImage(image, ...POSTER, 0, 0, frame.width, frame.height);
  image.close();
  state.faces = [];
  paint();
}

function whyNoCamera({ name, message }) {
  if (name === "NotAllowedError" || name === "SecurityError") return ["Camera refused", "Allow the camera for this page in your browser, then start again, or choose a photo."];
  if (name === "NotFoundError" || name === "OverconstrainedError") return ["No camera found", "Connect one and start again, or choose a photo."];
  if (name === "NotReadableError" || name === "AbortError") return ["Camera busy", "Another program seems to use it. Close that one and start again."];
  return ["Camera failed", message];
}

async function startCamera() {
  find("start").disabled = true;
  say("Starting the camera …", "Your browser may ask for permission.");
  const asked = window.setTimeout(() => {
    if (find("invitation").hidden) return; // a photo was chosen meanwhile
    say("Waiting for the camera …", "Your browser asks whether this page may use the camera, mostly beside the address bar: allow it there, or choose a photo.");
  }, ASKED_MS);
  try {
    const size = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" };
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: size });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    end(...whyNoCamera(error));
    return;
  } finally {
    window.clearTimeout(asked);
    find("start").disabled = false;
  }
  stream.getVideoTracks()[0].addEventListener("ended", () => end("Camera gone", "It was disconnected. Connect it and start again."));
  begin(false);
  state.running = true;
  find("stop").focus({ preventScroll: true });
  next(run);
}

function next(mine) {
  if (mine !== run) return;
  const look = (now, about) => void follow(mine, about?.captureTime ?? now).finally(() => next(mine));
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(look);
  else window.requestAnimationFrame(look);
}

/** Finds the faces in one frame of the camera and shows both. */
async function follow(mine, takenAt) {
  if (mine !== run || !video.videoWidth) return;
  take(video, video.videoWidth, video.videoHeight, CAMERA_SIDE);
  const settings = { file: file(), timeS: takenAt / 1000, maxFaces: Number(find("faces").value), smoothing: find("smoothing").checked };
  const answer = await ask(mine, () => runtime.locate(frame, settings));
  if (!answer) return;
  show(answer, performance.now() - takenAt);
  const now = performance.now();
  facelessSince = answer.faces.length ? 0 : facelessSince || now;
  note(facelessSince && now - facelessSince > 800 ? "No face in view. Come closer, or turn on a light." : "");
}

async function showPhoto(source) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(source);
  } catch {
    say("Not a picture", "Your browser cannot read that file. Choose a JPEG, PNG or WebP picture.");
    return;
  }
  begin(true);
  take(bitmap, bitmap.width, bitmap.height, PHOTO_SIDE);
  bitmap.close();
  paint();
  await findInPhoto();
}

async function findInPhoto() {
  const mine = run;
  const answer = await ask(mine, () => runtime.still(frame, { file: file() }));
  if (!answer) return;
  readout.reset();
  show(answer);
  note(answer.faces.length ? "" : "No face was found in this picture.");
}

/** An answer of the runtime; null if it failed, or came after something else was begun. */
async function ask(mine, work) {
  try {
    const answer = await work();
    return mine === run ? answer : null;
  } catch (error) {
    if (mine === run) {
      state.error = error.message;
      end("It does not work in this browser", error.message);
    }
    return null;
  }
}

function take(source, width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  frame.width = Math.max(1, Math.round(width * scale));
  frame.height = Math.max(1, Math.round(height * scale));
  frameContext.imageSmoothingQuality = "high";
  frameContext.drawImage(source, 0, 0, frame.width, frame.height);
}

function show(answer, wholeMs = null) {
  Object.assign(state, { faces: answer.faces, shown: state.shown + 1, wholeMs });
  paint();
  readout.add(answer, wholeMs);
}

/** Draws the frame and its faces. */
function paint() {
  const { canvas } = screen;
  if (canvas.width !== frame.width || canvas.height !== frame.height) {
    canvas.width = frame.width;
    canvas.height = frame.height;
    document.documentElement.style.setProperty("--ratio", frame.width / frame.height);
  }
  const mirrored = !still && find("mirror").checked;
  screen.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? canvas.width : 0, 0);
  screen.drawImage(frame, 0, 0);
  screen.setTransform(1, 0, 0, 1, 0, 0);
  drawFaces(screen, state.faces, shown(), mirrored);
}

const millions = (count) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 0)} M`;
const megabytes = (bytes) => (bytes ? `${(bytes / 1e6).toFixed(1)} MB` : "–");

function fillNetworks() {
  const names = document.body.dataset.networks.split(" ").filter((name) => name in NETWORKS);
  for (const name of names) {
    find("network").add(new Option(name, name, false, name === FIRST));
    const { sizes, files } = NETWORKS[name];
    const [before, after] = [sizes["train-time"], sizes.reparameterized];
    const row = find("sizes").insertRow();
    row.dataset.network = name;
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    for (const text of [millions(before[0]), millions(after[0]), millions(before[1]), millions(after[1]), megabytes(files[`${name}.onnx`]), megabytes(files[`${name}-int8.onnx`])])
      row.insertCell().textContent = text;
  }
  markNetwork();
}

function markNetwork() {
  for (const row of find("sizes").rows)
    if (row.dataset.network === find("network").value) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
}

function changeNetwork() {
  markNetwork();
  readout.reset();
  if (still) {
    run += 1;
    note("Loading the network …");
    void findInPhoto();
  }
}

fillNetworks();
void showPoster();
if (!navigator.mediaDevices?.getUserMedia) {
  say("No camera at this address", "Browsers lend a camera to pages at https:// or http://localhost only. Photos work here.");
  find("start").hidden = true;
}
find("start").addEventListener("click", startCamera);
find("stop").addEventListener("click", () => end("Camera stopped", "Start it again whenever you like."));
find("back").addEventListener("click", () => end("Another picture", "Use your camera, a photo of yours, or the example."));
find("choose").addEventListener("click", () => find("photo").click());
find("photo").addEventListener("change", ({ target }) => {
  if (target.files[0]) void showPhoto(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
});
find("example").addEventListener("click", async () => showPhoto(await loadExample()));
for (const id of ["network", "precision"]) find(id).addEventListener("change", changeNetwork);
for (const box of document.querySelectorAll("[name=shown], #mirror")) box.addEventListener("change", () => find("invitation").hidden && paint());
document.addEventListener("visibilitychange", () => document.hidden && state.running && end("Camera stopped", "It stopped when you left this page."));
