import { writeFileSync } from "node:fs";
import { it } from "vitest";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { printLoop } from "../../compiler/loop/print-loop.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { compileOrThrow } from "../backend/native-kernels.ts";
import { atomFamilies } from "./atom-cases.ts";

it("sizes", async () => {
  const seen = new Set<string>();
  const programs = [];
  for (const target of x86Targets)
    for (const family of atomFamilies) {
      const w = family.make(32, 32, 1);
      const name = `k_${family.name}_${family.layout}_${target.suffix}`.replaceAll(/[^A-Za-z0-9]+/g, "_");
      const k = lowerVariant(w.plan, w.variant, target, { name, constants: {} });
      if (seen.has(name)) continue;
      seen.add(name);
      writeFileSync(`/tmp/lw/${name}.loop`, printLoop(k.program));
      const only = process.env.ONLY;
      if (only && !name.match(only)) continue;
      programs.push(k.program);
    }
  const lib = await compileOrThrow(programs, { keepIr: true });
  writeFileSync("/tmp/lw/k.so", lib.bytes);
  writeFileSync("/tmp/lw/k.ll", lib.ir);
  console.log(lib.timings);
}, 200000);
