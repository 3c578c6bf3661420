// node bundle.mjs OUT_DIR                        bundles the TensorFlow.js side and prints its size
// node bundle.mjs --size PEER VERSION FILE...    prints the size of another peer's files
//
// A size is one JSON line: what a browser fetches, each file compressed with brotli at its best quality.

import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

// The backend imports the core by its name too, so that both get the same small one.
const smallCore = {
  name: "small-core",
  setup({ onResolve }) {
    onResolve({ filter: /^@tensorflow\/tfjs-core$/ }, () => ({ path: join(HERE, "tensorflow_core.js") }));
  },
};

// Writes tensorflow.js, and beside it the licenses, which no page loads.
async function bundle(folder) {
  const outfile = resolve(folder, "tensorflow.js");
  await build({
    absWorkingDir: HERE,
    entryPoints: ["tensorflow.js"],
    outfile,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "external",
    logLevel: "warning",
    plugins: [smallCore],
  });
  return outfile;
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(HERE, "node_modules", name, "package.json"), "utf8")).version;
}

function printSize(peer, version, files) {
  const sizes = files.map((file) => brotliCompressSync(readFileSync(file), QUALITY).length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(JSON.stringify({ peer, place: "browser", row: "bundle", version, bytes }));
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--size" && rest.length > 2) {
  const [peer, version, ...files] = rest;
  printSize(peer, version, files);
} else if (first && first !== "--size" && rest.length === 0) {
  printSize("TensorFlow.js", versionOf("@tensorflow/tfjs-core"), [await bundle(first)]);
} else {
  console.error("usage: node bundle.mjs OUT_DIR | node bundle.mjs --size PEER VERSION FILE...");
  process.exitCode = 2;
}
