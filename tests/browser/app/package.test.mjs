// The JavaScript package: its example page, every name that it declares, and a run of meta-training
// that begins as a native one does.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { ADDRESS, launch, openBlank, visiting } from "./support.mjs";

const EXAMPLE = "package/example/";

const file = (address) => fileURLToPath(new URL(address, import.meta.url));
const DECLARATIONS = file("../../../web/package/inkling.d.ts");
/** What `inkling train` measures natively with these settings; native/tests/first_steps.rs holds it to that. */
const FIRST_STEPS = JSON.parse(await readFile(file("./first-steps.json"), "utf8"));

describe("the example page", () => {
  let browser;
  before(async () => (browser = await launch({ camera: true })));
  after(() => browser?.close());

  test("learns from the camera and says what it sees", async () => {
    await visiting(browser, {}, async (visit) => {
      await visit.page.goto(ADDRESS + EXAMPLE);
      const output = visit.page.locator("output");
      const says = (text) => visit.page.waitForFunction((text) => document.querySelector("output").value.includes(text), text);
      await says("none of these");
      await visit.page.getByRole("button", { name: "this" }).click();
      await says("this");
      assert.match(await output.innerText(), /^this \d+ %$/);
    });
  });
});

describe("the package", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser?.close());

  test("declares the names that it has", async () => {
    const declared = membersOf(DECLARATIONS, "Learner");
    await visiting(browser, {}, async (visit) => {
      await openBlank(visit);
      const found = await visit.page.evaluate(async () => {
        const { Learner } = await import("/package/inkling.js");
        const names = (object) => Object.getOwnPropertyNames(object);
        const ofClass = names(Learner).filter((name) => !["length", "name", "prototype"].includes(name));
        return [...ofClass, ...names(Learner.prototype)].sort();
      });
      assert.deepEqual(found, declared);
    });
  });

  test("can be used as its declarations say", () => {
    const options = { noEmit: true, strict: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [] };
    const program = ts.createProgram([file("./usage.ts")], options);
    const messages = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
    assert.deepEqual(messages, []);
  });

  test("teaches, predicts, forgets, exports and imports", async () => {
    await visiting(browser, {}, async (visit) => {
      await openBlank(visit);
      const seen = await visit.page.evaluate(useEverything);
      assert.deepEqual(seen.classes, [{ label: "warm", examples: 3 }, { label: "cold", examples: 3 }]);
      assert.deepEqual(seen.labels, ["warm", "cold"]);
      assert.ok(Math.abs(seen.sum - 1) < 1e-3, `probabilities sum to ${seen.sum}`);
      assert.deepEqual(seen.forgotten, [true, false, true, false]);
      assert.deepEqual(seen.left, [{ label: "warm", examples: 2 }]);
      assert.deepEqual(seen.imported, seen.classes);
      assert.equal(seen.again, "cold");
      assert.match(seen.damaged, /project/);
      assert.deepEqual(seen.afterDamaged, seen.imported);
      assert.match(seen.unready, /no pixels/);
    });
  });

  test("meta-trains, with the first steps of a native run and a falling loss", async () => {
    const { settings, losses: native } = FIRST_STEPS.prototypes;
    await visiting(browser, {}, async (visit) => {
      await openBlank(visit);
      const run = await visit.page.evaluate(trainAndPredict, settings);
      assert.deepEqual(run.events.slice(0, 2), ["planned", "started"]);
      assert.equal(run.events.at(-1), "finished");
      beginsLike(native, run);
      const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const [first, last] = [mean(run.losses.slice(0, 5)), mean(run.losses.slice(-5))];
      assert.ok(last < 0.9 * first, `the loss went from ${first} to ${last}`);
      assert.ok(run.weightBytes > 10_000);
      assert.equal(run.label, "a");
    });
  });

  test("meta-trains the implicit head, with the first steps of a native run", async () => {
    const { settings, losses: native } = FIRST_STEPS.implicit;
    await visiting(browser, {}, async (visit) => {
      await openBlank(visit);
      const run = await visit.page.evaluate(trainAndPredict, settings);
      beginsLike(native, run);
      // Its checkpoint learns classes in Teach by their means.
      assert.equal(run.label, "a");
    });
  });
});

/** A run in a page has the losses of the native one, and the memory that was planned for it. */
function beginsLike(native, run) {
  assert.equal(run.planned, run.peak, "the plan is not what the ledger saw");
  for (const [index, loss] of native.entries()) {
    // The first loss differs by the rounding of sums; afterwards Adam, whose first updates are as
    // large as the learning rate (2e-3) whatever the gradient, carries rounding around zero on.
    const tolerance = 1e-4 + 4e-3 * index;
    assert.ok(Math.abs(run.losses[index] - loss) <= tolerance, `step ${index + 1}: ${run.losses[index]}, natively ${loss}`);
  }
}

/** The public members of a declared class, sorted. */
function membersOf(path, name) {
  const source = ts.createSourceFile(path, ts.sys.readFile(path), ts.ScriptTarget.ES2022);
  const declaration = source.statements.find((statement) => ts.isClassDeclaration(statement) && statement.name.text === name);
  const members = declaration.members.map((member) => (ts.isConstructorDeclaration(member) ? "constructor" : member.name.text));
  return members.sort();
}

/** Runs in the page. */
async function useEverything() {
  const { Learner } = await import("/package/inkling.js");
  const picture = (hue, turn) => {
    const canvas = new OffscreenCanvas(64, 64);
    const context = canvas.getContext("2d");
    context.fillStyle = "#888";
    context.fillRect(0, 0, 64, 64);
    context.fillStyle = `hsl(${hue} 90% 50%)`;
    context.fillRect(12 + turn, 14, 34, 30 + turn);
    return canvas;
  };
  const learner = await Learner.create();
  // Each kind of input once.
  const bitmap = await createImageBitmap(picture(5, 2));
  const blob = await picture(215, 2).convertToBlob();
  const pixels = picture(225, 4).getContext("2d").getImageData(0, 0, 64, 64);
  const first = await learner.addExample(picture(0, 0), "warm");
  await learner.addExample(bitmap, "warm");
  await learner.addExample(picture(12, 4), "warm");
  await Promise.all([picture(220, 0), blob, pixels].map((input) => learner.addExample(input, "cold")));
  const classes = learner.classes;
  const warm = await learner.predict(picture(8, 1));
  const cold = await learner.predict(picture(218, 1));
  const sum = Object.values(cold.confidences).reduce((total, value) => total + value, cold.noneOfThese);
  const project = await learner.export();
  const forgotten = [learner.removeExample(first), learner.removeExample(first), learner.removeClass("cold"), learner.removeClass("cold")];
  const left = learner.classes;
  await learner.import(project);
  const imported = learner.classes;
  const again = (await learner.predict(picture(218, 1))).label;
  const message = (promise) => promise.then(() => "nothing", (error) => error.message);
  const damaged = await message(learner.import(new Blob(["PK no project"])));
  const unready = await message(learner.predict(document.createElement("video")));
  const afterDamaged = learner.classes;
  learner.dispose();
  return { classes, labels: [warm.label, cold.label], sum, forgotten, left, imported, again, damaged, afterDamaged, unready };
}

/** Runs in the page. */
async function trainAndPredict(settings) {
  const { Learner } = await import("/package/inkling.js");
  const learner = await Learner.create();
  const [events, losses] = [[], []];
  let [planned, peak] = [0, 0];
  const weights = await learner.train(settings, (event) => {
    events.push(event.event);
    if (event.event === "planned") {
      planned = event.bytes;
    }
    if (event.event === "step") {
      losses.push(event.loss);
      peak = event.bytes_peak;
    }
  });
  const picture = (text) => {
    const canvas = new OffscreenCanvas(28, 28);
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, 28, 28);
    context.fillStyle = "black";
    context.fillRect(...(text === "a" ? [12, 2, 4, 24] : [2, 12, 24, 4]));
    return canvas;
  };
  await learner.addExample(picture("a"), "a");
  await learner.addExample(picture("b"), "b");
  const { label } = await learner.predict(picture("a"));
  return { events, losses, planned, peak, weightBytes: weights.size, label };
}
