// One headless Chromium with WebGPU on SwiftShader, and pages of it that are watched: an error, a
// request to another host or a breach of the page's policy fails the test that opened the page.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

/** Where `cargo xtask` serves web/dist. */
export const ADDRESS = required("INKLING_PAGE");

const WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // Without these the device of a page that draws is lost after its first frame.
  "--enable-features=Vulkan",
  "--use-vulkan=swiftshader",
  "--use-angle=swiftshader",
];
// `--no-sandbox`, because containers run as root and show only this project's pages. No name but
// this machine's can be resolved.
const ALWAYS = ["--no-sandbox", "--disable-quic", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

/** What `cargo xtask` says in the environment. */
export function required(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; run this with \`cargo xtask\``);
  return value;
}

/** Starts a browser; `gpu: false` makes it one without WebGPU, `camera` gives it a moving picture. */
export async function launch({ gpu = true, camera = false } = {}) {
  const cameraFlags = camera ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] : [];
  return chromium.launch({
    executablePath: required("CHROME"),
    args: [...ALWAYS, ...(gpu ? WEBGPU : []), ...cameraFlags],
  });
}

/** A visitor with an empty profile. Ask `close()` for what went wrong unseen. */
export class Visit {
  static async start(browser, { width = 1280, height = 800, colorScheme = "light" } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const visit = new Visit(context);
    // Also requests of service workers.
    context.on("request", (request) => visit.requests.push(request.url()));
    visit.page = await visit.newPage();
    return visit;
  }

  constructor(context) {
    this.context = context;
    this.requests = [];
    this.complaints = [];
  }

  async newPage() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.complaints.push(`error: ${error.stack ?? error}`));
    page.on("console", (message) => {
      // Chromium reports breaches of the policy here too, before any listener of a page could.
      if (message.type() === "error") {
        this.complaints.push(`console: ${message.text()}`);
      }
    });
    page.on("crash", () => this.complaints.push("the page crashed"));
    return page;
  }

  /** Opens the app and waits for its first frame. */
  async openApp(path = "") {
    await this.page.goto(ADDRESS + path);
    await this.firstFrame();
  }

  async firstFrame() {
    await this.page.waitForFunction(() => window.inkling && !document.getElementById("app").hidden
      && document.getElementById("loading").hidden, null, { timeout: 60_000 });
  }

  /** The state of the app's window. */
  async state() {
    return this.page.evaluate(() => JSON.parse(window.inkling.state() ?? "null"));
  }

  /** The widgets on the screen: `{role, label, value, x, y, width, height, enabled, …}`. */
  async widgets() {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const list = await this.page.evaluate(() => window.inkling.widgets() ?? null);
      if (list) {
        return JSON.parse(list);
      }
      await this.page.waitForTimeout(50);
    }
    assert.fail("the app tells of no widgets");
  }

  /** Waits for the widget with this label (a text, or a pattern), and gives it. */
  async find(label, { role, seconds = 10 } = {}) {
    const matches = (widget) =>
      (label instanceof RegExp ? label.test(widget.label) : widget.label === label) && (!role || widget.role === role);
    const end = Date.now() + 1000 * seconds;
    let list = [];
    while (Date.now() < end) {
      list = await this.widgets();
      const found = list.find(matches);
      if (found) {
        return found;
      }
      await this.page.waitForTimeout(50);
    }
    assert.fail(`no ${role ?? "widget"} ${label} among: ${list.map((widget) => `${widget.role} ${widget.label}`).join(" | ")}`);
  }

  /** Clicks the middle of a widget, with a real mouse. */
  async click(label, options) {
    const { x, y, width, height } = await this.find(label, options);
    await this.page.mouse.click(x + width / 2, y + height / 2);
  }

  /** Drops files and folders of this machine onto a place of the page, as a user would. */
  async drop(paths, { x, y }) {
    const session = await this.context.newCDPSession(this.page);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await session.send("Input.dispatchDragEvent", { type, x, y, data });
      await this.page.waitForTimeout(150);
    }
    await session.detach();
  }

  /** Waits until `test`, a function of the state, holds, and gives the state; a message otherwise. */
  async until(what, test, seconds = 30) {
    const end = Date.now() + 1000 * seconds;
    let state = null;
    do {
      state = (await this.state()) ?? state;
      if (state && test(state)) {
        return state;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (Date.now() < end);
    assert.fail(`not within ${seconds} s: ${what}\n${JSON.stringify(state, null, 1)}`);
  }

  /** The service worker has kept every file. */
  async keptOffline() {
    // One that does not control the page yet may let its next reload pass by.
    const isActive = () => navigator.serviceWorker.controller?.state === "activated";
    await this.page.waitForFunction(isActive, null, { timeout: 30_000 });
  }

  /** Ends the visit; fails with everything that went wrong meanwhile. */
  async close() {
    await this.context.close();
    const foreign = this.requests.filter((url) => !url.startsWith(ADDRESS) && !/^(blob|data):/.test(url));
    assert.deepEqual(foreign, [], "requests to other hosts");
    assert.deepEqual(this.complaints, [], "errors of the page");
  }
}

/** Opens a page of the same site that does nothing by itself. */
export async function openBlank(visit) {
  const body = '<!doctype html><title>blank</title><link rel="icon" href="data:,">';
  await visit.page.route(`${ADDRESS}blank`, (route) => route.fulfill({ contentType: "text/html", body }));
  await visit.page.goto(`${ADDRESS}blank`);
}

/** Runs `test` with a visit that is closed, and judged, afterwards. */
export async function visiting(browser, options, test) {
  const visit = await Visit.start(browser, options);
  try {
    await test(visit);
  } catch (error) {
    await visit.close().catch((unseen) => console.error(String(unseen)));
    throw error;
  }
  await visit.close();
}
