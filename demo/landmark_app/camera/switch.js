// Live: the switch between train-time and re-parameterized, what it changes, and Live's other settings.

const ENOUGH = 20; // timed frames before a median is shown
const store = window.pfldStore;
const titles = props.runtimes; // of the modes that run folded, by name
const inBrowserNetworks = () => window.pfldBrowserRuntime && (window.pfldBrowserRuntime.networks || Object.keys(props.networks));

const own = { ...props.settings, ...store.get("live", {}) };
const measured = {}; // per network, mode and number of faces: what was last measured
let fresh = null; // what is being measured

function runtimes() {
  const { modes } = props.networks[own.network];
  const offered = modes.filter((mode) => mode !== "train-time");
  return (inBrowserNetworks() || []).includes(own.network) ? [...offered, "browser"] : offered;
}

const hasSwitch = () => props.networks[own.network].folds && props.networks[own.network].modes.includes("train-time");
const foldedMode = () => [own.runtime, props.settings.runtime, ...runtimes()].find((name) => runtimes().includes(name)) || "train-time";
const mode = () => (hasSwitch() && !own.folded ? "train-time" : foldedMode());
const keyOf = (chosen, count) => `${own.network}/${chosen}/${count}`;
const both = () => ["train-time", foldedMode()];

function startMeasuring(count) {
  fresh = { key: keyOf(mode(), count), ms: [], shownAt: [] };
}

// The median latency and frames/s of a mode, and how many frames they are of.
function lastOf(chosen) {
  const found = measured[keyOf(chosen, fresh.key.split("/").pop())];
  return found ? { ms: quantile(found.ms, 0.5), fps: rateOf(found.shownAt), frames: found.ms.length } : { ms: null, fps: null, frames: 0 };
}

const million = (value) => (value === undefined ? "…" : `${(value / 1e6).toFixed(value < 1e7 ? 2 : 0)} million`);

const choiceOf = (chosen) => `${own.network} · ${chosen === "browser" ? "onnx" : chosen}`;
const onExample = (chosen) => facts[choiceOf(chosen)] || {};

function loadFacts() {
  const chosen = [foldedMode(), ...(hasSwitch() && runtimes().includes("reparameterized") ? ["reparameterized"] : [])].map(choiceOf);
  loadFact(own.network, () => server.sizes(own.network));
  chosen.forEach((choice) => loadFact(choice, () => server.example(choice)));
}

// Latencies of both forms: on the visitor's own picture if both are known, else on the example.
function latencies() {
  const live = both().map((chosen) => lastOf(chosen).ms);
  const { ms: example } = onExample(foldedMode());
  const isOwn = !live.includes(null) || !example || foldedMode() === "browser";
  return { values: isOwn ? live : example, isOwn };
}

function sameness() {
  const { largest_px: largest, mean_px: mean } = onExample(foldedMode());
  if (largest === undefined || largest === null) return ["", ""];
  if (largest < 0.01) return [", same points", largest === 0 ? "the points do not differ." : `the points differ by ${pixels(largest)}.`];
  return ["", `the points differ by ${pixels(mean)} on average, by ${pixels(largest)} at most.`];
}

function factorTexts() {
  if (!props.networks[own.network].folds)
    return ["No branches to fold", `Each layer of ${own.network} has one branch already, while it is trained as well.`];
  if (!hasSwitch()) return ["Train-time weights are missing", `There is no train-time weight file of ${own.network}.`];
  const { values, isOwn } = latencies();
  if (values.includes(null)) return [state.running ? "How much faster?" : "Same points, less work", nextStep()];
  const [same, detail] = sameness();
  const words = factorWords(...values, (x) => `${x} faster${same}`, (x) => `${x} slower${same}`, `As fast${same}`);
  if (isOwn) return [words, `Measured on your picture. On the example photo ${detail}`];
  return [words, same ? `Measured on the example photo. ${nextStep()}` : `On the example photo; ${detail} ${nextStep()}`];
}

// What the visitor can do to have both forms measured on the own picture.
function nextStep() {
  if (!state.running) return "Start the camera to see it on your face.";
  if (lastOf(mode()).ms === null) return `Your picture: ${fresh.ms.length} of ${ENOUGH} frames.`;
  return "Move the switch to measure both on your picture.";
}

function fairText() {
  if (!hasSwitch()) return "";
  const runtime = titles[foldedMode()];
  if (foldedMode() === "reparameterized") return "Both run in PyTorch, so the factor is that of folding alone.";
  const where = foldedMode() === "browser" ? "on your device" : `in ${runtime}`;
  const { ms: alone } = onExample("reparameterized");
  if (alone && foldedMode() !== "browser")
    return `Folding alone makes it ${times(alone[0] / alone[1])} faster; the rest is ${runtime} in place of PyTorch.`;
  return `Train-time runs in PyTorch, re-parameterized ${where}: the factor is of folding and runtime together.`;
}

// A factor at the beginning stands out.
function writeFactor(title) {
  const [, factor, words] = title.match(/^(\S+×)?(.*)$/);
  find(".pf-factor b").replaceChildren(...(factor ? [Object.assign(document.createElement("em"), { textContent: factor })] : []), words);
}

// The face of the example, while the camera is off.
function showExample() {
  const { faces = [[]] } = onExample(foldedMode());
  showPoster([mode() === "train-time" ? faces[0] : faces[faces.length - 1]], (picture, [found]) => draw(canvases[0], picture, found, own));
}

function writeCard() {
  const { parameters = [], macs = [] } = facts[own.network] || {};
  const shown = latencies().values;
  const slowest = Math.max(...shown.map((value) => value || 0));
  const active = mode() === "train-time" ? 0 : 1;
  both().map(lastOf).forEach(({ fps }, side) => {
    const latency = shown[side];
    const absent = side === 0 && !hasSwitch();
    fill(`parameters-${side}`, absent ? "–" : million(parameters[side]));
    fill(`macs-${side}`, absent ? "–" : million(macs[side]));
    fill(`latency-${side}`, ms(latency));
    fill(`fps-${side}`, fps === null ? "–" : fps.toFixed(fps < 10 ? 1 : 0));
    fill(`runtime-${side}`, side === 0 ? (absent ? "–" : "PyTorch") : titles[foldedMode()]);
    find(`[data-bar="${side}"]`).style.width = slowest && latency ? `${(100 * latency) / slowest}%` : "0";
    findAll(`[data-side="${side}"]`).forEach((cell) => cell.classList.toggle("pf-active", side === active));
  });
  const [title, detail] = factorTexts();
  if (find(".pf-factor b").textContent !== title) writeFactor(title);
  if (find(".pf-factor span").textContent !== detail) find(".pf-factor span").textContent = detail;
  find(".pf-fair span").textContent = fairText();
  const fair = find(".pf-fair button");
  const other = foldedMode() === "reparameterized" ? runtimes().find((name) => name !== "reparameterized") : "reparameterized";
  fair.hidden = !hasSwitch() || !runtimes().includes(other);
  fair.dataset.runtime = other;
  fair.textContent = other === "reparameterized" ? "Use PyTorch for both" : `Use ${titles[other]}`;
  find(".pf-frames").hidden = [0, 1].every((side) => find(`[data-cell="fps-${side}"]`).textContent === "–");
  if (!state.running) showExample();
}

function writeControls() {
  const list = find(".pf-network");
  list.value = own.network;
  find(".pf-runtime").replaceChildren(...runtimes().map((name) => new Option(titles[name], name, false, name === foldedMode())));
  find(".pf-switch").disabled = !hasSwitch();
  findAll(".pf-switch input").forEach((input) => (input.checked = (input.value === "train-time") === (mode() === "train-time")));
  find(".pf-switch small").textContent = hasSwitch() ? "" : "no branches to fold";
  root.classList.toggle("pf-folded", mode() !== "train-time");
  findAll("[data-own]").forEach((input) => {
    if (input.type === "checkbox") input.checked = own[input.dataset.own];
    else input.value = own[input.dataset.own];
  });
  findAll("[data-show]").forEach((input) => (input.checked = own.show.includes(input.dataset.show)));
}

// Settings that frames are looked at with changed, or only those of drawing.
function change(changes, drawing = false) {
  const before = { network: own.network, mode: mode() };
  Object.assign(own, changes);
  const { network, runtime, folded, ...rest } = own;
  store.set("live", { ...rest, runtime, folded });
  if (before.network !== network) store.set("network", network);
  if (before.mode !== mode()) store.set("mode", mode());
  writeControls();
  if (!drawing) {
    settingsChanged();
    startMeasuring(fresh ? fresh.key.split("/").pop() : 1);
    ["network", "jitter", "yaw", "pitch", "roll"].forEach((name) => put(name, "–", ""));
    loadFacts();
  }
  writeCard();
}

// A network and one of its modes, as links and other tabs name them.
function choose(network, chosen) {
  const known = props.networks[network] ? network : own.network;
  const changes = { network: known };
  if (chosen === "train-time") changes.folded = false;
  else if (chosen in titles) Object.assign(changes, { folded: true, runtime: chosen });
  change(changes);
}

function connectControls() {
  findAll(".pf-switch input").forEach((input) =>
    input.addEventListener("change", () => {
      root.classList.remove("pf-untouched");
      change({ folded: input.value !== "train-time" });
    }),
  );
  find(".pf-network").addEventListener("change", (event) => change({ network: event.target.value }));
  find(".pf-runtime").addEventListener("change", (event) => change({ runtime: event.target.value, folded: true }));
  find(".pf-fair button").addEventListener("click", (event) => change({ runtime: event.target.dataset.runtime, folded: true }));
  findAll("[data-preset]").forEach((button) => button.addEventListener("click", () => choose(...props.presets[button.dataset.preset])));
  findAll("[data-own]").forEach((input) =>
    input.addEventListener("change", async () => {
      const value = input.type === "checkbox" ? input.checked : input.dataset.text ? input.value : Number(input.value);
      change({ [input.dataset.own]: value }, "drawing" in input.dataset);
      if ("restart" in input.dataset) await restart();
    }),
  );
  findAll("[data-show]").forEach((input) =>
    input.addEventListener("change", () => change({ show: findAll("[data-show]:checked").map((chosen) => chosen.dataset.show) }, true)),
  );
  window.addEventListener("pfld-browser-runtime", () => change({}));
}

const view = {
  asked: () => ({ network: own.network, mode: mode(), smoothing: own.smoothing, max_faces: own.max_faces }),
  camera: () => ({ camera: own.camera, side: own.side }),
  inBrowser: () => mode() === "browser",
  write: writeCard,
  loadFacts,
  paint: (picture, answer) => draw(canvases[0], picture, answer.faces, own),
  took(answer, count) {
    if (!count) return;
    take("network", answer.network_ms);
    if (fresh.key !== keyOf(mode(), count)) startMeasuring(count);
    fresh.ms.push(answer.network_ms);
    fresh.shownAt.push(performance.now());
    if (fresh.ms.length > KEPT) fresh.ms.shift();
    if (fresh.shownAt.length > 60) fresh.shownAt.shift();
    if (fresh.ms.length >= ENOUGH) measured[fresh.key] = fresh;
  },
  read(answer) {
    put("network", ms(quantile(series.network, 0.5)), `p95 ${ms(quantile(series.network, 0.95))}`);
    put("jitter", answer.faces.length ? `${(100 * answer.jitter).toFixed(2)} %` : "–");
    const pose = (answer.faces.length && answer.faces[0].pose) || [];
    ["yaw", "pitch", "roll"].forEach((name, axis) => put(name, axis in pose ? signed(pose[axis]) : "–"));
    writeCard();
    drawTrace(mode() === "train-time" ? 0 : 1);
  },
  begin() {
    connectControls();
    startMeasuring(1);
    choose(store.get("network", own.network), store.get("mode", ""));
  },
};
