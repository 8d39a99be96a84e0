// A film in place of the camera: a view that moves over the example photo; part of live.js.

const FILM_WIDTH = 640;
const FILM_HEIGHT = 480;
const FILM_RATE = 30; // frames/s
const FACE = [222, 121, 300]; // middle and width of the view, in pixels of the photo

function drawFilm(context, photo, seconds) {
  const phase = seconds * 1.3;
  const scale = FILM_WIDTH / (FACE[2] * (1 - 0.1 * Math.cos(phase)));
  context.setTransform(1, 0, 0, 1, FILM_WIDTH / 2, FILM_HEIGHT / 2);
  context.rotate(0.16 * Math.sin(phase + 0.6));
  context.scale(scale, scale);
  context.drawImage(photo, -FACE[0] - 14 * Math.sin(phase), -FACE[1] - 6 * Math.cos(2 * phase));
}

// A stream as getUserMedia has it; it moves until its track is stopped.
async function filmStream() {
  const photo = new Image();
  photo.src = props.film;
  await photo.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [FILM_WIDTH, FILM_HEIGHT];
  const context = canvas.getContext("2d");
  drawFilm(context, photo, 0);
  const film = canvas.captureStream(FILM_RATE);
  const move = (now) => {
    if (film.getVideoTracks()[0].readyState === "ended") return;
    drawFilm(context, photo, now / 1000);
    window.requestAnimationFrame(move);
  };
  window.requestAnimationFrame(move);
  return film;
}
