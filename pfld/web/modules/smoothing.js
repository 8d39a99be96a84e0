// LandmarkSmoother: suppresses noise and follows motion at once; a simple form of pfld/tracking/smoothing.py.
// The offset of a frame from the smoothed points is split into a motion that all points share (shift and
// linear map) and a rest for each. Each part is followed slowly if it is as small as noise, and at once if it
// is larger. Noise is not measured, as it is in Python.
// Source: speed-dependent gain as in the 1 Euro filter (Casiez et al. 2012).

import { solved } from "./equations.js";
import { EYE_DISTANCE_PER_SPREAD, centerOf, faceSize } from "./geometry.js";

const FRAME_S = 1 / 30; // the frame interval that gains refer to
const REST_S = 0.4; // time constant for offsets as small as noise
const HOLD_S = 0.04; // time constant with which detected motion fades
const GAP_S = 0.5; // without a frame, after which smoothing starts anew
// Offsets that count as motion, in face sizes: four times a webcam's usual noise.
const SHARED_THRESHOLD = 0.0134, POINT_THRESHOLD = 0.0198;

export class LandmarkSmoother {
  #smooth = null;
  #timeS = 0;
  #shift = 0; // activity of the shift
  #turn = 0; // and of the linear map
  #rest = null; // activity of each point

  /** The smoothed points of one face's next frame. */
  next(points, timeS) {
    const size = faceSize(points);
    const passed = timeS - this.#timeS;
    if (!this.#smooth || Math.abs(passed) > GAP_S || !(size > 0)) {
      this.#smooth = Float64Array.from(points);
      this.#rest = new Float64Array(points.length / 2);
      this.#shift = this.#turn = 0;
    } else this.#follow(points, size, passed > 0 ? passed : FRAME_S);
    this.#timeS = timeS;
    return this.#smooth.slice();
  }

  #follow(points, size, seconds) {
    const offset = points.map((value, i) => value - this.#smooth[i]);
    const [middleX, middleY] = centerOf(this.#smooth);
    const unit = size / EYE_DISTANCE_PER_SPREAD;
    // A turn moves points as far as they are from the middle, which is about 1 here.
    const places = Array.from(this.#rest, (_, i) => [1, (this.#smooth[2 * i] - middleX) / unit, (this.#smooth[2 * i + 1] - middleY) / unit]);
    const motion = sharedMotion(offset, places, POINT_THRESHOLD * size);
    const hold = Math.exp(-seconds / HOLD_S);
    const activity = (parts) => (Math.hypot(...parts) / (SHARED_THRESHOLD * size)) ** 4;
    this.#shift = Math.max(activity([motion[0][0], motion[1][0]]), hold * this.#shift);
    this.#turn = Math.max(activity([...motion[0].slice(1), ...motion[1].slice(1)]), hold * this.#turn);
    const shift = gain(this.#shift, seconds), turn = gain(this.#turn, seconds);
    const followed = motion.map((parts) => [shift * parts[0], turn * parts[1], turn * parts[2]]);
    places.forEach((place, i) => {
      const rest = [0, 1].map((axis) => offset[2 * i + axis] - moved(motion[axis], place));
      this.#rest[i] = Math.max((Math.hypot(...rest) / (POINT_THRESHOLD * size)) ** 4, hold * this.#rest[i]);
      const part = gain(this.#rest[i], seconds);
      for (const axis of [0, 1]) this.#smooth[2 * i + axis] += moved(followed[axis], place) + part * rest[axis];
    });
  }
}

const moved = (parts, place) => parts[0] + parts[1] * place[1] + parts[2] * place[2];

/** Shift and linear map, three numbers for each axis, that fit most offsets. */
function sharedMotion(offset, places, threshold) {
  // A robust fit in two rounds from the median: an opening mouth is no motion of the face.
  let motion = [0, 1].map((axis) => [median(offset.filter((_, i) => i % 2 === axis)), 0, 0]);
  for (let round = 0; round < 2; round += 1) {
    const rows = [0, 1].map(() => Array.from({ length: 3 }, (_, i) => Float64Array.of(0, 0, 0, 0).fill(1e-6, i, i + 1)));
    places.forEach((place, i) => {
      const rest = [0, 1].map((axis) => offset[2 * i + axis] - moved(motion[axis], place));
      const weight = 1 / (1 + (rest[0] ** 2 + rest[1] ** 2) / threshold ** 2);
      for (const axis of [0, 1])
        for (let row = 0; row < 3; row += 1) {
          for (let column = 0; column < 3; column += 1) rows[axis][row][column] += weight * place[row] * place[column];
          rows[axis][row][3] += weight * place[row] * offset[2 * i + axis];
        }
    });
    motion = rows.map(solved);
  }
  return motion;
}

/** The part of an offset, 0 to 1, that is corrected within a frame. */
function gain(activity, seconds) {
  return 1 - Math.exp(-seconds / REST_S) * (1 + activity) ** (-seconds / FRAME_S);
}

function median(values) {
  return values.sort()[values.length >> 1]; // typed arrays sort by number
}
