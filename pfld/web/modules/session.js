// ONNX Runtime sessions: networks run on the CPU, in WebAssembly with SIMD, on one thread.

import { env, InferenceSession, Tensor } from "../vendor/onnxruntime-web/ort.wasm.min.mjs";

env.wasm.wasmPaths = new URL("../vendor/onnxruntime-web/", import.meta.url).href;
env.wasm.numThreads = 1; // more need headers that isolate the page, and these networks are small
env.logLevel = "error";

export { Tensor };

/** A session for the ONNX file at that address, and its metadata by name. */
export async function openSession(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the network cannot be loaded: ${response.status} for ${url}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { session: await InferenceSession.create(bytes, { executionProviders: ["wasm"] }), metadata: readMetadata(bytes) };
}

/**
 * Metadata of an ONNX file: field 14 of its ModelProto, entries with a key (1) and a value (2).
 * The runtime does not give it to JavaScript. Source: onnx.proto; the encoding of Protocol Buffers.
 */
export function readMetadata(bytes) {
  const metadata = {};
  for (const [field, entry] of fields(bytes)) {
    if (field !== 14) continue;
    const texts = Object.fromEntries([...fields(entry)].map(([number, text]) => [number, new TextDecoder().decode(text)]));
    metadata[texts[1]] = texts[2] ?? "";
  }
  return metadata;
}

/** The numbers and bytes of a message's fields that have a length. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0, scale = 1;
    for (;;) {
      if (at >= bytes.length) throw new Error("the ONNX file is damaged");
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error("the ONNX file is damaged");
  }
}
