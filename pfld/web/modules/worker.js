// Worker: keeps the networks and the tracker, so that the page stays smooth while they compute.

import { FaceDetector } from "./detector.js";
import { boxOf, faceSize, sizeOf } from "./geometry.js";
import { JitterMeter } from "./jitter.js";
import { Landmarker } from "./landmarker.js";
import { headPose } from "./pose.js";
import { FaceTracker } from "./tracker.js";

const MODELS = new URL("../models/", import.meta.url);
const SURE = 0.03, UNSURE = 0.12; // expected errors, in face sizes, at which a point is certain, and not at all

const meter = new JitterMeter();
const landmarkers = new Map(); // by file
let detector = null;
let tracker = null;
let measured = "";

const requests = {
  /** The faces in the next frame of a camera. */
  async locate(image, { file, timeS, maxFaces, smoothing }) {
    const landmarker = await landmarkerOf(file);
    if (tracker?.landmarker !== landmarker) tracker = new FaceTracker(landmarker, await detectorOnce());
    const { faces, ...times } = await timed(landmarker, () => tracker.next(image, timeS, { maxFaces, smoothing }));
    const key = faces.length ? `${file} ${faces[0].id} ${smoothing}` : "";
    if (key !== measured) meter.reset();
    measured = key;
    const jitter = faces.length ? meter.add(faces[0].points, timeS) : 0;
    return { faces: faces.map(asAnswer), jitter, ...times };
  },

  /** The faces in a still. */
  async still(image, { file }) {
    const landmarker = await landmarkerOf(file);
    const found = await detectorOnce();
    const { faces, ...times } = await timed(landmarker, () => landmarker.still(image, found));
    faces.sort((a, b) => sizeOf(b.points) - sizeOf(a.points));
    return { faces: faces.map(asAnswer), ...times };
  },
};

async function timed(landmarker, work) {
  landmarker.spentMs = 0;
  const start = performance.now();
  const faces = await work();
  return { faces, network_ms: landmarker.spentMs, browser_ms: performance.now() - start };
}

/** Loads once; a load that failed is tried again at the next request. */
function landmarkerOf(file) {
  if (!landmarkers.has(file)) {
    const loading = Landmarker.load(new URL(file, MODELS));
    landmarkers.set(file, loading);
    loading.catch(() => landmarkers.delete(file));
  }
  return landmarkers.get(file);
}

function detectorOnce() {
  if (!detector) {
    detector = FaceDetector.load(new URL("face_detection_short_range.onnx", MODELS));
    detector.catch(() => (detector = null));
  }
  return detector;
}

/** A face in the form in which the app's server answers. */
function asAnswer({ id, points, quality, uncertainty }) {
  const size = Math.max(faceSize(points), 1e-6);
  const sureness = uncertainty && Array.from(uncertainty, (error) => Math.min(1, Math.max(0, (UNSURE - error / size) / (UNSURE - SURE))));
  const { pose = null, axes = null } = headPose(points) ?? {};
  return { points: [...points], box: boxOf(points), id, quality, sureness, axes, pose };
}

// One request at a time, in the order they came.
let queue = Promise.resolve();
self.addEventListener("message", ({ data: { number, kind, image, settings } }) => {
  queue = queue.then(async () => {
    try {
      self.postMessage({ number, answer: await requests[kind](image, settings) });
    } catch (error) {
      self.postMessage({ number, error: String(error?.message ?? error) });
    }
  });
});
