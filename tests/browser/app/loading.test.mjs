// How the app starts: how soon, where it cannot, and without a network.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ADDRESS, launch, visiting } from "./support.mjs";

describe("the app", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  // How soon is for `cargo xtask web-bench` to say.
  test("draws its first frame, with the tab Teach", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      assert.equal((await visit.state()).tab, "teach");
      // A version of egui with another shader needs another look at web/site/painter.js.
      const simplified = await visit.page.evaluate(() => performance.getEntriesByName("painter-simplified").length);
      assert.equal(simplified, 1, "the painter's shader was not found");
    });
  });

  test("fills the window, and shows something in it", async () => {
    for (const size of [{ width: 1280, height: 800 }, { width: 400, height: 800 }]) {
      await visiting(browser, size, async (visit) => {
        await visit.openApp();
        const box = await visit.page.locator("#app").boundingBox();
        assert.deepEqual(box, { x: 0, y: 0, ...size });
        // A canvas of one colour compresses to almost nothing.
        const picture = await visit.page.screenshot({ type: "png" });
        assert.ok(picture.length > 8_000, `a picture of ${picture.length} bytes is empty`);
      });
    }
  });

  test("works offline after the first visit", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await visit.keptOffline();
      await visit.context.setOffline(true);
      // The service worker has no such file, so it asks the network.
      const reachesNetwork = () => fetch("no-such-file").then(() => true, () => false);
      await visit.page.reload();
      await visit.firstFrame();
      assert.equal((await visit.state()).tab, "teach");
      assert.equal(await visit.page.evaluate(reachesNetwork), false, "the network is still there");
      visit.complaints = visit.complaints.filter((text) => !text.includes("net::ERR_"));
    });
  });

  test("asks for its own files and for nothing else", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await visit.keptOffline();
      const loaded = visit.requests.length;
      assert.ok(loaded > 3, `${visit.requests}`);
      await visit.page.mouse.move(100, 100);
      await visit.page.waitForTimeout(2_000);
      assert.deepEqual(visit.requests.slice(loaded), [], "requests after it has loaded");
      // The policy itself refuses what a mistake could still ask for.
      const refused = await visit.page.evaluate(async () => {
        const breaches = [];
        document.addEventListener("securitypolicyviolation", (event) => breaches.push(event.effectiveDirective));
        await fetch("https://example.org/").catch(() => {});
        const script = document.createElement("script");
        script.textContent = "window.injected = true";
        document.body.append(script);
        await new Promise((resolve) => setTimeout(resolve, 100));
        // The page's element and the server's header each report it.
        return { breaches: [...new Set(breaches)], injected: window.injected === true };
      });
      assert.deepEqual(refused, { breaches: ["connect-src", "script-src-elem"], injected: false });
      visit.complaints = visit.complaints.filter((text) => !text.includes("Content Security Policy"));
      visit.requests = visit.requests.filter((url) => url !== "https://example.org/");
    });
  });

  test("says what to do when the browser takes the device away", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.page.addInitScript(() => {
        const request = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (...options) {
          window.firstDevice ??= await request.apply(this, options);
          return window.firstDevice;
        };
      });
      await visit.openApp();
      await visit.page.evaluate(() => window.firstDevice.destroy());
      await recover(visit, /graphics device/);
    });
  });

  test("says what to do when it has panicked", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      // eframe takes a clock for granted.
      await visit.page.evaluate(() => Object.defineProperty(window, "performance", { get: () => undefined }));
      await visit.page.mouse.move(10, 10);
      await recover(visit, /mistake/);
      visit.complaints = visit.complaints.filter((text) => !/panicked|unreachable/.test(text));
    });
  });
});

/** The page shows why it has stopped, and starts again. */
async function recover(visit, title) {
  await visit.page.locator("#failure").waitFor({ state: "visible" });
  assert.match(await visit.page.locator("#failure-title").innerText(), title);
  assert.match(await visit.page.locator("#failure-remedy").innerText(), /Reload the page/);
  await visit.page.locator("#failure-reload").click();
  await visit.firstFrame();
}

describe("a browser without WebGPU", () => {
  let browser;
  before(async () => (browser = await launch({ gpu: false })));
  after(() => browser?.close());

  for (const [what, hasApi] of [["no adapter", true], ["no API", false]]) {
    test(`gets a page that says which browsers work, and no code: ${what}`, async () => {
      await visiting(browser, { width: 400 }, async (visit) => {
        if (!hasApi) {
          await visit.page.addInitScript(() => delete Navigator.prototype.gpu);
        }
        await visit.page.goto(ADDRESS);
        await visit.page.locator("#unsupported").waitFor({ state: "visible" });
        assert.equal(await visit.page.evaluate(() => "gpu" in navigator), hasApi);
        const text = await visit.page.locator("#unsupported").innerText();
        for (const word of ["WebGPU", "Chrome", "Firefox", "Safari"]) {
          assert.ok(text.includes(word), word);
        }
        const code = visit.requests.filter((url) => /wasm|inkling_app/.test(url));
        assert.deepEqual(code, []);
        const overflow = await visit.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${overflow} pixels wider than the window`);
      });
    });
  }
});
