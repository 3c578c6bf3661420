// Meta-training in the page: it learns, follows its buttons, and stays within its plan.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { launch, visiting } from "./support.mjs";
import { startTraining, untilPhase } from "./training.mjs";

const { prototypes: native } = JSON.parse(await readFile(new URL("./first-steps.json", import.meta.url), "utf8"));

describe("meta-training", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  test("lowers the loss, pauses, goes on and stops, within its plan", async () => {
    await visiting(browser, { width: 900, height: 600 }, async (visit) => {
      await visit.openApp();
      const { train } = await startTraining(visit, 16);
      // The first step does not depend on how many there will be.
      const [first] = native.losses;
      assert.ok(Math.abs(train.run.losses[0] - first) <= 1e-3 * first, `${train.run.losses[0]}, natively ${first}`);
      assert.equal(train.run.bytes_peak, train.run.planned_bytes, "the plan is not what the ledger saw");

      await visit.click("Pause");
      const paused = await untilPhase(visit, "Paused");
      await visit.page.waitForTimeout(1000);
      assert.equal((await visit.state()).train.run.step, paused.train.run.step, "it went on while paused");
      await visit.click("Go on");
      const mean = (losses) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      const begin = mean(train.run.losses.slice(0, 5));
      await visit.until("the loss has fallen", (state) => state.train.run.step >= 40 && state.train.run.loss < 0.8 * begin, 300);
      await visit.click("Stop");
      const { train: after } = await untilPhase(visit, "Stopped");
      assert.ok(after.run.archive_bytes > 10_000, "a stopped run can be saved");
    });
  });

  test("goes on while the tab is hidden", async () => {
    await visiting(browser, { width: 900, height: 600 }, async (visit) => {
      await visit.openApp();
      const { train } = await startTraining(visit, 3);
      // A headless browser hides no tab; this is what a page sees when another tab is in front.
      await visit.page.evaluate(() => {
        Object.defineProperty(document, "hidden", { value: true });
        Object.defineProperty(document, "visibilityState", { value: "hidden" });
        window.requestAnimationFrame = () => 0;
        document.dispatchEvent(new Event("visibilitychange"));
      });
      const later = await visit.until("it goes on", (state) => state.train.run.step >= train.run.step + 5, 120);
      assert.equal(later.train.run.phase, "Running");
    });
  });
});
