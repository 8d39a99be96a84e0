// Parts of the page that the camera view uses, and what it says over the picture; part of live.js.

const root = element.querySelector(".pf-live");
const find = (name) => root.querySelector(name);
const findAll = (name) => [...root.querySelectorAll(name)];
const canvases = findAll("canvas");
const video = find("video");
const empty = find(".pf-empty");
const notice = find(".pf-notice");
const lost = find(".pf-trouble");
const mirror = find(".pf-mirror");
const startButton = find(".pf-start");
const stopButton = find(".pf-stop");
mirror.addEventListener("change", () => view.write());

function say(text, title) {
  find(".pf-title").textContent = title || "";
  find(".pf-message").textContent = text;
  empty.hidden = false;
}

function note(text) {
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = !text;
}

// Says over the picture why no new one comes; an empty text takes it away.
function trouble(text, title) {
  if (lost.hidden && !text) return;
  const [strong, rest] = [lost.querySelector("b"), lost.querySelector("span")];
  if (strong.textContent !== (title || "")) strong.textContent = title || "";
  if (rest.textContent !== text) rest.textContent = text;
  lost.hidden = !text;
  root.classList.toggle("pf-stale", Boolean(text));
}
