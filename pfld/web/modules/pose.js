// Head pose: yaw, pitch and roll of an averaged head fitted to the points, seen by a pinhole camera.
// The head, its rigid points, the camera and the signs are those of pfld/head/pose.py.

import { solved } from "./equations.js";
import { HEAD } from "./facts.js";
import { boxOf, faceSize } from "./geometry.js";

// Points that expressions hardly move and that stay in one place on a turning head.
const RIGID = [51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 64, 68, 72];
const NOSE_TIP = 54;
const FOCAL_LENGTH = 6; // x longer side of the points' box
const ROUNDS = 8;
const AXIS_LENGTH = 0.9; // x face size

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const times = (matrix, vector) => matrix.map((row) => dot(row, vector));

const middle = [0, 1, 2].map((axis) => RIGID.reduce((sum, i) => sum + HEAD[i][axis], 0) / RIGID.length);
const head = RIGID.map((i) => HEAD[i].map((value, axis) => value - middle[axis]));
const inverse = invert([0, 1, 2].map((row) => [0, 1, 2].map((column) => dot(head.map((p) => p[row]), head.map((p) => p[column])))));

/** Inverse of a 3 x 3 matrix. */
function invert([a, b, c]) {
  const determinant = dot(a, cross(b, c));
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  return [0, 1, 2].map((row) => columns.map((column) => column[row] / determinant));
}

/** Pose in degrees and the head's axes as lines x0, y0, x1, y1; null for points that show no pose. */
export function headPose(points) {
  const [x0, y0, x1, y1] = boxOf(points);
  const side = Math.max(x1 - x0, y1 - y0);
  // The camera looks at the middle of the box; lengths are in its longer sides.
  const image = RIGID.map((i) => [(points[2 * i] - (x0 + x1) / 2) / side, (points[2 * i + 1] - (y0 + y1) / 2) / side]);
  const start = fromFarAway(image);
  if (!start) return null;
  const rotation = refined(image, ...start);
  const pose = [
    Math.atan2(rotation[2][0], rotation[2][2]),
    Math.asin(Math.min(1, Math.max(-1, -rotation[2][1]))),
    Math.atan2(-rotation[0][1], rotation[1][1]),
  ].map((angle) => (180 / Math.PI) * angle);
  const length = AXIS_LENGTH * faceSize(points);
  const [x, y] = [points[2 * NOSE_TIP], points[2 * NOSE_TIP + 1]];
  // The head's y points down and its z into the head.
  const lines = [1, -1, -1].map((sign, axis) => [x, y, x + sign * length * rotation[0][axis], y + sign * length * rotation[1][axis]]);
  return { pose, axes: lines };
}

/** Rotation, and the head's middle in camera axes, as seen from very far away; null if there is none. */
function fromFarAway(image) {
  const mean = [0, 1].map((axis) => image.reduce((sum, point) => sum + point[axis], 0) / image.length);
  const rows = mean.map((value, axis) =>
    times(inverse, [0, 1, 2].map((part) => image.reduce((sum, point, i) => sum + (point[axis] - value) * head[i][part], 0))));
  const axes = orthonormal(...rows);
  if (!axes) return null;
  const scale = (dot(axes[0], rows[0]) + dot(axes[1], rows[1])) / 2;
  return [[...axes, cross(...axes)], [...mean.map((value) => value / scale), FOCAL_LENGTH / scale]];
}

/** The rotation of least distances in the picture, by Gauss and Newton's method. */
function refined(image, rotation, place) {
  const start = rotation;
  for (let round = 0; round < ROUNDS; round += 1) {
    const normal = Array.from({ length: 6 }, () => new Float64Array(7)); // equations of a small turn and shift
    head.forEach((point, i) => {
      const turned = times(rotation, point);
      const [x, y, z] = turned.map((value, axis) => value + place[axis]);
      [[x, [1, 0, -x / z]], [y, [0, 1, -y / z]]].forEach(([value, along], axis) => {
        const slope = [...cross(turned, along), ...along].map((part) => (part * FOCAL_LENGTH) / z);
        const error = image[i][axis] - (FOCAL_LENGTH * value) / z;
        slope.forEach((part, row) => [...slope, error].forEach((other, column) => (normal[row][column] += part * other)));
      });
    });
    const step = solved(normal);
    rotation = turnedBy(rotation, step.slice(0, 3));
    place = place.map((value, axis) => value + step[3 + axis]);
  }
  return rotation.flat().every(Number.isFinite) ? rotation : start;
}

/** A rotation followed by one about a vector, by the vector's length in radians (Rodrigues' formula). */
function turnedBy(rotation, vector) {
  const angle = Math.hypot(...vector);
  if (!angle) return rotation;
  const axis = vector.map((value) => value / angle);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const columns = [0, 1, 2].map((column) => {
    const own = rotation.map((row) => row[column]);
    const side = cross(axis, own), along = dot(axis, own) * (1 - cos);
    return own.map((value, i) => cos * value + sin * side[i] + along * axis[i]);
  });
  return [0, 1, 2].map((row) => columns.map((column) => column[row]));
}

/** The two unit vectors at a right angle nearest to these two: the rows' polar decomposition. */
function orthonormal(first, second) {
  const [a, b, c] = [dot(first, first), dot(first, second), dot(second, second)];
  const root = Math.sqrt(a * c - b * b);
  if (!(root > 1e-6 * (a + c))) return null;
  // Inverse square root of the symmetric (a b; b c), in closed form.
  const scale = 1 / (root * Math.sqrt(a + c + 2 * root));
  const [p, q, r] = [(c + root) * scale, -b * scale, (a + root) * scale];
  return [first.map((value, i) => p * value + q * second[i]), first.map((value, i) => q * value + r * second[i])];
}
