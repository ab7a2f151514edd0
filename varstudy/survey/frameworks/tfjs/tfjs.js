// TensorFlow.js's side of on_tfjs.py: a line of JSON in, a line of JSON out. Arrays are little-endian float32 in base64.
"use strict";

// The plain JavaScript back end greets on the console, which is our line to Python.
console.log = console.info = console.warn = (...words) => console.error(...words);
const tf = require("@tensorflow/tfjs");

const layers = [];

function enter({ shape, data }) {
  const bytes = Buffer.from(data, "base64");
  return tf.tensor(new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), shape);
}

function leave(tensor) {
  const values = tensor.dataSync();
  return { shape: tensor.shape, data: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64") };
}

const weight = (layer, end) => layer.weights.find((each) => each.originalName.endsWith(end));

const answers = {
  versions: () => ({ tfjs: tf.version.tfjs, node: process.version, backend: tf.getBackend() }),

  layer({ name, options, shape }) {
    const layer = tf.layers[name](options);
    layer.build(shape);
    layers.push(layer);
    const { epsilon, momentum } = layer.getConfig();
    return { number: layers.length - 1, arguments: momentum === undefined ? { epsilon } : { epsilon, momentum } };
  },

  forward: ({ number, x, training }) => leave(layers[number].apply(enter(x), { training })),

  backward({ number, x, dy }) {
    const gradient = tf.grad((input) => layers[number].apply(input, { training: true }));
    return leave(gradient(enter(x), enter(dy)));
  },

  running({ number }) {
    const [mean, variance] = ["moving_mean", "moving_variance"].map((end) => weight(layers[number], end));
    return mean === undefined ? null : { mean: leave(mean.read()), var: leave(variance.read()) };
  },

  set_running({ number, mean, var: variance }) {
    weight(layers[number], "moving_mean").write(enter(mean));
    weight(layers[number], "moving_variance").write(enter(variance));
    return null;
  },
};

async function main() {
  await tf.setBackend("cpu");
  const lines = require("readline").createInterface({ input: process.stdin });
  for await (const line of lines) {
    const question = JSON.parse(line);
    let answer;
    try {
      answer = { answer: answers[question.do](question) };
    } catch (problem) {
      answer = { error: String(problem && problem.message) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
