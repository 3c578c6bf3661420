// What the rows do, in TensorFlow.js: each pass prepares a row and returns the function that is timed.

import {
  AdamOptimizer, add, concat, customGrad, dispose, div, fill, logSoftmax, matMul, maximum, mean, mul, neg,
  reshape, scalar, slice, softmax, square, sub, sum, tensor2d, tensor4d, tidy, variable, variableGrads, zeros,
} from "@tensorflow/tfjs-core";

import { normal, shuffled } from "./random.js";
import { conv4, embed } from "./tensorflow_conv4.js";

// The last is PyTorch's; TensorFlow.js would take 1e-7.
const ADAM = [1e-3, 0.9, 0.999, 1e-8];
// Of the implicit row: 400 images, so that the largest tensor takes 52 MB; that of all tasks would take 210.
const TASKS_AT_ONCE = 8;
// Keeps a solve that has converged in float32 from dividing zero by zero.
const TINY = 1e-30;

const MAML_IS_MISSING =
  "TensorFlow.js has no gradient of Conv2DBackpropFilter and MaxPoolGrad: the gradients of convolution and "
  + "max-pooling cannot be differentiated again, as second-order MAML must";

// The timed functions return their results, which the caller disposes of.
export const PASSES = { forward, "forward-backward": forwardBackward, prototypes, maml, implicit };

function forward(row) {
  const network = conv4(row);
  const images = constant(() => upload(imagesOf(row, row.batch), row));
  return () => [tidy(() => embed(network, images, false))];
}

// Kept in all runs of a row, until its variables are disposed of.
function constant(make) {
  return tidy(() => variable(make(), false));
}

// Half the sum of squares, and its gradients of all parameters.
function forwardBackward(row) {
  const network = conv4(row);
  const images = constant(() => upload(imagesOf(row, row.batch), row));
  const half = constant(() => scalar(0.5));
  const loss = () => mul(half, sum(square(embed(network, images, true))));
  return () => {
    const { value, grads } = variableGrads(loss, network.variables);
    return [value, ...Object.values(grads)];
  };
}

function maml() {
  throw new Error(MAML_IS_MISSING);
}

// A step of prototypical networks, with LITE where the row says how many images have a gradient.
function prototypes(row) {
  const network = conv4(row);
  const optimizer = new AdamOptimizer(...ADAM);
  const task = taskOf(row);
  return () => tidy(() => [prototypeStep(row, network, optimizer, task)]);
}

function prototypeStep(row, network, optimizer, { support, query }) {
  const count = support.length;
  const order = row.h ? shuffled(count) : range(count);
  const [chosen, others] = [order.slice(0, row.h ?? count), order.slice(row.h ?? count)];
  const rest = others.length > 0 && tidy(() => {
    return meansOf(row, others, embed(network, upload(pick(support, others), row), false));
  });
  const images = upload([...pick(support, chosen), ...query], row);
  const labels = oneHot(range(query.length), row.ways);
  const loss = () => {
    const [ofSupport, ofQuery] = cut(embed(network, images, true), chosen.length);
    const means = meansOf(row, chosen, scaleGradient(ofSupport, count / chosen.length));
    return crossEntropy(distances(ofQuery, rest ? add(rest, means) : means), labels);
  };
  return optimizer.minimize(loss, true, network.variables);
}

// What the listed images of the support add to the means of their classes.
function meansOf({ ways, shots }, images, embeddings) {
  return matMul(oneHot(images, ways, 1 / shots), embeddings, true);
}

// The first rows, and the others.
function cut(embeddings, count) {
  return [slice(embeddings, [0, 0], [count, -1]), slice(embeddings, [count, 0], [-1, -1])];
}

// The same values with another gradient: LITE's estimate for all from those that were drawn.
function scaleGradient(x, factor) {
  const operation = customGrad((x) => ({ value: x.clone(), gradFunc: (dy) => mul(dy, factor) }));
  return factor === 1 ? x : operation(x);
}

// Negative squared Euclidean distances [queries, ways].
function distances(queries, means) {
  const ofMeans = reshape(sum(square(means), 1), [1, -1]);
  return sub(sub(mul(matMul(queries, means, false, true), 2), sum(square(queries), 1, true)), ofMeans);
}

function crossEntropy(logits, labels) {
  return neg(mean(sum(mul(labels, logSoftmax(logits)), -1)));
}

// A step of implicit hypergradients through linear classifiers, some tasks at a time.
function implicit(row) {
  const network = conv4(row);
  const optimizer = new AdamOptimizer(...ADAM);
  const tasks = Array.from({ length: row.tasks }, () => taskOf(row));
  const groups = [];
  for (let start = 0; start < tasks.length; start += TASKS_AT_ONCE) {
    groups.push(tasks.slice(start, start + TASKS_AT_ONCE));
  }
  return () => tidy(() => implicitStep(row, network, optimizer, groups));
}

// Adds up the gradients of the groups; the loss is the mean of the tasks'.
function implicitStep(row, network, optimizer, groups) {
  let total;
  for (const group of groups) {
    const before = total;
    total = tidy(() => {
      const { value, grads } = variableGrads(() => implicitLoss(row, network, group), network.variables);
      const now = { loss: value, ...grads };
      return before ? added(before, now) : now;
    });
    dispose(before ?? []);
  }
  const { loss, ...gradients } = total;
  optimizer.applyGradients(gradients);
  return [loss];
}

function added(before, now) {
  return Object.fromEntries(Object.keys(now).map((name) => [name, add(before[name], now[name])]));
}

// All images of the group in one pass, then each task's head.
function implicitLoss(row, network, group) {
  const [supports, queries] = [row.ways * row.shots, row.ways * row.queries];
  const images = group.flatMap(({ support, query }) => [...support, ...query]);
  const rows = embed(network, upload(images, row), true);
  const embeddings = reshape(rows, [group.length, supports + queries, -1]);
  const dimension = embeddings.shape[2];
  const support = slice(embeddings, [0, 0, 0], [-1, supports, dimension]);
  const query = slice(embeddings, [0, supports, 0], [-1, queries, dimension]);
  const operation = customGrad((support, query, save) => {
    const { loss, ofSupport, ofQuery } = hypergradient(row, support, query);
    save([ofSupport, ofQuery]);
    return { value: loss, gradFunc: (dy, saved) => saved.map((rows) => mul(rows, dy)) };
  });
  return operation(support, query);
}

// The tasks' part of the mean query loss, with its gradient of the embeddings [tasks, images, dimension]:
// after the inner steps, (inner Hessian) v = gradient of the query loss is solved for v.
function hypergradient(row, support, query) {
  const [tasks, , dimension] = support.shape;
  const supportLabels = taskLabels(row.ways, support);
  const queryLabels = taskLabels(row.ways, query);
  const inner = { inputs: withOne(support), count: scalar(support.shape[1]), ridge: scalar(row.ridge) };
  const weights = innerSteps(row, inner, supportLabels, zeros([tasks, row.ways, dimension + 1]));

  const queryInputs = withOne(query);
  const queryLogits = matMul(queryInputs, weights, false, true);
  const queryErrors = div(sub(softmax(queryLogits), queryLabels), query.shape[1] * row.tasks);
  const loss = mul(crossEntropy(queryLogits, queryLabels), tasks / row.tasks);

  const probabilities = softmax(matMul(inner.inputs, weights, false, true));
  const right = matMul(queryErrors, queryInputs, true);
  const v = conjugateGradient((direction) => hessian(inner, probabilities, direction), right, row.cg_steps);

  const [plainWeights, plainV] = [weights, v].map((w) => slice(w, [0, 0, 0], [-1, -1, dimension]));
  const errors = div(sub(probabilities, supportLabels), inner.count);
  const changes = div(tangents(inner, probabilities, v), inner.count);
  const ofSupport = neg(add(matMul(errors, plainV), matMul(changes, plainWeights)));
  return { loss, ofSupport, ofQuery: matMul(queryErrors, plainWeights) };
}

// Gradient descent on mean cross-entropy and ridge. Weights are [tasks, ways, dimension + 1], the last column
// the bias.
function innerSteps(row, { inputs, count, ridge }, labels, start) {
  const keep = sub(1, mul(ridge, row.inner_lr));
  const pull = div(row.inner_lr, count);
  let weights = start;
  for (let step = 0; step < row.inner_steps; step += 1) {
    const before = weights;
    weights = tidy(() => {
      const errors = sub(softmax(matMul(inputs, before, false, true)), labels);
      return sub(mul(before, keep), matMul(mul(errors, pull), inputs, true));
    });
    dispose(before);
  }
  return weights;
}

// How the probabilities change along a direction of the weights, [tasks, images, ways].
function tangents({ inputs }, probabilities, direction) {
  const changes = mul(probabilities, matMul(inputs, direction, false, true));
  return sub(changes, mul(probabilities, sum(changes, 2, true)));
}

// The inner Hessian times a direction.
function hessian(inner, probabilities, direction) {
  const changes = div(tangents(inner, probabilities, direction), inner.count);
  return add(matMul(changes, inner.inputs, true), mul(inner.ridge, direction));
}

// Solves each task's system from zero, always with as many iterations.
function conjugateGradient(operator, right, iterations) {
  const tiny = scalar(TINY);
  let state = { solution: zeros(right.shape), residual: right, direction: right, norm: dot(right, right) };
  for (let step = 0; step < iterations; step += 1) {
    const before = state;
    state = tidy(() => {
      const product = operator(before.direction);
      const length = div(before.norm, maximum(dot(before.direction, product), tiny));
      const residual = sub(before.residual, mul(length, product));
      const norm = dot(residual, residual);
      const turn = div(norm, maximum(before.norm, tiny));
      return {
        solution: add(before.solution, mul(length, before.direction)),
        residual,
        direction: add(residual, mul(turn, before.direction)),
        norm,
      };
    });
  }
  return state.solution;
}

// Inner products of tasks, [tasks, 1, 1].
function dot(one, other) {
  return sum(mul(one, other), [1, 2], true);
}

// Embeddings with a column of ones, for the bias.
function withOne(embeddings) {
  return concat([embeddings, fill([...embeddings.shape.slice(0, 2), 1], 1)], 2);
}

// Host values of a task's images; the class of an image is its number modulo the ways.
function taskOf(row) {
  return { support: imagesOf(row, row.ways * row.shots), query: imagesOf(row, row.ways * row.queries) };
}

// Random images, one array each.
function imagesOf({ image: [channels, side] }, count) {
  return Array.from({ length: count }, () => normal(channels * side * side, 1));
}

function upload(images, { image: [channels, side] }) {
  const values = new Float32Array(images.length * images[0].length);
  images.forEach((image, index) => values.set(image, index * image.length));
  return tensor4d(values, [images.length, side, side, channels]);
}

// One row for each image, [images, ways], with `value` at its class.
function oneHot(images, ways, value = 1) {
  const values = new Float32Array(images.length * ways);
  images.forEach((image, index) => {
    values[index * ways + image % ways] = value;
  });
  return tensor2d(values, [images.length, ways]);
}

// The labels of every task alike, [1, images, ways].
function taskLabels(ways, { shape: [, images] }) {
  return reshape(oneHot(range(images), ways), [1, images, ways]);
}

function pick(list, indices) {
  return indices.map((index) => list[index]);
}

function range(count) {
  return Array.from({ length: count }, (_, index) => index);
}
