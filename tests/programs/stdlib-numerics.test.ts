/**
 * Every transform of the standard library, compiled and loaded for real: forward with the variant that the plan
 * chooses, asynchronous forward and merge against the float64 oracle, at awkward sizes and batches.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { oracleForward, oracleWeight, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { Layer } from "../../runtime/index.ts";
import { type BuiltProgram, givenTensors, randomizeParameters, testMatrix } from "./built-program.ts";
import { buildStdlib, computedCases, errorBound, guardedForward, stdlibCases } from "./stdlib-cases.ts";

const batches = [0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 49];
let programs: ReadonlyMap<string, BuiltProgram> = new Map();

beforeAll(async () => {
  programs = await buildStdlib("winning", [...stdlibCases, ...computedCases]);
}, 240_000);

describe.each([...stdlibCases, ...computedCases])(
  "$file $transform $numbers",
  ({ file, transform, sizes, numbers }) => {
    test.each(sizes)("[%i, %i]", async (out, inputs) => {
      const program = programs.get(file);
      const stages = program?.stages.get(transform);
      if (program === undefined || stages === undefined) throw new Error(`no ${transform}`);
      const given = givenTensors(stages, out, inputs);
      const layer = (await program.artefact
        .transform(transform)
        .load({ ...given, ...numbers, seed: 3 })) as Layer;
      randomizeParameters(layer, 5);
      const expected = oracleWeight(stages, layer, given);
      expect(relativeError(layer.merge().data, expected.values)).toBeLessThan(errorBound);
      for (const batch of batches) {
        const x = testMatrix(batch + 7, batch * inputs);
        const y = oracleForward(expected, x, batch);
        expect(relativeError(guardedForward(layer, x, batch), y), `batch ${batch}`).toBeLessThan(errorBound);
        const later = await layer.forwardAsync(x);
        expect(relativeError(later.data, y), `batch ${batch}, asynchronous`).toBeLessThan(errorBound);
      }
      layer.dispose();
    });
  },
);
