// From a camera's picture to class probabilities, and where the time goes: with the learner that the
// page ships and with the larger one that it fetches, on SwiftShader.

import { launch, visiting } from "./support.mjs";
import { fetchLearner } from "./teaching.mjs";

const FRAMES = 20;
const WAIT_SECONDS = 180;

const browser = await launch({ camera: true });
try {
  await visiting(browser, { width: 900, height: 700 }, async (visit) => {
    await visit.openApp();
    await visit.click("Try with samples");
    await visit.until("the samples are learned", ({ teach }) => teach.images === 30 && teach.embedded === 30, WAIT_SECONDS);
    const rows = [await latency(visit, "scenes")];
    await visit.click(/^Learners/, { role: "Tab" });
    await fetchLearner(visit, "efficientnet-lite0");
    await visit.click(/^Teach/, { role: "Tab" });
    await visit.until("they are learned anew", ({ teach }) => teach.learner === "efficientnet-lite0" && teach.embedded === 30, WAIT_SECONDS);
    rows.push(await latency(visit, "efficientnet-lite0"));
    console.log("from a camera's picture to probabilities, medians in ms");
    console.log(line(["learner", "all", "picture", "network", "classes", "waiting"]));
    for (const { learner, milliseconds, picture, network, classes } of rows) {
      const waiting = milliseconds - picture - network - classes;
      console.log(line([learner, ...[milliseconds, picture, network, classes, waiting].map((value) => value.toFixed(1))]));
    }
  });
} finally {
  await browser.close();
}

async function latency(visit, learner) {
  if ((await visit.state()).teach.looking_at !== "camera") {
    await visit.click("Camera");
  }
  const answered = ({ teach }) => teach.learner === learner && (teach.latency?.frames ?? 0) >= FRAMES;
  const { teach } = await visit.until(`${FRAMES} pictures are answered`, answered, WAIT_SECONDS);
  await visit.click("Camera");
  return { learner, ...teach.latency };
}

function line([name, ...cells]) {
  return name.padEnd(22) + cells.map((cell) => String(cell).padStart(10)).join("");
}
