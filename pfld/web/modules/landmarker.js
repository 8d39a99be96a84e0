// Landmarker: the points of faces in crops, their uncertainty and quality; as pfld/runtime/landmarker.py.

import { HEAD, SCHEME } from "./facts.js";
import { FaceCrop, boxOf, centerOf, overlap } from "./geometry.js";
import { rollOf } from "./detector.js";
import { openSession, Tensor } from "./session.js";

// From a detector's box to the square around the landmarks: factor on the side, shift downwards in sides.
const BOX_SCALE = 1.16, BOX_SHIFT = 0.065;
// Quality: the doubt at which every other face has an error over 10 %, and the width of the transition.
const DOUBT = 0.028, DOUBT_WIDTH = 0.0045;
const EXPECTED_ERROR = 0.1, EXPECTED_ERROR_WIDTH = 0.25;
const LEAST_EYE_DISTANCE = 0.1;
// Scores from which a detection is a face: for certain, or if its landmarks have that quality.
const SURE = 0.65;
const LIKELY_QUALITY = 0.2;
const SAME_FACE = 0.5; // of the smaller face's box within the other

export const LIKELY = 0.5; // a detection with a lower score is no face

const COUNT = SCHEME.mirror.length;
const UPRIGHT = about(HEAD.flatMap(([x, y]) => [x, y]));

/** Points about their mean. */
function about(points) {
  const [x, y] = centerOf(points);
  return Float64Array.from(points, (value, i) => value - (i % 2 ? y : x));
}

/** A face: points and uncertainty in pixels (null for networks without), quality and score of 0 to 1. */
export class Landmarker {
  static async load(url) {
    const { session, metadata } = await openSession(url);
    return new Landmarker(session, metadata);
  }

  constructor(session, metadata) {
    if (metadata.interface !== "normalised-crops" || metadata.landmark_scheme !== "wflw-98")
      throw new Error("this ONNX file is not one of this project's networks");
    this.session = session;
    this.size = Number(metadata.input_size);
    this.scale = Number(metadata.crop_scale);
    this.order = metadata.channel_order === "bgr" ? [2, 1, 0] : [0, 1, 2];
    this.mean = JSON.parse(metadata.mean);
    this.std = JSON.parse(metadata.std);
    this.knowsUncertainty = session.outputNames.includes("uncertainty");
    this.spentMs = 0; // milliseconds the network has computed since this was last set to 0
  }

  /** Landmarks and uncertainty, in fractions of the crop, for crops of size x size x RGB bytes. */
  async predict(crops) {
    const plane = this.size * this.size;
    const batch = new Float32Array(crops.length * 3 * plane);
    crops.forEach((crop, index) => {
      this.order.forEach((from, channel) => {
        const scale = 1 / (255 * this.std[channel]), shift = this.mean[channel] / this.std[channel];
        const start = (3 * index + channel) * plane;
        for (let i = 0; i < plane; i += 1) batch[start + i] = crop[3 * i + from] * scale - shift;
      });
    });
    const start = performance.now();
    const result = await this.session.run({ crops: new Tensor("float32", batch, [crops.length, 3, this.size, this.size]) });
    this.spentMs += performance.now() - start;
    return crops.map((_, index) => ({
      landmarks: result.landmarks.data.slice(2 * COUNT * index, 2 * COUNT * (index + 1)),
      uncertainty: this.knowsUncertainty ? result.uncertainty.data.slice(COUNT * index, COUNT * (index + 1)) : null,
    }));
  }

  /**
   * Points, uncertainty and quality of the faces in crops.
   * Without `rate`, quality is null for networks that need a second prediction for it.
   * With `average`, points are averaged with those of the mirrored crop.
   */
  async locate(image, crops, { rate = true, average = false } = {}) {
    if (!crops.length) return [];
    const pixels = crops.map((crop) => crop.extract(image, this.size));
    const twice = average || (rate && !this.knowsUncertainty);
    const found = await this.predict(twice ? [...pixels, ...pixels.map((crop) => mirroredPixels(crop, this.size))] : pixels);
    return crops.map((crop, index) => {
      const own = found[index];
      const other = twice ? mirroredPoints(found[crops.length + index]) : null;
      const landmarks = average ? own.landmarks.map((value, i) => (value + other.landmarks[i]) / 2) : own.landmarks;
      const uncertainty = own.uncertainty && own.uncertainty.map((value, i) => (other ? (value + other.uncertainty[i]) / 2 : value));
      return {
        points: crop.toImage(landmarks),
        uncertainty: uncertainty && uncertainty.map((value) => value * crop.side),
        quality: qualityOf(own, other, uncertainty),
      };
    });
  }

  /** The first crop for a detected face, turned by its eyes. */
  cropOf(detected) {
    const [x0, y0, x1, y1] = detected.box;
    const turned = new FaceCrop((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, rollOf(detected));
    const [x, y] = turned.toImage([0.5, 0.5 + BOX_SHIFT]);
    return new FaceCrop(x, y, turned.side * BOX_SCALE, turned.angle);
  }

  /** The crop for a face that had these points, turned with the face. */
  cropAround(points) {
    return FaceCrop.around(points, this.scale, uprightTurn(points));
  }

  /** The faces in a still: each is looked at twice, the second time mirrored as well. */
  async still(image, detector) {
    const detected = await detector.search(image, LIKELY);
    const first = await this.locate(image, detected.map((face) => this.cropOf(face)), { rate: false });
    const crops = first.map(({ points }) => this.cropAround(points));
    const faces = (await this.locate(image, crops, { average: true }))
      .map((face, index) => ({ ...face, score: detected[index].score, id: null }))
      .filter((face) => this.believes(face));
    const kept = [];
    for (const face of faces.sort((a, b) => b.quality + b.score - a.quality - a.score))
      if (kept.every((better) => overlap(boxOf(better.points), boxOf(face.points)) < SAME_FACE)) kept.push(face);
    return kept;
  }

  /** Whether a detection is a face, by the detector's score and the landmarks' quality. */
  believes({ score, quality }) {
    return !this.knowsUncertainty || score >= SURE || quality >= LIKELY_QUALITY;
  }
}

/** The angle that turns an upright face nearest to these points: radians, clockwise on screen. */
function uprightTurn(points) {
  const centered = about(points);
  let along = 0, across = 0;
  for (let i = 0; i < centered.length; i += 2) {
    along += UPRIGHT[i] * centered[i] + UPRIGHT[i + 1] * centered[i + 1];
    across += UPRIGHT[i] * centered[i + 1] - UPRIGHT[i + 1] * centered[i];
  }
  return Math.atan2(across, along);
}

function mirroredPixels(crop, size) {
  const mirrored = new Uint8ClampedArray(crop.length);
  for (let row = 0; row < size; row += 1)
    for (let column = 0; column < size; column += 1)
      for (let channel = 0; channel < 3; channel += 1)
        mirrored[3 * (row * size + column) + channel] = crop[3 * (row * size + size - 1 - column) + channel];
  return mirrored;
}

/** What was predicted for a mirrored crop, as of the crop itself. */
function mirroredPoints({ landmarks, uncertainty }) {
  const points = new Float32Array(landmarks.length);
  SCHEME.mirror.forEach((from, to) => {
    points[2 * to] = 1 - landmarks[2 * from];
    points[2 * to + 1] = landmarks[2 * from + 1];
  });
  return { landmarks: points, uncertainty: uncertainty && Float32Array.from(SCHEME.mirror, (from) => uncertainty[from]) };
}

/** The probability of an error under 10 % of the distance of the outer eye corners; null if unknown. */
function qualityOf(own, other, uncertainty) {
  const likelihood = (doubt) => 1 / (1 + Math.exp(Math.min(doubt, 50)));
  const points = own.landmarks;
  if (uncertainty) {
    const [left, right] = SCHEME.outerEyeCorners;
    const [x0, y0, x1, y1] = boxOf(points);
    const eyes = Math.hypot(points[2 * left] - points[2 * right], points[2 * left + 1] - points[2 * right + 1]);
    const distance = Math.max(eyes, LEAST_EYE_DISTANCE * Math.max(x1 - x0, y1 - y0), 1e-6);
    const expected = uncertainty.reduce((sum, value) => sum + value, 0) / COUNT / distance;
    return likelihood(Math.log(expected / EXPECTED_ERROR) / EXPECTED_ERROR_WIDTH);
  }
  if (!other) return null;
  let apart = 0;
  for (let i = 0; i < points.length; i += 2) apart += Math.hypot(points[i] - other.landmarks[i], points[i + 1] - other.landmarks[i + 1]);
  return likelihood((apart / COUNT - DOUBT) / DOUBT_WIDTH);
}
