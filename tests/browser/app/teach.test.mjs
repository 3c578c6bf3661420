// The tab Teach as a visitor uses it: drops, the camera, and what is left after a reload.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { KINDS, writePhotos } from "./pictures.mjs";
import { launch, visiting } from "./support.mjs";
import { classesOf, Pictures } from "./teaching.mjs";

describe("teaching", () => {
  let browser;
  let pictures;
  before(async () => {
    browser = await launch();
    pictures = await Pictures.generate(browser);
  });
  after(async () => {
    await browser?.close();
    await pictures?.remove();
  });

  // How long it takes is for `cargo xtask web-bench` to say.
  test("recognises pictures after three classes of ten were dropped", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await pictures.dropClasses(visit);
      const loaded = visit.requests.length;
      for (const kind of KINDS) {
        await pictures.ask(visit, kind);
      }
      assert.deepEqual(visit.requests.slice(loaded), [], "requests while teaching");
    });
  });

  test("learns from photos of twelve megapixels, and refuses half of one", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      const [first, second] = await writePhotos(visit.page, pictures.file("photos"), 2);
      const bytes = await readFile(second);
      await writeFile(second, bytes.subarray(0, bytes.length / 2));
      await visit.drop([pictures.file("photos")], { x: 400, y: 500 });
      const { teach } = await visit.until("the photos were looked at", ({ teach }) => teach.embedded + teach.rejected === 2, 60);
      assert.deepEqual([teach.embedded, teach.rejected], [1, 1]);
      const { x, y, width, height } = await visit.find("What is this?");
      await visit.drop([first], { x: x + width / 2, y: y + height / 2 });
      await visit.until("the photo is recognised", (state) => state.teach.prediction?.best === "photos");
    });
  });

  test("keeps the project over a reload, and refuses a damaged file", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await pictures.dropClasses(visit);
      const taught = classesOf(await visit.until("the project is stored", ({ teach }) => teach.stored));
      await visit.page.reload();
      await visit.firstFrame();
      await visit.until("the project is back", (state) => String(classesOf(state)) === String(taught), 60);

      const damaged = pictures.file("damaged.inkling");
      await writeFile(damaged, Buffer.from("PK\x03\x04 the rest is lost"));
      await visit.drop([damaged], { x: 400, y: 500 });
      await visit.find(/damaged/);
      assert.deepEqual(classesOf(await visit.state()), taught);
    });
  });
});

describe("a camera", () => {
  let browser;
  before(async () => (browser = await launch({ camera: true })));
  after(() => browser?.close());

  test("records a class while a button is held", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await visit.click("Use the camera");
      await visit.until("the camera shows", ({ teach }) => teach.looking_at === "camera");
      const { x, y, width, height } = await visit.find(/^Hold to record/);
      await visit.page.mouse.move(x + width / 2, y + height / 2);
      await visit.page.mouse.down();
      await visit.until("pictures are recorded", ({ teach }) => teach.images >= 5);
      await visit.page.mouse.up();
      const { teach } = await visit.until("nothing is recorded any more", (state) => !state.teach.recording);
      assert.ok(teach.images >= 5);
    });
  });
});
