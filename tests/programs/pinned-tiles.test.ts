/** Kernels with pinned tiles, of every format that shares them, native on every level, against the float64 oracle. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tileTokens, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { checkForward, loadCase } from "./backward-check.ts";
import { type BuiltProgram, buildProgram, openChanged } from "./built-program.ts";

const tiles = [...tileTokens["lane-output"], ...tileTokens["lane-token"]];

const bodies = {
  Thin: `param B: [out, r] = 0
  param A: [r, in]  = 0
  weight = W + B @ A
  pin separate B @ A`,
  Sparse: `param S: sparse [out, in] on random_support(out) = 0
  weight = S`,
  Groups: `require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  weight = M .* W
  pin format M .* W = groups`,
  Blocks: `require out % b == 0 and in % b == 0 and out == in
  param L: blockdiag [out, out] blocks b = 0
  weight = L`,
} as const;

const source = `import { magnitude, random_support } from "std/select"
${tiles
  .flatMap((tile) =>
    Object.entries(bodies).map(
      ([name, body]) => `transform ${name}${tile}(W: frozen [out, in], r: int = 3, b: int = 4) {
  ${body}
  pin tile = ${tile}
}`,
    ),
  )
  .join("\n")}
`;

const folder = mkdtempSync(join(tmpdir(), "spx-tiles-"));
let program: BuiltProgram;

beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { features } = detectCpu();
const levels = x86Targets.filter(({ needs }) => needs.every((need) => features.has(need)));

describe.each(tiles)("tiles of %i tokens", (tile) => {
  test.each(Object.keys(bodies))("%s", async (body) => {
    const name = `${body}${tile}`;
    for (const { name: level } of levels) {
      const artefact = openChanged(
        program,
        { folder, name: `${name}-${level}`, level },
        (manifest) => manifest,
      );
      for (const size of [4, 20, 52]) {
        const { layer, weight } = await loadCase(program, name, size, size, {}, artefact);
        const layout = tile < 16 ? "lane-output" : "lane-token";
        expect(new Set(layer.plan().map((interval) => interval.layout))).toEqual(new Set([layout]));
        checkForward({ layer, weight }, [1, 2, 3, 5, 16, 31, 33, 64, 65], `${size}, ${level}`);
        layer.dispose();
      }
    }
  });
});
