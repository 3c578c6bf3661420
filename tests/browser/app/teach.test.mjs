// The tab Teach as a visitor uses it: drops, the camera, and what is left after a reload.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KINDS, pictureFile, writePictures } from "./pictures.mjs";
import { launch, Visit, visiting } from "./support.mjs";

const PER_CLASS = 10;
/** From opening the page to the right answer. */
const ANSWER_MILLIS = 20_000;

const classesOf = (state) => state.teach.classes.map(({ name, images }) => `${name} ${images}`);
const learned = (state) => state.teach.images > 0 && state.teach.embedded === state.teach.images;

describe("teaching", () => {
  let browser;
  let pictures;
  before(async () => {
    browser = await launch();
    const visit = await Visit.start(browser);
    pictures = await writePictures(visit.page, PER_CLASS + 1);
    await visit.close();
    // The last of each kind is not taught.
    for (const kind of KINDS) {
      const last = pictureFile(pictures, kind, PER_CLASS);
      await writeFile(join(pictures, `unseen-${kind}.png`), await readFile(last));
      await rm(last);
    }
  });
  after(async () => {
    await browser?.close();
    await rm(pictures, { recursive: true, force: true });
  });

  /** Drops one folder per class into the middle of the window. */
  async function dropClasses(visit) {
    await visit.drop(KINDS.map((kind) => join(pictures, kind)), { x: 400, y: 500 });
    const state = await visit.until("three classes of ten pictures are learned", learned, 60);
    assert.deepEqual(classesOf(state), KINDS.map((kind) => `${kind} ${PER_CLASS}`));
  }

  /** Drops a picture into the live view and gives the answer. */
  async function ask(visit, file, expected) {
    const { x, y, width, height } = await visit.find("What is this?");
    await visit.drop([file], { x: x + width / 2, y: y + height / 2 });
    return visit.until(`the picture is recognised as ${expected}`, ({ teach }) => teach.prediction?.best === expected);
  }

  test("recognises a picture after three classes of ten were dropped", async () => {
    await visiting(browser, {}, async (visit) => {
      const start = performance.now();
      await visit.openApp();
      await dropClasses(visit);
      const loaded = visit.requests.length;
      await ask(visit, join(pictures, "unseen-boxes.png"), "boxes");
      const millis = performance.now() - start;
      console.log(`from page open to the right answer: ${(millis / 1000).toFixed(1)} s`);
      assert.ok(millis <= ANSWER_MILLIS, `${millis} ms`);
      for (const kind of KINDS) {
        await ask(visit, join(pictures, `unseen-${kind}.png`), kind);
      }
      assert.deepEqual(visit.requests.slice(loaded), [], "requests while teaching");
    });
  });

  test("keeps the project over a reload, and refuses a damaged file", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      await dropClasses(visit);
      await visit.until("the project is stored", ({ teach }) => teach.stored);
      await visit.page.reload();
      await visit.firstFrame();
      const state = await visit.until("the project is back", learned, 60);
      assert.deepEqual(classesOf(state), KINDS.map((kind) => `${kind} ${PER_CLASS}`));

      const damaged = join(pictures, "damaged.inkling");
      await writeFile(damaged, Buffer.from("PK\x03\x04 the rest is lost"));
      await visit.drop([damaged], { x: 400, y: 500 });
      await visit.find(/damaged/);
      assert.deepEqual(classesOf(await visit.state()), KINDS.map((kind) => `${kind} ${PER_CLASS}`));
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
