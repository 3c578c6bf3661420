// Steps that more than one script takes in the tab Teach.

import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KINDS, pictureFile, writePictures } from "./pictures.mjs";
import { Visit } from "./support.mjs";

const PER_CLASS = 10;

/** Fetches a learner that the page offers, from its card in the tab Learners, which says its `size`. */
export async function fetchLearner(visit, name, size = /MB, once/) {
  await visit.click(/^Learners/, { role: "Tab" });
  await visit.find(size);
  await visit.click(`Fetch ${name}`);
  await visit.until(`${name} has come`, ({ teach }) => teach.learner === name, 60);
}

/** Each class of a project with the number of its images. */
export const classesOf = (state) => state.teach.classes.map(({ name, images }) => `${name} ${images}`);

/** A folder of pictures per kind, and one more of each that is not taught. */
export class Pictures {
  static async generate(browser, perClass = PER_CLASS) {
    const visit = await Visit.start(browser);
    const root = await writePictures(visit.page, perClass + 1);
    await visit.close();
    const pictures = new Pictures(root, perClass);
    for (const kind of KINDS) {
      const last = pictureFile(root, kind, perClass);
      await writeFile(pictures.unseen(kind), await readFile(last));
      await rm(last);
    }
    return pictures;
  }

  constructor(root, perClass) {
    this.root = root;
    this.perClass = perClass;
  }

  file(name) {
    return join(this.root, name);
  }

  unseen(kind) {
    return this.file(`unseen-${kind}.png`);
  }

  async remove() {
    await rm(this.root, { recursive: true, force: true });
  }

  /** Drops one folder per class into the middle of the window, and waits until they are learned. */
  async dropClasses(visit) {
    await visit.drop(KINDS.map((kind) => this.file(kind)), { x: 400, y: 500 });
    const learned = ({ teach }) => teach.images === KINDS.length * this.perClass && teach.embedded === teach.images;
    const state = await visit.until("the classes' pictures are learned", learned, 60);
    assert.deepEqual(classesOf(state), KINDS.map((kind) => `${kind} ${this.perClass}`));
  }

  /** Drops the picture that was not taught into the live view, and waits for the right answer. */
  async ask(visit, kind) {
    const { x, y, width, height } = await visit.find("What is this?");
    await visit.drop([this.unseen(kind)], { x: x + width / 2, y: y + height / 2 });
    return visit.until(`the picture is recognised as ${kind}`, ({ teach }) => teach.prediction?.best === kind);
  }
}
