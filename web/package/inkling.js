// Few-shot learning for pages: see README.md and inkling.d.ts.

import init, { Session, train } from "./inkling_core.js";

/** The longer side of what a learner is given: they look at far fewer pixels. */
const LONGER_SIDE = 512;

let loading;
/** Loads the module once. */
function load() {
  loading ??= init();
  return loading;
}

export class Learner {
  #session;

  constructor(session) {
    this.#session = session;
  }

  static async create({ weights, adapter } = {}) {
    if (!globalThis.navigator?.gpu) {
      throw new Error("this browser has no WebGPU; use Chrome or Edge 113, Firefox 141, Safari 26, or newer");
    }
    const [bytes] = await Promise.all([weights ? bytesOf(weights) : shippedWeights(), load()]);
    return new Learner(await Session.open(bytes, adapter));
  }

  get classes() {
    return JSON.parse(this.#session.classes());
  }

  get card() {
    return JSON.parse(this.#session.card());
  }

  async addExample(input, label) {
    const { width, height, data } = await pixelsOf(input);
    return this.#session.addExample(width, height, data, String(label));
  }

  removeExample(id) {
    return this.#session.removeExample(id);
  }

  removeClass(label) {
    return this.#session.removeClass(String(label));
  }

  clear() {
    this.#session.clear();
  }

  async predict(input) {
    const { width, height, data } = await pixelsOf(input);
    return JSON.parse(await this.#session.predict(width, height, data));
  }

  async export() {
    const bytes = await this.#session.exportProject();
    return new Blob([bytes], { type: "application/zip" });
  }

  async import(project) {
    await this.#session.importProject(await bytesOf(project));
  }

  async train({ preset = "glyphs-protonet-lite", signal, ...settings } = {}, onEvent = () => {}) {
    signal?.throwIfAborted();
    const run = train(preset, assignments(settings), (event) => onEvent(JSON.parse(event)));
    const stop = () => run.stop();
    signal?.addEventListener("abort", stop);
    try {
      const weights = await run.finished();
      await this.#session.useWeights(weights);
      return new Blob([weights], { type: "application/octet-stream" });
    } finally {
      signal?.removeEventListener("abort", stop);
      run.free();
    }
  }

  dispose() {
    this.#session.free();
  }
}

/** `{ training: { steps: 30 } }` as `["training.steps=30"]`. */
function assignments(settings, prefix = "") {
  return Object.entries(settings).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? assignments(value, `${prefix}${key}.`)
      : [`${prefix}${key}=${JSON.stringify(value)}`],
  );
}

async function shippedWeights() {
  const response = await fetch(new URL("learner.safetensors", import.meta.url));
  if (!response.ok) {
    throw new Error(`the learner's weights cannot be fetched: ${response.status} ${response.statusText}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function bytesOf(source) {
  if (source instanceof Blob) {
    return new Uint8Array(await source.arrayBuffer());
  }
  if (source instanceof ArrayBuffer) {
    return new Uint8Array(source);
  }
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  throw new TypeError("expected a Blob, an ArrayBuffer or a typed array");
}

/** The pixels of anything that shows a picture, as ImageData. */
async function pixelsOf(input) {
  if (input instanceof ImageData) {
    return input;
  }
  const picture = input instanceof Blob ? await createImageBitmap(input) : input;
  await picture.decode?.();
  const width = picture.videoWidth ?? picture.naturalWidth ?? picture.width;
  const height = picture.videoHeight ?? picture.naturalHeight ?? picture.height;
  if (!width || !height) {
    throw new TypeError("the picture has no pixels yet; wait until the video or image has loaded");
  }
  const scale = Math.min(1, LONGER_SIDE / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
