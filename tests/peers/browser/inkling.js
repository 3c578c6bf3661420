// The rows in Inkling, compiled to WebAssembly: Rust measures and words each line.

import init, { bench_rows } from "./inkling_rows.js";

// Emits the line of the first step, then one line for each row of the list.
export async function measure(list, emit) {
  await init();
  const first = list.rows.find((row) => row.name === "protonet");
  if (first) {
    await emit(await firstStep({ ...list, repeats: 0, rows: [first] }));
  }
  await bench_rows(JSON.stringify(list), emit);
}

// One step, the one that is never timed; performance.now() counts from the start of the navigation.
async function firstStep(list) {
  let line = "{}";
  await bench_rows(JSON.stringify(list), (emitted) => {
    line = emitted;
  });
  const median_ms = performance.now();
  const { peer, version, device, missing } = JSON.parse(line);
  const outcome = missing ? { missing } : { median_ms, repeats: 1 };
  return JSON.stringify({ peer, version, place: "browser", device, row: "first-step", ...outcome });
}
