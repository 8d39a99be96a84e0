// Sends frames and waits for their answers: late ones, lost connections, taken places; part of live.js.

const IN_FLIGHT = 2; // frames on their way at once; more would only wait for each other
const SLOW_MS = 400; // after a frame that took longer, only one is sent at a time
const SILENT_MS = 2500; // without an answer, after which the page says that it waits
const GIVEN_UP_MS = 15_000; // after which a frame counts as lost
const FIRST_PAUSE_MS = 300; // after a failed frame; doubles with each further one
const LONGEST_PAUSE_MS = 8000;
const FULL_PAUSE_MS = 2000; // between tries while all places for cameras are taken

let slots = [];
let sequence = 0; // of frames sent
let newest = 0; // frame that is shown
let version = 0; // of the settings; answers to frames sent with others are dropped
let failures = 0; // in a row
let pausedUntil = 0;
let slow = false;
let run = 0; // counts starts and stops, so that answers to an earlier run are dropped

function resetLink() {
  slots = Array.from({ length: IN_FLIGHT }, () => ({ canvas: document.createElement("canvas"), sentAt: 0, number: 0 }));
  failures = 0;
  pausedUntil = 0;
  slow = false;
}

const busy = (slot) => slot.sentAt > 0;

function freeSlot() {
  const now = performance.now();
  if (now < pausedUntil || (failures && navigator.onLine === false)) return null;
  if ((slow || failures) && slots.some(busy)) return null;
  return slots.find((slot) => !busy(slot)) || null;
}

function failed() {
  if (performance.now() < pausedUntil) return; // another frame failed with this one
  pausedUntil = performance.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  failures += 1;
  if (failures > 1) trouble("The app does not answer. Trying again …", "Connection lost");
}

function watch() {
  if (!state.running) return;
  const now = performance.now();
  for (const slot of slots)
    if (busy(slot) && now - slot.sentAt > GIVEN_UP_MS) {
      slot.sentAt = 0;
      slot.number = 0; // its answer is not waited for any more
      failed();
    }
  const since = Math.min(...slots.filter(busy).map((slot) => slot.sentAt));
  if (failures && navigator.onLine === false) trouble("This device is offline. Going on as soon as it is back.", "Connection lost");
  else if (failures < 2 && now - since > SILENT_MS) trouble("Waiting for the app’s answer …", "");
}

window.setInterval(watch, 500);
window.addEventListener("online", () => (pausedUntil = 0));

function asText(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

async function locate(slot, takenAt, settings) {
  if (view.inBrowser && view.inBrowser()) return window.pfldBrowserRuntime.locate(slot.canvas, takenAt / 1000, settings);
  const blob = await new Promise((resolve) => slot.canvas.toBlob(resolve, "image/jpeg", 0.85));
  // As text, because Gradio would write a file to the server's disk.
  const data = { frame: await asText(blob), time_s: takenAt / 1000, settings: JSON.stringify(settings) };
  return server.locate({ binary: true, data }); // undefined if the server cannot be reached
}

async function send(mine, slot, takenAt) {
  const number = ++sequence;
  const sentWith = version;
  slot.number = number;
  slot.sentAt = performance.now();
  let answer;
  try {
    answer = await locate(slot, takenAt, view.asked());
  } catch (error) {
    answer = view.inBrowser && view.inBrowser() ? { error: String(error.message || error) } : undefined;
  }
  if (slot.number !== number || mine !== run) return;
  slot.sentAt = 0;
  if (!answer) {
    failed();
    return;
  }
  failures = 0;
  if (answer.full) {
    pausedUntil = performance.now() + FULL_PAUSE_MS;
    trouble(`${answer.error} Trying again …`, "All places are taken");
    return;
  }
  trouble("");
  if (sentWith !== version || number < newest || answer.late) return;
  if (answer.error) {
    note(answer.error);
    pausedUntil = performance.now() + 1000;
    return;
  }
  newest = number;
  slow = performance.now() - takenAt > SLOW_MS;
  show(slot.canvas, answer, takenAt);
}
