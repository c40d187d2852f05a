import { writeFileSync } from "node:fs";
import { it } from "vitest";
import {
  assign,
  createBlock,
  createNames,
  declareRegister,
  loop,
  store,
} from "../../compiler/loop/loop-builder.ts";
import {
  binary,
  constant,
  f32x16,
  fma,
  int,
  load,
  symbol,
  zeros,
} from "../../compiler/loop/loop-expression.ts";
import type { LoopProgram } from "../../compiler/loop/loop-node.ts";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { loadKernels } from "../backend/native-kernels.ts";
import { atomFamilies } from "./atom-cases.ts";
import { bindCall } from "./native-runs.ts";

const sizes = (process.env.SIZES ?? "1024x1024")
  .split(",")
  .map((s) => s.split("x").map(Number) as [number, number]);
const batches = (process.env.BATCH ?? "1,64").split(",").map(Number);
const threads = (process.env.THREADS ?? "1").split(",").map(Number);
const only = new RegExp(process.env.ONLY ?? "^dense,");
const suffix = process.env.LEVEL ?? "v4";

function peakProgram(level: string, chains: number): LoopProgram {
  const names = createNames([]);
  const block = createBlock(names);
  const sums = Array.from({ length: chains }, () => declareRegister(block, "s", load("x", int(0), f32x16)));
  const a = load("x", int(0), f32x16);
  block.statements.push({ kind: "let", name: "a", value: a });
  const ra = { kind: "read", name: "a", type: f32x16 } as const;
  loop(block, "i", { from: int(0), to: symbol("batch") }, (inner) => {
    for (const s of sums) assign(inner, s, fma(s.read, ra, ra));
  });
  sums.forEach((s, i) => store(block, "y", int(i * 16), s.read));
  return {
    name: "peak",
    level,
    buffers: [
      { name: "x", element: "f32", space: "input", length: int(16) },
      { name: "y", element: "f32", space: "output", length: int(16 * chains) },
    ],
    symbols: [],
    phases: [{ name: "p", tile: "t", tiles: int(1), body: block.statements }],
  };
}
function best(f: () => void, ms = 300): number {
  f();
  let b = Infinity;
  const end = performance.now() + ms;
  do {
    const t = performance.now();
    f();
    b = Math.min(b, performance.now() - t);
  } while (performance.now() < end);
  return b;
}
it("speed", async () => {
  const target = x86Targets.find((t) => t.suffix === suffix)!;
  const lines: string[] = [];
  const say = (s: string) => {
    lines.push(s);
    writeFileSync(process.env.REPORT ?? "/tmp/lw/speed.txt", lines.join("\n") + "\n");
  };
  const chains = suffix === "v4" ? 16 : 6;
  const items = sizes.flatMap(([r, c]) =>
    atomFamilies.filter((f) => only.test(`${f.name}, ${f.layout}`)).map((f) => ({ f, w: f.make(r, c, 1) })),
  );
  const lowered = items.map(({ f, w }, i) => ({
    f,
    w,
    k: lowerVariant(w.plan, w.variant, target, { name: `k${i}`, constants: {} }),
  }));
  const kernels = await loadKernels([peakProgram(target.name, chains), ...lowered.map((l) => l.k.program)]);
  writeFileSync("/tmp/lw/speed.so", kernels.library.bytes);
  const y0 = new Float32Array(16 * chains),
    n = 200000;
  const peakOf = () =>
    (2 * 16 * chains * n) /
    best(() => kernels.run("peak", { x: new Float32Array(16), y: y0, batch: n, threads: 1 }), 100) /
    1e6;
  say(`peak ${peakOf().toFixed(0)} GF`);
  const baseline = new Map<string, number>();
  for (const { f, w, k } of lowered)
    for (const batch of batches) {
      const bound = bindCall(w, k, batch);
      const x = new Float32Array(batch * w.weight.columns).fill(0.5),
        y = new Float32Array(batch * w.weight.rows);
      for (const t of threads) {
        const ms = best(() => kernels.run(k.program.name, { ...bound, x, y, batch, threads: t }));
        const bytes = bound.constants.reduce((s, b) => s + b.byteLength, 0);
        let nnz = 0;
        for (const v of w.weight.values) if (v !== 0) nnz++;
        const key = `${w.weight.rows}x${w.weight.columns}/${batch}/${t}`;
        if (f.name === "dense") baseline.set(key, Math.min(ms, baseline.get(key) ?? Infinity));
        say(
          `${f.name} ${f.layout} ${key}: ${(ms * 1000).toFixed(1)} us, ${(bytes / ms / 1e6).toFixed(1)} GB/s, ${((2 * nnz * batch) / ms / 1e6).toFixed(0)} GF real, ${((2 * w.weight.values.length * batch) / ms / 1e6).toFixed(0)} GF dense-eq, vs dense ${((baseline.get(key) ?? NaN) / ms).toFixed(2)}x`,
        );
      }
    }
  say(`peak ${peakOf().toFixed(0)} GF`);
}, 600000);
