// What bundle.mjs gives for "@tensorflow/tfjs-core": its index would also register every optimizer.

import "@tensorflow/tfjs-core/dist/base_side_effects";

export * from "@tensorflow/tfjs-core/dist/base";
