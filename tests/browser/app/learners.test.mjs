// A learner that a visitor fetches: offered with its size, used at once, and there without a network.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KINDS } from "./pictures.mjs";
import { launch, visiting } from "./support.mjs";
import { fetchLearner, Pictures } from "./teaching.mjs";

describe("a larger learner", () => {
  let browser;
  let pictures;
  before(async () => {
    browser = await launch();
    pictures = await Pictures.generate(browser, 2);
  });
  after(async () => {
    await browser?.close();
    await pictures?.remove();
  });

  test("is fetched when asked for, recognises, and stays without a network", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      const { requests } = visit;
      await visit.keptOffline();
      assert.ok(!requests.some((url) => url.endsWith("lite0.safetensors")), "nobody has asked for it yet");
      await fetchLearner(visit, "efficientnet-lite0", /^6\.\d\d MB, once/);
      assert.ok(requests.some((url) => url.endsWith("learners/efficientnet-lite0.safetensors")));
      await visit.until("it is taught", ({ teach }) => teach.learner === "efficientnet-lite0", 60);

      await visit.click(/^Teach/, { role: "Tab" });
      // A large network, and a processor in place of a graphics card.
      await pictures.dropClasses(visit);
      for (const kind of KINDS) {
        await pictures.ask(visit, kind);
      }

      await visit.until("the project is stored", (state) => state.teach.stored);
      await visit.context.setOffline(true);
      await visit.page.reload();
      await visit.firstFrame();
      await visit.until("it is back", (state) => state.teach.learner === "efficientnet-lite0", 60);
      await visit.context.setOffline(false);
    });
  });
});
