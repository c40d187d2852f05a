/** Published systems that choose which entries to train: as many values as their sources say. */
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { evaluateNumber, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { textHost } from "../check/text-host.ts";

const host = textHost({});

function transformOf(file: string, name: string): CheckedTransform {
  const { module } = checkModule(`stdlib/${file}.spx`, host);
  const found = module?.transforms.find((transform) => transform.name === name);
  if (found === undefined) throw new Error(`stdlib/${file}.spx has no transform ${name}`);
  return found;
}

/** Values that the params of a transform store, given sizes, arguments and measured counts. */
function trained(transform: CheckedTransform, given: Readonly<Record<string, number>>): number {
  const symbols = new Map(Object.entries(given));
  for (const argument of transform.arguments) {
    if (argument.kind !== "number" || symbols.has(argument.name) || argument.defaultValue === null) continue;
    symbols.set(argument.name, evaluateNumber(argument.defaultValue, symbols));
  }
  const params = transform.tensors.filter(({ role }) => role === "param");
  return params.reduce((sum, { count }) => sum + evaluateNumber(count, symbols), 0);
}

describe("trained values", () => {
  test.each([
    ["S²FT, a column split: out c", "s2ft", "S2FTColumns", { out: 4096, in: 14336, c: 430 }, 4096 * 430],
    ["S²FT, a row split: c in", "s2ft", "S2FTRows", { out: 64, in: 33, c: 5 }, 5 * 33],
    ["SHiRA, random: r (out + in)", "shira", "SHiRARandom", { out: 768, in: 3072, r: 8 }, 8 * 3840],
    ["SHiRA, magnitude: r (out + in)", "shira", "SHiRAMagnitude", { out: 13, in: 17, r: 2 }, 2 * 30],
    ["SuperTuning: ⌊numel (1 - sparsity)⌋", "super_tuning", "SuperTuning", { out: 768, in: 768 }, 5898],
    ["Supra adds r (out + in)", "super_tuning", "Supra", { out: 768, in: 768, r: 4 }, 5898 + 4 * 1536],
    ["Sparse-IFT wide", "sparse_ift", "SparseWide", { out: 10, in: 30, s: 0.75 }, 75],
    [
      "Sparse-IFT factorized: 2458 features between",
      "sparse_ift",
      "SparseFactorized",
      { out: 3072, in: 768 },
      Math.round(0.25 * 3072 * 2458) + Math.round(0.25 * 2458 * 768),
    ],
    [
      "Sparse-IFT doped: rank 460",
      "sparse_ift",
      "SparseDoped",
      { out: 3072, in: 768 },
      768 * 768 + 460 * 3840,
    ],
    [
      "SparseByteNN: whole groups of 4",
      "sparse_byte_nn",
      "SparseByteNN",
      { out: 64, in: 33 },
      4 * Math.round(0.7 * 16 * 33),
    ],
    [
      "essential sparsity, uniform",
      "essential_sparsity",
      "UniformSparsity",
      { out: 7, in: 5, keep: 0.4 },
      14,
    ],
    [
      "essential sparsity, ERK: the layer's share",
      "essential_sparsity",
      "ERKSparsity",
      { out: 7, in: 5, "erk(keep, out, in)": 0.4 },
      14,
    ],
    ["essential sparsity, 2:4", "essential_sparsity", "SemiStructuredSparsity", { out: 6, in: 8 }, 24],
    ["a sparse probe trains nothing by gradients", "sparse_mezo", "SparseMeZO", { out: 6, in: 8 }, 0],
    ["sparse then prune: out in", "sparse_then_prune", "SparseThenPrune", { out: 6, in: 8 }, 48],
    ["MaskSparsity: out in + out", "mask_sparsity", "MaskSparsity", { out: 6, in: 8 }, 54],
    ["both stages of SaRA, stored dense", "sara", "ProgressiveSaRA", { out: 6, in: 8 }, 48],
    ["N:M that fades in a line: out in", "nm_decay", "NMDecayLinear", { out: 6, in: 8 }, 48],
    ["N:M that fades, gradients straight", "nm_decay", "NMDecayStraight", { out: 6, in: 8 }, 48],
    ["N:M in frames: out in", "nm_decay", "NMFrames", { out: 6, in: 8 }, 48],
    ["SR-STE: out in", "nm_decay", "SRSTE", { out: 6, in: 8 }, 48],
    ["Sparse-IFT parallel: the branches' shares", "sparse_ift", "SparseParallel", { out: 10, in: 30 }, 1200],
    ["the last map of a side network: out in", "qst", "QSTUp", { out: 4096, in: 256 }, 1_048_576],
    [
      "WeLore: k (out + in), k what the spectrum keeps",
      "welore",
      "WeLore",
      { out: 64, in: 32, "count(Dropped)": 20 },
      12 * 96,
    ],
    ["a soup trains nothing", "sparse_soups", "SparseSoup", { out: 6, in: 8 }, 0],
    ["Wanda trains nothing", "wanda", "Wanda", { out: 6, in: 8 }, 0],
  ] as const)("%s", (_title, file, name, given, expected) => {
    expect(trained(transformOf(file, name), given)).toBe(expected);
  });

  test.each([
    ["SaRA: the small entries", "sara", "SaRA", "count(Omega)"],
    ["a pruned checkpoint: what is left of it", "squarehead", "Masked", "count(M)"],
    ["essential sparsity, global: the layer's share", "essential_sparsity", "GlobalSparsity", "count(M)"],
    ["essential sparsity, at random: the same", "essential_sparsity", "RandomSparsity", "count(M)"],
    ["gradual pruning: what is left", "gradual_magnitude", "GradualMagnitude", "count(M)"],
    ["SPDF: what is not masked", "spdf", "SPDF", "count(M)"],
    ["LT-SFT: the layer's share", "lt_sft", "LTSFT", "count(S.support)"],
    ["SHiRA, structured", "shira", "SHiRAStruct", "count(E)"],
  ] as const)("%s, which only data know", (_title, file, name, symbol) => {
    const transform = transformOf(file, name);
    const params = transform.tensors.filter(({ role }) => role === "param");
    expect(params.flatMap(({ count }) => symbolsOf(count))).toEqual([symbol]);
    expect(trained(transform, { out: 8, in: 8, [symbol]: 11 })).toBe(11);
  });

  test("the share of SuperTuning is that of whole numbers in double precision, at every size", () => {
    const transform = transformOf("super_tuning", "SuperTuning");
    for (const [out, inputs] of [
      [1, 1],
      [10, 10],
      [100, 100],
      [1000, 3],
      [767, 769],
      [4096, 4096],
      [11008, 4096],
    ] as const)
      expect(trained(transform, { out, in: inputs }), `${out} x ${inputs}`).toBe(
        Math.trunc(out * inputs * (1 - 0.99)),
      );
  });

  test("CFSP leaves 11 520 of 14 336 channels at four fifths, whole tiles of 128", () => {
    const { weight } = transformOf("cfsp", "CFSPUp");
    const symbols = (keep: number) => new Map(Object.entries({ f: 14336, in: 4096, tile: 128, keep }));
    expect(evaluateNumber(weight.rows, symbols(0.8))).toBe(11520);
    for (const keep of [0.1, 0.337, 0.5, 0.999, 1])
      expect(evaluateNumber(weight.rows, symbols(keep)) / 128).toBe(Math.floor((14336 * keep + 64) / 128));
  });

  test("the factors of Sparse-IFT multiply as much as the dense layer, up to one feature", () => {
    for (const [out, inputs] of [
      [3072, 768],
      [768, 768],
      [64, 256],
    ] as const) {
      const factors = trained(transformOf("sparse_ift", "SparseFactorized"), { out, in: inputs });
      expect(Math.abs(factors - out * inputs)).toBeLessThanOrEqual(0.25 * (out + inputs) + 1);
      const doped = trained(transformOf("sparse_ift", "SparseDoped"), { out, in: inputs });
      expect(Math.abs(doped - out * inputs)).toBeLessThanOrEqual(out + inputs);
    }
  });
});
