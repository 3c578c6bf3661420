// Times the rows in TensorFlow.js on its WebGPU backend; bundle.mjs makes one file of this and its imports.

import { backend, dispose, disposeVariables, memory, setBackend, version_core } from "@tensorflow/tfjs-core";

import { PASSES } from "./tensorflow_passes.js";
import "./tensorflow_parts.js";

// Emits the line of the first step, then one line for each row of the list.
export async function measure(list, emit) {
  if (!(await setBackend("webgpu"))) {
    throw new Error("TensorFlow.js got no WebGPU device");
  }
  const failures = listen();
  const facts = { peer: "TensorFlow.js", version: version_core, place: "browser", device: nameOfDevice() };
  const first = list.rows.find((row) => row.name === "protonet");
  if (first) {
    await emit(JSON.stringify({ ...facts, row: "first-step", ...(await firstStep(first, failures)) }));
  }
  for (const row of list.rows) {
    await emit(JSON.stringify({ ...facts, row: row.name, ...(await measureRow(row, list, failures)) }));
  }
}

// One step; performance.now() counts from the start of the navigation.
async function firstStep(row, failures) {
  return attempt(row, failures, async (pass) => {
    await run(pass);
    return { median_ms: performance.now(), repeats: 1 };
  });
}

// A run that is looked at, then those that are timed; a first run that takes all the time is the figure.
async function measureRow(row, list, failures) {
  return attempt(row, failures, async (pass) => {
    const first = await timed(() => run(pass, requireFinite));
    const times = first > 1000 * list.seconds ? [first] : await timedRuns(pass, list);
    return { ...summary(times), peak_bytes: memory().numBytesAllocatedInGPU };
  });
}

async function timedRuns(pass, { repeats, seconds }) {
  const times = [];
  const start = performance.now();
  do {
    times.push(await timed(() => run(pass)));
  } while (times.length < repeats && performance.now() - start < 1000 * seconds);
  return times;
}

async function timed(work) {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function summary(times) {
  const sorted = [...times].sort((one, other) => one - other);
  return {
    median_ms: sorted[Math.floor(sorted.length / 2)],
    fastest_ms: sorted[0],
    slowest_ms: sorted[sorted.length - 1],
    repeats: sorted.length,
  };
}

// Prepares a row and measures it; whatever goes wrong is the reason why the row is missing.
async function attempt(row, failures, measured) {
  failures.length = 0;
  try {
    const prepare = PASSES[row.pass];
    if (!prepare) {
      throw new Error(`no pass has the name ${row.pass}`);
    }
    const line = await measured(prepare(row));
    // What the device reports of itself, as of a lack of memory, arrives after the calls that caused it.
    return failures.length > 0 ? { missing: failures[0] } : line;
  } catch (error) {
    return { missing: failures[0] ?? String(error?.message ?? error) };
  } finally {
    await clear();
  }
}

// A pass returns its results, which `look` may read.
async function run(pass, look) {
  const results = pass();
  try {
    await finish();
    await look?.(results);
  } finally {
    dispose(results);
  }
}

// Submits what the backend still holds back, and waits until the device has done all of it.
async function finish() {
  const webgpu = backend();
  webgpu.ensureCommandEncoderReady();
  webgpu.endComputePassEncoder();
  webgpu.submitQueue();
  await webgpu.queue.onSubmittedWorkDone();
}

// Ends a row: no tensor stays, nor a buffer in the backend's pool, which by itself never shrinks.
async function clear() {
  disposeVariables();
  await finish();
  if (memory().numTensors > 0) {
    throw new Error(`${memory().numTensors} tensors are left after a row`);
  }
  backend().bufferManager.dispose();
}

// Refuses results that no working device gives.
async function requireFinite(tensors) {
  for (const tensor of tensors) {
    const values = await tensor.data();
    if (!values.every(Number.isFinite)) {
      throw new Error("a value is not finite");
    }
  }
}

// The device's own errors, first to last: WebGPU throws none of them.
function listen() {
  const failures = [];
  const { device } = backend();
  device.addEventListener("uncapturederror", (event) => failures.push(event.error.message.trim()));
  device.lost.then(({ message }) => failures.push(`the device is lost: ${message}`));
  return failures;
}

function nameOfDevice() {
  const info = backend().device.adapterInfo ?? {};
  return [info.vendor, info.architecture, info.description].filter(Boolean).join(" ") || "unnamed";
}
