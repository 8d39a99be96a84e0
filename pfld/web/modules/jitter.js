// JitterMeter: how much the points of one face flicker, in face sizes; as pfld/tracking/jitter.py.

import { faceSize } from "./geometry.js";

const FRAMES = 60; // of which the mean is taken: two seconds
const UNEVEN = 0.15; // part of the longer one by which two time steps may differ

export class JitterMeter {
  #last = [];
  #squares = [];

  reset() {
    this.#last = [];
    this.#squares = [];
  }

  /** Takes in a frame's points; returns the flicker of the last frames, 0 before the third. */
  add(points, timeS) {
    this.#last = [...this.#last, { points, timeS }].slice(-3);
    const [first, second, third] = this.#last;
    if (third && isEven(second.timeS - first.timeS, third.timeS - second.timeS)) {
      const broken = third.points.map((value, i) => value - 2 * second.points[i] + first.points[i]);
      const squares = broken.reduce((sum, value) => sum + value * value, 0) / (points.length / 2);
      this.#squares = [...this.#squares, squares / (3 * faceSize(second.points) ** 2)].slice(-FRAMES);
    }
    return this.#squares.length ? Math.sqrt(this.#squares.reduce((sum, value) => sum + value, 0) / this.#squares.length) : 0;
  }
}

function isEven(...steps) {
  return Math.min(...steps) > (1 - UNEVEN) * Math.max(...steps) && Math.max(...steps) > 0;
}
