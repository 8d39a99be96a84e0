// Offers "in your browser" to Live, see camera/live.js. Networks are loaded when a frame is first looked at.

import { NETWORKS } from "./modules/facts.js";
import { BrowserRuntime } from "./modules/runtime.js";

const runtime = new BrowserRuntime();

window.pfldBrowserRuntime = {
  networks: Object.keys(NETWORKS),

  async locate(canvas, timeS, { network, smoothing, max_faces }) {
    const file = `${network}.onnx`; // float32, as int8 is not faster in browsers
    try {
      return { ...(await runtime.locate(canvas, { file, timeS, maxFaces: max_faces, smoothing })), server_ms: null };
    } catch (error) {
      return { error: `${network} does not run in this browser: ${error.message}` };
    }
  },
};
window.dispatchEvent(new Event("pfld-browser-runtime"));
