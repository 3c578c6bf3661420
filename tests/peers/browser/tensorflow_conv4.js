// Conv-4 in TensorFlow.js, channels last.

import {
  add, avgPool, batchNorm, conv2d, customGrad, fused, maxPool, mean, mul, neg, ones, relu, reshape, rsqrt,
  squaredDifference, sum, tensor4d, tidy, variable, zeros,
} from "@tensorflow/tfjs-core";

import { normal } from "./random.js";

const BLOCKS = 4;
const GROUPS = 8;
// PyTorch's default.
const EPSILON = 1e-5;

// A new network; `share` makes a norm's statistics of the means of its images.
export function conv4({ channels, image: [inChannels], norm }) {
  const blocks = Array.from({ length: BLOCKS }, (_, index) => {
    return tidy(() => newBlock(index === 0 ? inChannels : channels, channels));
  });
  const share = norm === "batch" ? overBatch : overGroup;
  return { blocks, share, variables: blocks.flatMap(Object.values) };
}

function newBlock(from, to) {
  const filter = normal(9 * from * to, Math.sqrt(2 / (9 * from)));
  return {
    filter: variable(tensor4d(filter, [3, 3, from, to])),
    bias: variable(zeros([to])),
    gain: variable(ones([to])),
    shift: variable(zeros([to])),
  };
}

// Embeddings [images, dimension] of images [images, height, width, channels].
export function embed({ blocks, share }, images, withGradient) {
  let value = images;
  for (const [index, block] of blocks.entries()) {
    const input = value;
    value = tidy(() => {
      const convolved = convolve(input, block, withGradient && index === 0);
      return maxPool(relu(normalise(share, convolved, block.gain, block.shift)), 2, 2, "valid");
    });
  }
  return reshape(value, [images.shape[0], -1]);
}

// The fused operation always computes the gradient of its input too: not for images, which need none.
function convolve(x, { filter, bias }, isOfImages) {
  if (!isOfImages) {
    return fused.conv2d({ x, filter, strides: 1, pad: "same", bias });
  }
  return add(conv2d(x, filter, 1, "same"), perChannel(bias));
}

// [1, 1, 1, channels]: the backend has another, often slower shader for operands of one dimension.
function perChannel(vector) {
  return reshape(vector, [1, 1, 1, vector.size]);
}

// A norm with its gradient in closed form, in fewer operations than automatic differentiation takes.
function normalise(share, x, gain, shift) {
  const pixels = x.shape[1] * x.shape[2];
  const operation = customGrad((x, gain, shift, save) => {
    const center = share(perImage(x));
    const variance = share(perImage(squaredDifference(x, center)));
    save([x, gain, center, variance]);
    const value = batchNorm(x, center, variance, perChannel(shift), perChannel(gain), EPSILON);
    return { value, gradFunc: (dy, saved) => normGradient(share, pixels, dy, saved) };
  });
  return operation(x, gain, shift);
}

// With n for the normalised x and g for gain * dy, that of x is (g - mean(g) - n * mean(g * n)) / deviation.
function normGradient(share, pixels, dy, [x, gain, center, variance]) {
  const scale = perChannel(gain);
  const inverse = rsqrt(add(variance, EPSILON));
  const ofShift = perImage(dy);
  const ofGain = perImage(mul(dy, batchNorm(x, center, variance, undefined, undefined, EPSILON)));
  const offset = neg(mul(inverse, share(mul(scale, ofShift))));
  const slope = neg(mul(inverse, share(mul(scale, ofGain))));
  const ofX = add(mul(dy, mul(scale, inverse)), batchNorm(x, center, variance, offset, slope, EPSILON));
  return [ofX, mul(sum(ofGain, [0, 1, 2]), pixels), mul(sum(ofShift, [0, 1, 2]), pixels)];
}

// Means of each image and channel, [images, 1, 1, channels]: a pooling, because mean() transposes first.
function perImage(x) {
  return avgPool(x, [x.shape[1], x.shape[2]], 1, "valid");
}

// Batch norm shares its statistics among images.
function overBatch(means) {
  return mean(means, 0, true);
}

// Group norm shares them among the channels of a group; each channel gets its copy.
function overGroup(means) {
  const [images, , , channels] = means.shape;
  const shape = [images, 1, GROUPS, channels / GROUPS];
  const shared = mean(reshape(means, shape), 3, true);
  return reshape(mul(shared, ones(shape)), means.shape);
}
