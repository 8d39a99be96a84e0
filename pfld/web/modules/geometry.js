// Points, boxes and FaceCrop, the square that a network sees; as pfld/geometry.py has them.
// Points are flat: x, y, x, y, ... in pixels of the picture; pixel i covers i to i + 1.

export const EYE_DISTANCE_PER_SPREAD = 1.56; // as in pfld/runtime/face.py

export class FaceCrop {
  /** A square about x, y with that side; its x axis turned by the angle, in radians, clockwise on screen. */
  constructor(x, y, side, angle = 0) {
    if (![x, y, side, angle].every(Number.isFinite) || side <= 0) throw new RangeError("a crop needs finite numbers and a positive side");
    Object.assign(this, { x, y, side, angle });
  }

  /** The square `scale` times the longer side of the points' box, which is measured along the turned axes. */
  static around(points, scale, angle = 0) {
    const cos = Math.cos(angle), sin = Math.sin(angle);
    const turned = new Float64Array(points.length);
    for (let i = 0; i < points.length; i += 2) {
      turned[i] = cos * points[i] + sin * points[i + 1];
      turned[i + 1] = cos * points[i + 1] - sin * points[i];
    }
    const [x0, y0, x1, y1] = boxOf(turned);
    const x = (x0 + x1) / 2, y = (y0 + y1) / 2;
    return new FaceCrop(cos * x - sin * y, sin * x + cos * y, Math.max(x1 - x0, y1 - y0) * scale, angle);
  }

  /** Points in fractions of the crop as pixels of the picture. */
  toImage(fractions) {
    const cos = Math.cos(this.angle) * this.side, sin = Math.sin(this.angle) * this.side;
    const points = new Float64Array(fractions.length);
    for (let i = 0; i < fractions.length; i += 2) {
      const x = fractions[i] - 0.5, y = fractions[i + 1] - 0.5;
      points[i] = this.x + cos * x - sin * y;
      points[i + 1] = this.y + sin * x + cos * y;
    }
    return points;
  }

  /** The crop's pixels as bytes, size x size x RGB; black where it reaches over the picture's edge. */
  extract(image, size) {
    const shrink = this.side / size;
    // Bilinear sampling skips pixels when it shrinks a lot, so average neighbourhoods first.
    const factor = shrink > 1.5 ? Math.floor(shrink) : 1;
    const source = factor > 1 ? this.#averaged(image, factor) : { ...plain(image), left: 0, top: 0 };
    const { data, width, height } = source;
    const cos = (Math.cos(this.angle) * shrink) / factor, sin = (Math.sin(this.angle) * shrink) / factor;
    const middleX = (this.x - source.left) / factor - 0.5, middleY = (this.y - source.top) / factor - 0.5;
    const pixels = new Uint8ClampedArray(size * size * 3);
    const half = (size - 1) / 2;
    for (let row = 0, to = 0; row < size; row += 1)
      for (let column = 0; column < size; column += 1, to += 3) {
        const x = middleX + cos * (column - half) - sin * (row - half);
        const y = middleY + sin * (column - half) + cos * (row - half);
        const left = Math.floor(x), top = Math.floor(y);
        if (left < -1 || top < -1 || left >= width || top >= height) continue;
        let red = 0, green = 0, blue = 0;
        for (let corner = 0; corner < 4; corner += 1) {
          const cornerX = left + (corner & 1), cornerY = top + (corner >> 1);
          if (cornerX < 0 || cornerY < 0 || cornerX >= width || cornerY >= height) continue;
          const weight = (1 - Math.abs(x - cornerX)) * (1 - Math.abs(y - cornerY));
          const from = 4 * (cornerY * width + cornerX);
          red += weight * data[from];
          green += weight * data[from + 1];
          blue += weight * data[from + 2];
        }
        pixels[to] = red;
        pixels[to + 1] = green;
        pixels[to + 2] = blue;
      }
    return pixels;
  }

  /** The crop's part of the picture, shrunk by averaging, and where it begins; as RGBA. */
  #averaged(image, factor) {
    const reach = this.side * Math.SQRT1_2 + 2 * factor;
    const [left, right] = clipped(this.x - reach, this.x + reach, image.width);
    const [top, bottom] = clipped(this.y - reach, this.y + reach, image.height);
    const width = Math.ceil((right - left) / factor), height = Math.ceil((bottom - top) / factor);
    const data = new Uint8ClampedArray(4 * width * height);
    const row = new Float64Array(4 * width);
    for (let y = 0; y < height; y += 1) {
      row.fill(0);
      for (let part = 0; part < factor; part += 1) {
        const sourceY = Math.min(top + y * factor + part, bottom - 1);
        for (let x = 0; x < width * factor; x += 1) {
          const from = 4 * (sourceY * image.width + Math.min(left + x, right - 1));
          const to = 4 * Math.floor(x / factor);
          row[to] += image.data[from];
          row[to + 1] += image.data[from + 1];
          row[to + 2] += image.data[from + 2];
        }
      }
      for (let i = 0; i < row.length; i += 1) data[4 * width * y + i] = row[i] / (factor * factor);
    }
    return { data, width, height, left, top };
  }
}

const plain = ({ data, width, height }) => ({ data, width, height });

function clipped(low, high, size) {
  const start = Math.min(Math.max(Math.trunc(low), 0), size - 1);
  return [start, Math.min(Math.max(Math.ceil(high), start + 1), size)];
}

/** The points' box: x0, y0, x1, y1. */
export function boxOf(points) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    box[0] = Math.min(box[0], points[i]);
    box[1] = Math.min(box[1], points[i + 1]);
    box[2] = Math.max(box[2], points[i]);
    box[3] = Math.max(box[3], points[i + 1]);
  }
  return box;
}

/** The points' mean: x, y. */
export function centerOf(points) {
  let x = 0, y = 0;
  for (let i = 0; i < points.length; i += 2) {
    x += points[i];
    y += points[i + 1];
  }
  return [(2 * x) / points.length, (2 * y) / points.length];
}

/** The longer side of the points' box. */
export function sizeOf(points) {
  const [x0, y0, x1, y1] = boxOf(points);
  return Math.max(x1 - x0, y1 - y0);
}

/** The size of a face: about the distance of its outer eye corners, taken from the points' spread. */
export function faceSize(points) {
  const [middleX, middleY] = centerOf(points);
  let squares = 0;
  for (let i = 0; i < points.length; i += 2) squares += (points[i] - middleX) ** 2 + (points[i + 1] - middleY) ** 2;
  return EYE_DISTANCE_PER_SPREAD * Math.sqrt((2 * squares) / points.length);
}

function sharedArea(first, second) {
  const width = Math.min(first[2], second[2]) - Math.max(first[0], second[0]);
  const height = Math.min(first[3], second[3]) - Math.max(first[1], second[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

const areaOf = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** The shared area of two boxes over the area of both together. */
export function unionOverlap(first, second) {
  const shared = sharedArea(first, second);
  return shared / Math.max(areaOf(first) + areaOf(second) - shared, 1e-12);
}

/** The shared area of two boxes over the area of the smaller: 1 if one contains the other. */
export function overlap(first, second) {
  return sharedArea(first, second) / Math.max(Math.min(areaOf(first), areaOf(second)), 1e-12);
}
