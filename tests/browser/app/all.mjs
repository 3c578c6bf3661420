// Every test of the page, in one process and one after another: two browsers at once would slow
// each other down past the times that some tests measure.

import "./loading.test.mjs";
import "./teach.test.mjs";
import "./learners.test.mjs";
import "./training.test.mjs";
import "./package.test.mjs";
