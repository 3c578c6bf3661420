// Meta-trains the characters of the demo from scratch in a page and with the native program on the
// same SwiftShader, with the same settings, one after the other. Fails where the page does not
// learn, or is much slower than the native program.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { launch, openBlank, required, visiting } from "./support.mjs";

const PRESET = "glyphs-protonet-lite";
const TRAINING = { steps: 300, validate_every: 100, validation_episodes: 100, checkpoint_every: 300 };
const LIMITS = { accuracy: 0.9, shareOfNative: 0.6 };

console.log(`${PRESET}, ${TRAINING.steps} episodes, on SwiftShader`);
const native = summary(await nativeEvents());
print("native", native);
const page = summary(await pageEvents());
print("page", page);
const share = page.episodesPerSecond / native.episodesPerSecond;
console.log(`the page has ${(100 * share).toFixed(0)} % of the native speed (wanted: at least ${100 * LIMITS.shareOfNative} %)`);
for (const [isReached, miss] of [
  [page.best.accuracy >= LIMITS.accuracy, `the page does not reach ${100 * LIMITS.accuracy} %`],
  [share >= LIMITS.shareOfNative, "the page is much slower than the native program"],
]) {
  if (!isReached) {
    console.error(`missed: ${miss}`);
    process.exitCode = 1;
  }
}

/** What `inkling train --json` says, each line with its time in seconds. */
async function nativeEvents() {
  const folder = await mkdtemp(join(tmpdir(), "inkling-"));
  const sets = Object.entries(TRAINING).flatMap(([key, value]) => ["--set", `training.${key}=${value}`]);
  const driver = required("SWIFTSHADER");
  // Older and newer loaders ask for different names.
  const environment = { ...process.env, VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver };
  const program = spawn(required("INKLING"), ["train", "--preset", PRESET, ...sets, "--json", "--out", join(folder, "run")], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve, reject) => program.on("error", reject).on("close", resolve));
  const events = [];
  for await (const line of createInterface({ input: program.stdout })) {
    events.push({ ...JSON.parse(line), at: performance.now() / 1000 });
  }
  const status = await ended;
  await rm(folder, { recursive: true, force: true });
  if (status !== 0) {
    throw new Error(`the native run ended with status ${status}`);
  }
  return events;
}

/** The same from the JavaScript package in a page. */
async function pageEvents() {
  const browser = await launch();
  const events = [];
  try {
    await visiting(browser, {}, async (visit) => {
      await openBlank(visit);
      events.push(...await visit.page.evaluate(trainInPage, { preset: PRESET, training: TRAINING }));
    });
  } finally {
    await browser.close();
  }
  return events;
}

/** Runs in the page. */
async function trainInPage(settings) {
  const { Learner } = await import("/package/inkling.js");
  const learner = await Learner.create();
  const events = [];
  await learner.train(settings, (event) => events.push({ ...event, at: performance.now() / 1000 }));
  learner.dispose();
  return events;
}

/** Speed over the whole run, and the first validation that reaches the wanted accuracy, or the best. */
function summary(events) {
  const of = (name) => events.filter(({ event }) => event === name);
  const [{ at: start, adapter }] = of("started");
  const [{ at: end }] = of("finished");
  const validations = of("validation");
  const best = validations.reduce((left, right) => (right.accuracy > left.accuracy ? right : left));
  const reached = validations.find(({ accuracy }) => accuracy >= LIMITS.accuracy);
  return { adapter, episodesPerSecond: TRAINING.steps / (end - start), best, seconds: end - start,
    reached: reached && { step: reached.step, seconds: reached.at - start } };
}

function print(name, { adapter, episodesPerSecond, best, seconds, reached }) {
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  console.log(`${name.padEnd(8)}${episodesPerSecond.toFixed(2)} episodes/s, ${seconds.toFixed(0)} s with validations`
    + `, 5-way 1-shot ${percent(best.accuracy)} ± ${percent(best.interval)} after ${best.step}`
    + `, ${percent(LIMITS.accuracy)} ${reached ? `after ${reached.step} episodes, ${reached.seconds.toFixed(0)} s` : "not reached"}`
    + ` (${adapter})`);
}
