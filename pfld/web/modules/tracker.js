// FaceTracker: follows faces by their last landmarks and detects only now and then; a simple form of pfld/tracking.

import { LIKELY } from "./landmarker.js";
import { boxOf, centerOf, sizeOf, unionOverlap } from "./geometry.js";
import { LandmarkSmoother } from "./smoothing.js";

const GAP_S = 1; // without a frame, after which tracking starts anew
const DETECT_EVERY_S = 0.5;
const RATE_EVERY = 3; // frames; rating may need a second prediction
const MIN_QUALITY = 0.3, SURE_QUALITY = 0.6;
const BAD_FRAMES = 3; // of low quality in a row, after which a face is lost
const BAD_S = 0.09; // of low quality, after which it is lost, where frames are rare
const UNCONFIRMED = 3; // detections in a row that miss a doubtful face, after which it is dropped
const SAME_OVERLAP = 0.5; // intersection over union of two boxes around one face
const MOTION_S = 0.1; // over which the velocity is averaged
const STEADY_S = 0.25; // time constant with which the velocity decays
// Of plausible landmarks; sizes are the longer side of the landmarks' box.
const MOST_LEAP = 0.6, MOST_GROWTH = 1.6, MOST_ASPECT = 3, LEAST_SIZE = 8, LEAST_INSIDE = 0.4;

class Track {
  constructor(id, face, score, timeS) {
    Object.assign(this, { id, score, timeS, badFrames: 0, unconfirmed: 0, velocity: [0, 0] });
    this.usualQuality = face.quality;
    this.smoother = new LandmarkSmoother();
    this.set(face);
  }

  set({ points, uncertainty, quality }) {
    Object.assign(this, { points, uncertainty, quality });
  }

  /** The points moved by the expected motion, at most by half the face's size. */
  expected(timeS) {
    const seconds = Math.max(timeS - this.timeS, 0);
    const factor = STEADY_S * (1 - Math.exp(-seconds / STEADY_S));
    const step = this.velocity.map((speed) => speed * factor);
    const shorten = Math.min(1, sizeOf(this.points) / 2 / Math.max(Math.hypot(...step), 1e-9));
    return this.points.map((value, i) => value + shorten * step[i % 2]);
  }

  /** Takes over a face that was located well. */
  take(face, timeS) {
    const seconds = timeS - this.timeS;
    if (seconds > 0) {
      const part = 1 - Math.exp(-seconds / MOTION_S);
      const [before, now] = [centerOf(this.points), centerOf(face.points)];
      this.velocity = this.velocity.map((speed, axis) => speed + part * ((now[axis] - before[axis]) / seconds - speed));
    }
    this.timeS = timeS;
    this.badFrames = 0;
    this.set(face);
  }

  /** The face as shown. */
  shown(timeS, smoothing) {
    const points = smoothing ? this.smoother.next(this.points, timeS) : this.points;
    if (!smoothing) this.smoother = new LandmarkSmoother();
    return { id: this.id, score: this.score, quality: this.quality, uncertainty: this.uncertainty, points };
  }
}

export class FaceTracker {
  #tracks = [];
  #lastId = 0;
  #frames = 0;
  #frameS = -Infinity;
  #detectedS = -Infinity;
  #size = "";

  constructor(landmarker, detector) {
    this.landmarker = landmarker;
    this.detector = detector;
  }

  /** The faces in the next frame of a camera, largest first, at most so many. */
  async next(image, timeS, { maxFaces, smoothing }) {
    const size = `${image.width} ${image.height}`;
    if (size !== this.#size || Math.abs(timeS - this.#frameS) > GAP_S) {
      this.#tracks = [];
      this.#detectedS = -Infinity;
    }
    const far = Math.abs(timeS - this.#frameS) > BAD_S;
    this.#size = size;
    this.#frameS = timeS;
    this.#frames += 1;
    this.#tracks.length = Math.min(this.#tracks.length, maxFaces);
    const lost = await this.#follow(image, timeS, far);
    const full = this.#tracks.length === maxFaces && this.#tracks.every((track) => track.usualQuality >= SURE_QUALITY);
    if (lost || !this.#tracks.length || (!full && timeS - this.#detectedS >= DETECT_EVERY_S)) await this.#search(image, timeS, maxFaces);
    return this.#tracks.map((track) => track.shown(timeS, smoothing)).sort((a, b) => sizeOf(b.points) - sizeOf(a.points));
  }

  /** Locates the known faces again, and rates them in any case where frames are far apart; returns whether one was lost. */
  async #follow(image, timeS, far) {
    const places = this.#tracks.map((track) => track.expected(timeS));
    const rate = far || this.#frames % RATE_EVERY === 0 || this.#tracks.some((track) => track.badFrames);
    const found = await this.landmarker.locate(image, places.map((place) => this.landmarker.cropAround(place)), { rate });
    this.#tracks.forEach((track, index) => {
      const face = { ...found[index], quality: found[index].quality ?? track.quality };
      track.usualQuality += 0.1 * (face.quality - track.usualQuality);
      if (!plausible(face.points, image, places[index])) track.badFrames = BAD_FRAMES;
      else if (face.quality < MIN_QUALITY) track.badFrames = Math.abs(timeS - track.timeS) > BAD_S ? BAD_FRAMES : track.badFrames + 1;
      else track.take(face, timeS);
    });
    const before = this.#tracks.length;
    this.#tracks = apart(this.#tracks.filter((track) => track.badFrames < BAD_FRAMES));
    return this.#tracks.length < before;
  }

  /** Detects faces: confirms the known ones and takes up new ones. */
  async #search(image, timeS, maxFaces) {
    this.#detectedS = timeS;
    const detected = await this.detector.glance(image, LIKELY);
    const rest = new Set(detected);
    for (const track of this.#tracks) {
      const same = [...rest].find((face) => isNear(track, face));
      if (same) {
        rest.delete(same);
        Object.assign(track, { score: same.score, unconfirmed: 0 });
      } else track.unconfirmed += 1;
    }
    this.#tracks = this.#tracks.filter((track) => track.unconfirmed < UNCONFIRMED || track.usualQuality >= SURE_QUALITY);
    const wanted = [...rest].slice(0, Math.max(maxFaces - this.#tracks.length, 0));
    for (const face of wanted) await this.#takeUp(image, face, timeS);
  }

  async #takeUp(image, detected, timeS) {
    // Twice, as crops around landmarks give better landmarks than a detector's box.
    const [first] = await this.landmarker.locate(image, [this.landmarker.cropOf(detected)], { rate: false });
    if (!plausible(first.points, image)) return;
    const [face] = await this.landmarker.locate(image, [this.landmarker.cropAround(first.points)]);
    if (face.quality < MIN_QUALITY || !plausible(face.points, image, first.points)) return;
    if (this.#tracks.some((track) => isSame(track.points, face.points))) return;
    this.#tracks.push(new Track(++this.#lastId, face, detected.score, timeS));
  }
}

const isSame = (first, second) => unionOverlap(boxOf(first), boxOf(second)) >= SAME_OVERLAP;

/** The tracks without those that have come to follow the same face as an older one. */
function apart(tracks) {
  return tracks.filter((track, index) => tracks.slice(0, index).every((older) => !isSame(older.points, track.points)));
}

/** Whether a detected face can be the tracked one. A detector's box may leave out the chin or take in the hair. */
function isNear(track, { box: [x0, y0, x1, y1] }) {
  const [left, top, right, bottom] = boxOf(track.points);
  const size = Math.max(right - left, bottom - top), other = x1 - x0;
  const distance = Math.hypot((x0 + x1 - left - right) / 2, (y0 + y1 - top - bottom) / 2) / Math.max(size, other);
  return distance < 0.5 && other / size < 2.2 && size / other < 2.2;
}

/** Whether points can be a face in the picture, near where it was expected, if that is known. */
function plausible(points, { width, height }, expected) {
  const [x0, y0, x1, y1] = boxOf(points);
  const wide = x1 - x0, high = y1 - y0, size = Math.max(wide, high);
  if (!points.every(Number.isFinite) || size < LEAST_SIZE || Math.min(wide, high) * MOST_ASPECT < size) return false;
  let inside = 0;
  for (let i = 0; i < points.length; i += 2)
    inside += points[i] >= 0 && points[i] <= width && points[i + 1] >= 0 && points[i + 1] <= height;
  if ((2 * inside) / points.length < LEAST_INSIDE) return false;
  if (!expected) return true;
  const growth = size / sizeOf(expected);
  const [before, now] = [centerOf(expected), centerOf(points)];
  const leap = Math.hypot(now[0] - before[0], now[1] - before[1]);
  return growth > 1 / MOST_GROWTH && growth < MOST_GROWTH && leap < MOST_LEAP * sizeOf(expected);
}
