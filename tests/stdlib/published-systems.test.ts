/** The library checks without a word, and each published system trains as many values as its source says. */
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { printChecked } from "../../compiler/check/print-checked.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { quantizedBytes } from "../../runtime/contract/quantized-type.ts";
import { textHost } from "../check/text-host.ts";

const host = textHost({});

function transformOf(file: string, name: string): CheckedTransform {
  const { module } = checkModule(`stdlib/${file}.spx`, host);
  const found = module?.transforms.find((transform) => transform.name === name);
  if (found === undefined) throw new Error(`stdlib/${file}.spx has no transform ${name}`);
  return found;
}

/** Symbols of a transform: sizes, given values, then defaults. */
function symbolsFor(
  transform: CheckedTransform,
  given: Readonly<Record<string, number>>,
): Map<string, number> {
  const values = new Map(Object.entries(given));
  for (const argument of transform.arguments) {
    if (argument.kind !== "number" || values.has(argument.name) || argument.defaultValue === null) continue;
    values.set(argument.name, evaluateNumber(argument.defaultValue, values));
  }
  return values;
}

function trained(transform: CheckedTransform, given: Readonly<Record<string, number>>): number {
  const symbols = symbolsFor(transform, given);
  const params = transform.tensors.filter(({ role }) => role === "param");
  return params.reduce((sum, { count }) => sum + evaluateNumber(count, symbols), 0);
}

test.each(host.standardModules())("%s checks without a warning", (module) => {
  expect(checkModule(`stdlib/${module}.spx`, host).diagnostics).toEqual([]);
});

describe("trained values", () => {
  test.each([
    ["LoRA: r (out + in)", "lora", "LoRA", { out: 768, in: 3072, r: 8 }, 8 * (768 + 3072)],
    [
      "DSEE on one matrix of BERT-base: r (m + n) + N",
      "dsee",
      "DSEE",
      { out: 768, in: 768, r: 16, nnz: 16 },
      16 * 1536 + 16,
    ],
    [
      "SLTrain: r (m + n) + floor(delta m n)",
      "sltrain",
      "SLTrain",
      { out: 513, in: 257, r: 128, delta: 0.03 },
      128 * 770 + Math.floor(0.03 * 513 * 257),
    ],
    ["N:M of a frozen weight trains nothing", "nm", "NM", { out: 64, in: 64 }, 0],
    ["trained N:M: out in n / m", "nm", "TrainedNM", { out: 64, in: 32 }, 64 * 16],
    ["SFT: k", "sft", "SFT", { out: 64, in: 32, k: 79 }, 79],
    ["N:M with decay: out in", "nm_decay", "NMDecay", { out: 64, in: 32 }, 64 * 32],
    [
      "PST: (r1 + r2 + 1) (out + in), 17 a row and column with the published ranks",
      "pst",
      "PST",
      { out: 768, in: 3072, r1: 8, r2: 8 },
      17 * (768 + 3072),
    ],
    ["AST: out in + out in / k", "ast", "AST", { out: 64, in: 128, k: 16 }, 64 * 128 + (64 * 128) / 16],
    [
      "AST, the tail trained: an eighth more for a square of k = 16",
      "ast",
      "ASTTail",
      { out: 768, in: 768, k: 16 },
      768 * 768 * 1.125,
    ],
    ["DoRA: r (out + in) + out", "dora", "DoRA", { out: 768, in: 3072, r: 8 }, 8 * 3840 + 768],
    ["DoRA with its norms trained", "dora", "FullDoRA", { out: 768, in: 3072, r: 8 }, 8 * 3840 + 768],
    ["LoHa: 2 r (out + in)", "loha", "LoHa", { out: 768, in: 3072, r: 8 }, 16 * 3840],
    [
      "LoKr: p q + r (out / p + in / q)",
      "lokr",
      "LoKr",
      { out: 768, in: 3072, p: 8, q: 16, r: 4 },
      128 + 4 * (96 + 192),
    ],
    ["LoKr, both full", "lokr", "FullLoKr", { out: 768, in: 3072, p: 8, q: 16 }, 128 + 96 * 192],
    [
      "LoKr, both thin",
      "lokr",
      "ThinLoKr",
      { out: 768, in: 3072, p: 32, q: 16, r: 4 },
      4 * 48 + 4 * (24 + 192),
    ],
    ["OFT: in (size - 1) / 2", "oft", "OFT", { out: 64, in: 768, size: 32 }, (768 * 31) / 2],
    ["BOFT, two factors: in (size - 1)", "boft", "BOFT", { out: 64, in: 768, size: 8 }, 768 * 7],
    [
      "BOFT, m factors: m in (size - 1) / 2",
      "boft",
      "BOFT",
      { out: 64, in: 1024, size: 16, m: 2 },
      1024 * 15,
    ],
    ["AdaLoRA: r (out + in) + r", "adalora", "AdaLoRA", { out: 768, in: 3072 }, 12 * 3841],
    ["rank-stabilised LoRA: r (out + in)", "rslora", "RSLoRA", { out: 768, in: 3072 }, 64 * 3840],
    ["LoRA-FA: r out", "lora_fa", "LoRAFA", { out: 768, in: 3072, r: 8 }, 8 * 768],
    ["MiSS: r out", "miss", "MiSS", { out: 768, in: 3072 }, 64 * 768],
    ["MoRA: s²", "mora", "MoRA", { out: 768, in: 3072, s: 192 }, 192 * 192],
    ["GQA of 32 heads over 4: an eighth", "gqa", "GQA", { out: 4096, in: 4096 }, 512 * 4096],
    ["the heads of LEVI", "levi", "LEVI", { out: 10, in: 1088, features: 64 }, 10 * 1024 + 4 * 640],
    ["CFSP trains nothing", "cfsp", "CFSPUp", { f: 14336, in: 4096 }, 0],
    ["CFSP below trains nothing", "cfsp", "CFSPDown", { f: 14336, out: 4096 }, 0],
    ["positions of 7 x 7 patches: (7 + 7) d", "selfie", "GridPositions", { out: 49, in: 1024 }, 14 * 1024],
    [
      "canonical examples, ten senses: 7 680 numbers",
      "canonical_examples",
      "SenseFinetuning",
      { out: 50264 * 16, in: 768 },
      7680,
    ],
    [
      "a prefix of 32 positions: out e + (e + 1) m + (m + 1) in",
      "prefix",
      "Prefix",
      { out: 32, in: 1024 },
      32 * 512 + 513 * 512 + 513 * 1024,
    ],
    ["a verbalizer trains nothing", "pet", "Verbalizer", { tokens: 50265, in: 1024 }, 0],
    ["HRA: 2 r in", "hra", "HRA", { out: 64, in: 768, r: 4 }, 8 * 768],
    ["IA3: out", "ia3", "IA3", { out: 768, in: 3072 }, 768],
    ["IA3 on inputs: in", "ia3", "IA3Inputs", { out: 768, in: 3072 }, 3072],
    ["a uniform soup trains nothing", "soups", "UniformSoup", { out: 768, in: 768 }, 0],
    ["a learned soup: n", "soups", "LearnedSoup", { out: 768, in: 768 }, 3],
    ["WiSE trains nothing", "soups", "WiSE", { out: 768, in: 768 }, 0],
    ["skill grafting: out in", "grafting", "SkillGrafting", { out: 768, in: 768, count: 59 }, 768 * 768],
    ["PAT: 2 r out + 2 out", "pat", "PAT", { out: 4096, in: 64, r: 200 }, 400 * 4096 + 2 * 4096],
    ["sparse delta: nnz", "sparse_delta", "SparseDelta", { out: 64, in: 32, nnz: 77 }, 77],
    ["random delta: nnz", "sparse_delta", "RandomDelta", { out: 64, in: 32, nnz: 78 }, 78],
    ["Monarch: 2 n √n", "monarch", "Monarch", { n: 1024 }, 2 * 1024 * 32],
    ["Monarch with 4 blocks: n² / 4 + 4 n", "monarch", "Monarch", { n: 64, b: 4 }, (64 * 64) / 4 + 4 * 64],
    ["block sparse trains nothing", "block_sparse", "BlockSparse", { out: 64, in: 32 }, 0],
    ["PHM: n³ + out in / n", "phm", "PHM", { out: 24, in: 768 }, 64 + (24 * 768) / 4],
    [
      "PiSSA, 6.25 % of 4096² at rank 128: r (out + in)",
      "pissa",
      "PiSSA",
      { out: 4096, in: 4096, r: 128 },
      0.0625 * 4096 * 4096,
    ],
    ["MiLoRA: as PiSSA", "pissa", "MiLoRA", { out: 48, in: 32, r: 5 }, 5 * 80],
    ["VeRA: out + r", "vera", "VeRA", { out: 768, in: 3072 }, 768 + 256],
    [
      "PELA, c = 2 of 768²: rank 192, half the values",
      "pela",
      "PELA",
      { out: 768, in: 768 },
      (768 * 768) / 2,
    ],
    ["PELA, c = 2 of 768 x 3072: rank 307", "pela", "PELA", { out: 768, in: 3072 }, 307 * 3840],
    ["PELA, c = 3 of 768 x 3072: rank 204", "pela", "PELA", { out: 768, in: 3072, c: 3 }, 204 * 3840],
    ["CorDA: 6.25 % of 4096² at rank 128", "corda", "CorDA", { out: 4096, in: 4096 }, 0.0625 * 4096 * 4096],
    ["CorDA of a task: the same", "corda", "PreviewedCorDA", { out: 4096, in: 64, r: 3 }, 3 * 4160],
    ["LQ-LoRA: r (out + in)", "lq_lora", "LQLoRA", { out: 128, in: 192, r: 16 }, 16 * 320],
    ["weighted LQ-LoRA: the same", "lq_lora", "WeightedLQLoRA", { out: 128, in: 192, r: 16 }, 16 * 320],
    ["QLoRA: r (out + in)", "qlora", "QLoRA", { out: 128, in: 192 }, 64 * 320],
    ["quantized trunk trains nothing", "qst", "QSTTrunk", { out: 128, in: 192 }, 0],
    ["side layer: all of its own", "qst", "QSTSide", { out: 16, in: 24 }, 16 * 24],
    ["first map of a down adapter: k in", "qst", "QSTDown", { k: 16, in: 4096 }, 16 * 4096],
    ["mixing gates: out", "qst", "QSTMix", { out: 256, in: 512 }, 256],
    ["side head: w in + in", "qst", "QSTHead", { out: 32000, in: 4096 }, 257 * 4096],
    ["FourierFT: n", "fourier_ft", "FourierFT", { out: 768, in: 768 }, 1000],
    ["ALLoRA: r (out + in)", "allora", "ALLoRA", { out: 48, in: 32 }, 16 * 80],
    ["int8 blocks train nothing", "block_sparse", "BlockSparseInt8", { out: 64, in: 32 }, 0],
    [
      "Compacter, one projection of 768 to 24: 792, and 64 for the shared factors",
      "phm",
      "Compacter",
      { out: 24, in: 768 },
      792 + 64,
    ],
  ] as const)("%s", (_title, file, name, given, expected) => {
    expect(trained(transformOf(file, name), given)).toBe(expected);
  });

  test("24 matrices of BERT-base with r = 16 train 589 824 low-rank values", () => {
    const dsee = transformOf("dsee", "DSEE");
    expect(24 * (trained(dsee, { out: 768, in: 768, r: 16, nnz: 16 }) - 16)).toBe(589_824);
  });

  test("the side network of LLaMA-2-7B, without its gates: 28.6 M values, 0.42 % of the trunk", () => {
    const side = (out: number, inputs: number): number =>
      trained(transformOf("qst", "QSTSide"), { out, in: inputs });
    const [w, ffn] = [4096 / 16, 11008 / 16];
    const block = 4 * side(w, w) + 2 * side(ffn, w) + side(w, ffn);
    const down = trained(transformOf("qst", "QSTDown"), { k: 16, in: 4096 }) + side(w, 16);
    const up = trained(transformOf("qst", "QSTHead"), { out: 32000, in: 4096, w }) - 4096;
    expect([32 * block, 32 * down, up]).toEqual([25_296_896, 2_228_224, 1_048_576]);
    expect((32 * (block + down) + up) / 6_738_415_616).toBeCloseTo(0.0042, 4);
  });
});

describe("bytes of quantized tensors", () => {
  const bits = (file: string, name: string, given: Readonly<Record<string, number>>): number => {
    const transform = transformOf(file, name);
    const tensor = transform.tensors.find(({ quantization }) => quantization !== null);
    const [rows, columns] = tensor?.dimensions ?? [];
    if (tensor?.quantization == null || rows === undefined || columns === undefined)
      throw new Error(`${name} quantizes nothing`);
    const symbols = symbolsFor(transform, given);
    return (8 * evaluateNumber(quantizedBytes(tensor.quantization, rows, columns), symbols)) / 4096 ** 2;
  };
  test.each([
    ["lq_lora", "LQLoRA", 4.5],
    ["lq_lora", "LQLoRA3", 3.5],
    ["lq_lora", "LQLoRA2", 2.5],
    ["qlora", "QLoRA", 4.5],
    ["qst", "QSTTrunk", 4.5],
    ["block_sparse", "BlockSparseInt8", 8 + 32 / 4096],
  ])("%s %s: %f bits a value of 4096², the scales included", (file, name, expected) => {
    expect(bits(file, name, { out: 4096, in: 4096 })).toBe(expected);
  });
});

describe("kept positions", () => {
  const count = (
    transform: CheckedTransform,
    name: string,
    given: Readonly<Record<string, number>>,
  ): number => {
    const pattern = transform.patterns.find((candidate) => candidate.name === name);
    if (pattern === undefined) throw new Error(`no pattern ${name}`);
    return evaluateNumber(pattern.count, symbolsFor(transform, given));
  };
  test("half of every group of four", () => {
    expect(count(transformOf("nm", "NM"), "M", { out: 10, in: 32 })).toBe(160);
  });
  test("whole blocks of 4 outputs", () => {
    expect(count(transformOf("block_sparse", "BlockSparse"), "M", { out: 20, in: 7, keep: 0.2 })).toBe(
      Math.round(0.2 * 35) * 4,
    );
  });
  test("magnitude keeps a rounded share", () => {
    expect(count(transformOf("dsee", "DSEE"), "M", { out: 3, in: 5, keep: 0.5 })).toBe(8);
  });
});

describe("checked forms", () => {
  test.each(host.standardModules().filter((module) => !module.startsWith("std/")))("%s", async (module) => {
    const checked = checkModule(`stdlib/${module}.spx`, host).module;
    if (checked === null) throw new Error("it does not check");
    await expect(printChecked(checked)).toMatchFileSnapshot(`checked/${module}.txt`);
  });
});
