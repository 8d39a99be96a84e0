// BrowserRuntime: finds faces in canvases within the browser; no picture leaves the page.

const WORKER = new URL("./worker.js", import.meta.url);

export class BrowserRuntime {
  #worker = null;
  #waiting = new Map();
  #number = 0;

  /**
   * The faces in a camera's next frame: { faces, jitter, network_ms, browser_ms }.
   * Settings: file (of the network), timeS, maxFaces, smoothing.
   */
  locate(canvas, settings) {
    return this.#ask("locate", canvas, settings);
  }

  /** The faces in a still: { faces, network_ms, browser_ms }. Settings: file. */
  still(canvas, settings) {
    return this.#ask("still", canvas, settings);
  }

  #ask(kind, canvas, settings) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#start().postMessage({ number, kind, image: { data, width, height }, settings }, [data.buffer]);
    });
  }

  #start() {
    if (this.#worker) return this.#worker;
    const worker = new Worker(WORKER, { type: "module" });
    worker.addEventListener("message", ({ data: { number, answer, error } }) => {
      const { resolve, reject } = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    });
    worker.addEventListener("error", (event) => {
      // Its modules could not be loaded; the next request starts another.
      worker.terminate();
      this.#worker = null;
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message || "the networks cannot be loaded"));
      this.#waiting.clear();
    });
    this.#worker = worker;
    return worker;
  }
}
