// Draws frames and faces on the canvas, as pfld.draw does in Python; part of live.js.

const curves = props.curves; // per number of points: [color, indices, closed]
const groups = props.groups; // per number of points: [color, indices]
const mesh = props.mesh; // per number of points: pairs of points that an edge joins
const RIM = props.drawing.rim;
const AXIS_COLORS = props.drawing.axes;

const MESH_COLOR = "rgb(200 240 255 / 75%)";

function fitTo(canvas, width, height) {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
  if (canvas === canvases[0]) root.style.setProperty("--pf-ratio", width / height);
}

// Draws the picture and its faces. options: show, a list of what is drawn, and width, a factor of lines.
function draw(canvas, picture, faces, options) {
  const { width, height } = picture;
  fitTo(canvas, width, height);
  const context = canvas.getContext("2d");
  const flip = mirror.checked;
  context.setTransform(flip ? -1 : 1, 0, 0, 1, flip ? width : 0, 0);
  context.drawImage(picture, 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  const wanted = new Set(options.show || []);
  context.lineJoin = context.lineCap = "round";
  for (const face of [...faces].reverse()) drawFace(context, face, wanted, (x) => (flip ? width - x : x), options.width || 1);
}

function drawFace(context, face, wanted, at, factor) {
  const points = [];
  for (let i = 0; i < face.points.length; i += 2) points.push([at(face.points[i]), face.points[i + 1]]);
  const count = points.length;
  const middle = points.reduce((sum, [x, y]) => [sum[0] + x / count, sum[1] + y / count], [0, 0]);
  const spread = points.reduce((sum, [x, y]) => sum + (x - middle[0]) ** 2 + (y - middle[1]) ** 2, 0) / count;
  const size = props.drawing.eye_distance_per_spread * Math.sqrt(spread); // about the distance of the outer eye corners
  const thin = factor * Math.max(1, size / 70);
  const stroke = (path, color, width) => {
    context.strokeStyle = RIM;
    context.lineWidth = width + 2;
    context.stroke(path);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke(path);
  };
  if (wanted.has("boxes")) {
    const path = new Path2D();
    const [x0, y0, x1, y1] = face.box;
    path.rect(Math.min(at(x0), at(x1)), y0, x1 - x0, y1 - y0);
    stroke(path, "#fff", thin);
  }
  if (wanted.has("mesh")) {
    const path = new Path2D();
    for (const [start, end] of mesh[count] || []) {
      path.moveTo(...points[start]);
      path.lineTo(...points[end]);
    }
    context.strokeStyle = MESH_COLOR;
    context.lineWidth = 0.6 * thin;
    context.stroke(path);
  }
  const sureness = wanted.has("uncertainty") ? face.sureness : null;
  if (wanted.has("contours") && sureness)
    for (const [color, indices, closed] of curves[count] || [])
      indices.forEach((start, place) => {
        if (!closed && place === indices.length - 1) return;
        const end = indices[(place + 1) % indices.length];
        const path = new Path2D();
        path.moveTo(...points[start]);
        path.lineTo(...points[end]);
        context.strokeStyle = color;
        context.lineWidth = Math.max(0.5, (2 + thin) * (sureness[start] + sureness[end]) / 2);
        context.stroke(path);
      });
  else if (wanted.has("contours"))
    for (const [color, indices, closed] of curves[count] || []) {
      const path = new Path2D();
      indices.forEach((index) => path.lineTo(...points[index]));
      if (closed) path.closePath();
      stroke(path, color, thin);
    }
  if (wanted.has("points")) {
    const whole = factor * Math.max(1.2, size / 56);
    for (const [color, indices] of groups[count] || []) {
      const path = new Path2D();
      for (const index of indices) {
        const radius = whole * (sureness ? 0.35 + 0.65 * sureness[index] : 1);
        path.moveTo(points[index][0] + radius, points[index][1]);
        path.arc(...points[index], radius, 0, 2 * Math.PI);
      }
      context.strokeStyle = RIM;
      context.lineWidth = 1.5;
      context.stroke(path);
      context.fillStyle = color;
      context.fill(path);
    }
  }
  if (wanted.has("axes") && face.axes)
    face.axes.forEach(([x0, y0, x1, y1], axis) => {
      const path = new Path2D();
      path.moveTo(at(x0), y0);
      path.lineTo(at(x1), y1);
      stroke(path, AXIS_COLORS[axis], 1.7 * thin);
    });
  if (wanted.has("indices")) points.forEach(([x, y], index) => write(context, String(index), x + 2, y - 2, Math.max(6, size / 18)));
  if (wanted.has("labels")) {
    const number = face.id === null ? "" : `#${face.id} `;
    const left = Math.min(at(face.box[0]), at(face.box[2]));
    write(context, `${number}${Math.round(100 * face.quality)}%`, left, Math.max(14, face.box[1] - 6), 14);
  }
}

function write(context, text, x, y, height) {
  context.font = `600 ${height}px system-ui, sans-serif`;
  context.strokeStyle = RIM;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}
