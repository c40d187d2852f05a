import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { detectCpu } from "../../runtime/native/cpu-features.ts";

const twoProcessors = (first: string, second: string): string =>
  `processor\t: 0\nmodel name\t: Example CPU @ 2.00GHz\nflags\t\t: ${first}\nbugs\t\t: swapgs\n\n` +
  `processor\t: 1\nmodel name\t: Example CPU @ 2.00GHz\nflags\t\t: ${second}\n`;

test("model and flags of x86", () => {
  const cpu = detectCpu({
    text: twoProcessors("fpu AVX2 fma", "fpu AVX2 fma"),
    architecture: "x64",
    cores: 2,
  });
  expect(cpu).toEqual({
    architecture: "x64",
    model: "Example CPU @ 2.00GHz",
    features: new Set(["fpu", "avx2", "fma"]),
    cores: 2,
  });
});

test("only what every processor has counts", () => {
  const cpu = detectCpu({
    text: twoProcessors("fpu avx2 avx512f", "fpu avx2"),
    architecture: "x64",
    cores: 2,
  });
  expect([...cpu.features]).toEqual(["fpu", "avx2"]);
});

test("the field has another name on Arm, and there is none elsewhere", () => {
  const arm = detectCpu({ text: "processor : 0\nFeatures\t: fp asimd\n", architecture: "arm64", cores: 1 });
  expect([arm.model, ...arm.features]).toEqual(["unknown", "fp", "asimd"]);
  expect(detectCpu({ text: "", architecture: "x64", cores: 4 }).features.size).toBe(0);
});

test.runIf(existsSync("/proc/cpuinfo"))("this machine", () => {
  const cpu = detectCpu();
  expect(cpu.cores).toBeGreaterThan(0);
  const text = readFileSync("/proc/cpuinfo", "utf8").toLowerCase();
  expect([...cpu.features].every((feature) => text.includes(feature))).toBe(true);
  expect(cpu.features.size > 0).toBe(/^(flags|features)\s*:\s*\S/m.test(text));
});
