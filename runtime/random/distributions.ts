/**
 * Random numbers of a stream: number i comes from word i alone, so that any range can be filled in any order,
 * by any number of workers, with the same result on every machine.
 */
import { normalQuantile } from "./normal-quantile.ts";
import { philoxBlock, type RandomStream } from "./philox.ts";

/** Word `index` (0 .. 2^53) of the stream: a uniform unsigned 32-bit integer. */
export function wordAt(stream: RandomStream, index: number): number {
  const words = new Uint32Array(4);
  philoxBlock(stream, Math.floor(index / 4), words);
  return words[index % 4] ?? 0;
}

const uniformOf = (word: number): number => word * 2 ** -32;
/** Centred in its step, so that neither 0 nor 1 comes out and z and -z are equally likely. */
const normalOf = (word: number): number => normalQuantile((word + 0.5) * 2 ** -32);

/** Uniform in [0, 1), a multiple of 2^-32. */
export function uniformAt(stream: RandomStream, index: number): number {
  return uniformOf(wordAt(stream, index));
}

/** Standard normal, at most 6.4 in magnitude (the quantile of 2^-33). */
export function normalAt(stream: RandomStream, index: number): number {
  return normalOf(wordAt(stream, index));
}

/** Fills `target` with numbers `start` .. `start + target.length - 1`, scaled to [low, high) and rounded to float32. */
export function fillUniform(
  stream: RandomStream,
  target: Float32Array,
  low = 0,
  high = 1,
  start = 0,
): Float32Array {
  const width = high - low;
  return fill(stream, target, start, (word) => low + width * uniformOf(word));
}

/** Fills `target` with numbers `start` .. `start + target.length - 1`, of that mean and standard deviation. */
export function fillNormal(
  stream: RandomStream,
  target: Float32Array,
  mean = 0,
  std = 1,
  start = 0,
): Float32Array {
  return fill(stream, target, start, (word) => mean + std * normalOf(word));
}

function fill(
  stream: RandomStream,
  target: Float32Array,
  start: number,
  numberOf: (word: number) => number,
): Float32Array {
  const words = new Uint32Array(4);
  let block = -1;
  for (let position = 0; position < target.length; position += 1) {
    const index = start + position;
    const needed = Math.floor(index / 4);
    if (needed !== block) philoxBlock(stream, needed, words);
    block = needed;
    target[position] = numberOf(words[index % 4] as number);
  }
  return target;
}
