// Draws faces on a canvas, as pfld/draw.py does in Python.

import { SCHEME } from "./facts.js";
import { faceSize } from "./geometry.js";

/**
 * Draws faces, the first in front.
 * `shown` is a set of "contours", "points", "boxes", "axes"; with `mirrored`, x counts from the right.
 */
export function drawFaces(context, faces, shown, mirrored = false) {
  const at = (x) => (mirrored ? context.canvas.width - x : x);
  context.lineJoin = context.lineCap = "round";
  for (const face of [...faces].reverse()) drawFace(context, face, shown, at);
}

function drawFace(context, { points, box, axes }, shown, at) {
  const size = faceSize(points);
  const thin = Math.max(1, size / 70);
  const place = (i) => [at(points[2 * i]), points[2 * i + 1]];
  const stroke = (path, color, width) => {
    context.strokeStyle = SCHEME.rim; // so that lines stand out from light skin
    context.lineWidth = width + 2;
    context.stroke(path);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  };
  if (shown.has("boxes")) {
    const path = new Path2D();
    path.rect(Math.min(at(box[0]), at(box[2])), box[1], box[2] - box[0], box[3] - box[1]);
    stroke(path, "#fff", thin);
  }
  if (shown.has("contours"))
    for (const [color, indices, closed] of SCHEME.curves) {
      const path = new Path2D();
      indices.forEach((index) => path.lineTo(...place(index)));
      if (closed) path.closePath();
      stroke(path, color, thin);
    }
  if (shown.has("points"))
    for (const [color, indices] of SCHEME.groups) {
      const path = new Path2D();
      const radius = Math.max(1.2, size / 56);
      for (const index of indices) {
        const [x, y] = place(index);
        path.moveTo(x + radius, y);
        path.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.strokeStyle = SCHEME.rim;
      context.lineWidth = 1.5;
      context.stroke(path);
      context.fillStyle = color;
      context.fill(path);
    }
  if (shown.has("axes") && axes)
    axes.forEach(([x0, y0, x1, y1], axis) => {
      const path = new Path2D();
      path.moveTo(at(x0), y0);
      path.lineTo(at(x1), y1);
      stroke(path, SCHEME.axes[axis], 1.7 * thin);
    });
}
