// In place of the camera: the example photo while it is off, and a view that moves over it; part of live.js.

const FILM_WIDTH = 640;
const FILM_HEIGHT = 480;
const FILM_RATE = 30; // frames/s
const FACE = [222, 121, 300]; // middle and width of the view, in pixels of the photo
const POSTER = [52, 0, 340]; // left, top and width of what is shown of the photo while the camera is off
let photo = null; // the promise of it

function drawFilm(context, image, seconds) {
  const phase = seconds * 1.3;
  const scale = FILM_WIDTH / (FACE[2] * (1 - 0.1 * Math.cos(phase)));
  context.setTransform(1, 0, 0, 1, FILM_WIDTH / 2, FILM_HEIGHT / 2);
  context.rotate(0.16 * Math.sin(phase + 0.6));
  context.scale(scale, scale);
  context.drawImage(image, -FACE[0] - 14 * Math.sin(phase), -FACE[1] - 6 * Math.cos(2 * phase));
}

async function loadPhoto() {
  const image = new Image();
  image.src = props.film;
  await image.decode();
  return image;
}

const POSTER_SCALE = FILM_WIDTH / POSTER[2];

// Calls paint(picture, panes) with a part of the photo, and with lists of faces that were found in all of it.
async function showPoster(panes, paint) {
  photo ||= loadPhoto();
  const image = await photo.catch(() => (photo = null));
  if (!image || state.running) return;
  const [left, top, width] = POSTER;
  const place = (values) => values.map((value, i) => POSTER_SCALE * (value - (i % 2 ? top : left)));
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [FILM_WIDTH, FILM_HEIGHT];
  picture.getContext("2d").drawImage(image, left, top, width, FILM_HEIGHT / POSTER_SCALE, 0, 0, FILM_WIDTH, FILM_HEIGHT);
  const placed = (face) => ({ ...face, points: place(face.points), box: place(face.box), axes: face.axes && face.axes.map(place) });
  paint(picture, panes.map((faces) => faces.map(placed)));
}

// A stream as getUserMedia has it; it moves until its track is stopped.
async function filmStream() {
  const image = await loadPhoto();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [FILM_WIDTH, FILM_HEIGHT];
  const context = canvas.getContext("2d");
  drawFilm(context, image, 0);
  const film = canvas.captureStream(FILM_RATE);
  const move = (now) => {
    if (film.getVideoTracks()[0].readyState === "ended") return;
    drawFilm(context, image, now / 1000);
    window.requestAnimationFrame(move);
  };
  window.requestAnimationFrame(move);
  return film;
}
