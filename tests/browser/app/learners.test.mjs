// A learner that a visitor fetches: offered with its size, used at once, and there without a network.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, visiting } from "./support.mjs";
import { fetchLearner } from "./teaching.mjs";

describe("a larger learner", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  test("is fetched when asked for, recognises, and stays without a network", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.openApp();
      const { requests } = visit;
      await visit.keptOffline();
      assert.ok(!requests.some((url) => url.endsWith("lite0.safetensors")), "nobody has asked for it yet");
      await fetchLearner(visit, "efficientnet-lite0", /^7\.\d\d MB, once/);
      assert.ok(requests.some((url) => url.endsWith("learners/efficientnet-lite0.safetensors")));
      await visit.until("it is taught", ({ teach }) => teach.learner === "efficientnet-lite0", 60);

      await visit.click(/^Teach/, { role: "Tab" });
      await visit.click("Try with samples");
      const learned = ({ teach }) => teach.images === 30 && teach.embedded === 30 && teach.recognised;
      const { teach } = await visit.until("the samples are learned", learned, 240);
      const [right, all] = teach.recognised;
      assert.ok(right / all > 0.9, `${right} of ${all} recognised by leaving one out`);

      await visit.until("the project is stored", (state) => state.teach.stored);
      await visit.context.setOffline(true);
      await visit.page.reload();
      await visit.firstFrame();
      await visit.until("it is back", (state) => state.teach.learner === "efficientnet-lite0", 60);
      await visit.context.setOffline(false);
      // What it looks for beside the page is not there without a network, and the browser says so.
      visit.complaints = visit.complaints.filter((text) => !/ERR_INTERNET_DISCONNECTED/.test(text));
    });
  });
});
