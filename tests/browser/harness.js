// Runs the WebAssembly tests and posts what happens to the server that `cargo xtask test` runs:
// console lines to /progress, the JSON of run_all() to /result, any error outside a test to
// /failure, which ends the run.

const log = document.getElementById("log");

// One request after another, so that lines arrive in the order in which they were written.
let posts = Promise.resolve();
function post(address, text) {
  log.textContent += `${text}\n`;
  posts = posts.then(() => fetch(address, { method: "POST", body: text })).catch(() => {});
  return posts;
}

function describe(value) {
  if (value instanceof Error) {
    // Chromium's stack begins with the message.
    return value.stack || `${value.name}: ${value.message}`;
  }
  return typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
}

for (const level of ["log", "info", "warn", "error"]) {
  const original = console[level].bind(console);
  console[level] = (...values) => {
    original(...values);
    post("/progress", values.map(describe).join(" "));
  };
}

// A Rust panic inside a spawned task never settles its promise: it only arrives here.
window.addEventListener("error", (event) => {
  post("/failure", describe(event.error ?? event.message));
});
window.addEventListener("unhandledrejection", (event) => {
  post("/failure", describe(event.reason));
});

async function nameOfAdapter() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) {
    throw new Error(
      "this browser gives no WebGPU adapter; it takes Chromium 113 or newer with SwiftShader",
    );
  }
  const info = adapter.info ?? {};
  return [info.vendor, info.architecture, info.description].filter(Boolean).join(" ") || "unnamed";
}

try {
  console.log(`adapter: ${await nameOfAdapter()}`);
  // Imported here, so that a module that does not load is reported like any other error.
  const { default: init, run_all } = await import("./inkling_tests.js");
  await init();
  await post("/result", await run_all());
} catch (error) {
  await post("/failure", describe(error));
}
