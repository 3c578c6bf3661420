// Decides whether this browser can run Inkling before anything large is loaded, starts the
// WebAssembly module, and shows its end should it come to one.

import { simplifyPainter } from "./painter.js";

const element = (id) => document.getElementById(id);

/** Shows one of the page's parts and hides the others. */
function show(id) {
  for (const part of ["app", "loading", "unsupported", "failure"]) {
    element(part).hidden = part !== id;
  }
}

/** The page that says which browsers work. */
function refuse(reason) {
  element("unsupported-reason").textContent = reason;
  show("unsupported");
}

/** The page that says what went wrong and what to do; the first cause stays. */
function fail(title, remedy, details) {
  if (!element("failure").hidden) {
    return;
  }
  element("failure-title").textContent = title;
  element("failure-remedy").textContent = remedy;
  element("failure-details").textContent = details;
  show("failure");
  element("failure-reload").focus();
}

function describe(error) {
  return error instanceof Error ? error.stack || `${error.name}: ${error.message}` : String(error);
}

/** Why WebGPU cannot be had here; nothing where it can. */
async function missingWebGpu() {
  if (!window.isSecureContext) {
    return "Browsers offer WebGPU only to pages from https:// or localhost, and this one came another way.";
  }
  if (!navigator.gpu) {
    return "This browser does not offer it.";
  }
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter
    ? null
    : "This browser knows it, but finds no graphics chip that it allows: update the graphics driver, or switch hardware acceleration on.";
}

/** A version that was fetched during the last visit takes over before this one loads. */
async function takeUpdate() {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  const waiting = registration?.waiting;
  if (!waiting || !navigator.serviceWorker.controller) {
    return false;
  }
  const changed = new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
    setTimeout(() => resolve(false), 2000);
  });
  waiting.postMessage("activate");
  return changed;
}

/** Keeps the files of this version for visits without a network. */
async function keepOffline() {
  // Private windows may refuse it: the page then works while there is a network.
  await navigator.serviceWorker?.register("service-worker.js").catch(() => undefined);
}

async function boot() {
  const reason = await missingWebGpu();
  if (reason) {
    refuse(reason);
    return;
  }
  if (await takeUpdate()) {
    location.reload();
    return;
  }
  const { default: init, start } = await import("./inkling_app.js");
  await init();
  simplifyPainter();
  // The canvas has to be laid out before it has a size to draw at.
  element("app").hidden = false;
  const app = await start(element("app"), {
    onFirstFrame: () => {
      performance.mark("first-frame");
      show("app");
      void keepOffline();
    },
    onFailure: fail,
  });
  // For the browser tests and the curious: `JSON.parse(inkling.state())`.
  window.inkling = app;
}

/** An error that nobody caught leaves the module in a state that nobody knows. */
function failUnlessForeign(error, file) {
  // Extensions run in the page too.
  if ((file || error?.stack || "").includes(location.origin)) {
    fail("Inkling has stopped because of a mistake in it", "Reload the page: your classes and pictures were kept.", describe(error));
  }
}

window.addEventListener("error", (event) => failUnlessForeign(event.error, event.filename));
window.addEventListener("unhandledrejection", (event) => failUnlessForeign(event.reason));
element("failure-reload").addEventListener("click", () => location.reload());
// A file dropped beside the canvas must not replace the page.
for (const type of ["dragover", "drop"]) {
  window.addEventListener(type, (event) => event.preventDefault());
}
boot().catch((error) => {
  fail(
    "Inkling did not start",
    "Reload the page. If that does not help, update the browser and the graphics driver.",
    describe(error),
  );
});
