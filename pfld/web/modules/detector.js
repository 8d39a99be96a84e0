// FaceDetector: MediaPipe's short range model (BlazeFace), which pfld/runtime/models has as an ONNX file.

import { FaceCrop, overlap, unionOverlap } from "./geometry.js";
import { openSession, Tensor } from "./session.js";

const SIDE = 128; // pixels of the model's input
const PLACES = 16; // numbers for each anchor: box middle, box size, then six points; fractions of the input
const SAME_DETECTION = 0.3; // intersection over union; MediaPipe's threshold
const SAME_FACE = 0.5; // of the smaller box within the other
const SMALLEST_VIEW = 180; // pixels: five times the smallest face that is looked for
const VIEW_STRIDE = 0.65; // x view side; a face cut by a view is whole in its neighbour or a larger view
const CLOSE_LOOK = 3.5; // x box side
const LONGEST_SIDES = [1.5, 1, 0.5, 0.25]; // of views for stills, x the picture's longer side

/** What a detector returns: a square box from brows to chin, a score of 0 to 1, right and left eye as x, y, x, y. */
export class FaceDetector {
  static async load(url) {
    const { session } = await openSession(url);
    return new FaceDetector(session);
  }

  constructor(session) {
    this.session = session;
  }

  /** Faces in a camera's picture: those from about a fifth of the view on; the largest first. */
  async glance(image, minScore) {
    const whole = new FaceCrop(image.width / 2, image.height / 2, Math.max(image.width, image.height));
    return largestFirst(united(await this.#look(image, whole, minScore)));
  }

  /** Faces in a still, small ones too; the largest first. */
  async search(image, minScore) {
    const seen = [];
    for (const view of views(image)) seen.push(...(await this.#look(image, view, minScore)));
    const faces = [];
    for (const face of united(seen)) faces.push(await this.#closer(image, face, minScore));
    return largestFirst(united(faces));
  }

  /** The face again in a closer, upright view, which places box and eyes better. */
  async #closer(image, face, minScore) {
    const [x0, y0, x1, y1] = face.box;
    const view = new FaceCrop((x0 + x1) / 2, (y0 + y1) / 2, CLOSE_LOOK * (x1 - x0), rollOf(face));
    const same = (await this.#look(image, view, minScore)).filter((other) => overlap(face.box, other.box) > 0.2);
    return same.reduce((best, other) => (other.score > best.score ? other : best), face);
  }

  async #look(image, view, minScore) {
    const pixels = new Uint8Array(view.extract(image, SIDE).buffer);
    const result = await this.session.run({ pictures_rgb: new Tensor("uint8", pixels, [1, SIDE, SIDE, 3]) });
    return weighted(result.scores.data, result.places.data, minScore).map(({ score, places }) => {
      const [x, y] = view.toImage(places.subarray(0, 2));
      const half = (view.side * (places[2] + places[3])) / 4;
      return { box: [x - half, y - half, x + half, y + half], score, eyes: [...view.toImage(places.subarray(4, 8))] };
    });
  }
}

/** By how much the head is turned: radians, clockwise as seen on screen. */
export function rollOf({ eyes: [x0, y0, x1, y1] }) {
  return Math.atan2(y1 - y0, x1 - x0);
}

/** Of detections that overlap, their mean, weighted by scores: MediaPipe's non-maximum suppression. */
function weighted(scores, places, minScore) {
  const boxAt = (index) => {
    const [x, y, width, height] = places.subarray(PLACES * index, PLACES * index + 4);
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
  };
  let rest = [...scores.keys()].filter((index) => scores[index] >= minScore).sort((a, b) => scores[b] - scores[a]);
  const found = [];
  while (rest.length) {
    const best = rest[0];
    const same = rest.filter((index) => index === best || unionOverlap(boxAt(best), boxAt(index)) > SAME_DETECTION);
    rest = rest.filter((index) => !same.includes(index));
    const mean = new Float64Array(PLACES);
    const total = same.reduce((sum, index) => sum + scores[index], 0);
    for (const index of same) for (let i = 0; i < PLACES; i += 1) mean[i] += (scores[index] / total) * places[PLACES * index + i];
    if (mean[2] > 0 && mean[3] > 0) found.push({ score: scores[best], places: mean });
  }
  return found;
}

/** Of faces that overlap, the one with the highest score. */
function united(faces) {
  const kept = [];
  for (const face of [...faces].sort((a, b) => b.score - a.score))
    if (kept.every((other) => overlap(face.box, other.box) < SAME_FACE)) kept.push(face);
  return kept;
}

const largestFirst = (faces) => faces.sort((a, b) => b.box[2] - b.box[0] - (a.box[2] - a.box[0]));

/** Squares of every scale, so that each face has a good size in one of them. */
function views({ width, height }) {
  const longest = Math.max(width, height);
  const sides = LONGEST_SIDES.map((part) => part * longest).filter((side) => side >= Math.min(longest, SMALLEST_VIEW));
  return sides.flatMap((side) => middles(height, side).flatMap((y) => middles(width, side).map((x) => new FaceCrop(x, y, side))));
}

/** Middles of views that cover a length evenly. */
function middles(length, side) {
  if (length <= side) return [length / 2];
  const count = Math.ceil((length - side) / (side * VIEW_STRIDE)) + 1;
  return Array.from({ length: count }, (_, index) => side / 2 + (index * (length - side)) / (count - 1));
}
