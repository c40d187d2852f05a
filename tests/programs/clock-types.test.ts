/** The emitted declarations know the clocks, the numbers and the patterns of a transform: judged by TypeScript itself. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTypeScriptModule } from "../../compiler/emit/typescript-module.ts";
import { buildProgram } from "./built-program.ts";

const source = `
import { magnitude } from "std/select"

transform Moving(W: frozen [out, in]) {
  schedule s: ratio = 1 - progress
  phase late = step > 10
  mask M: unstructured = magnitude(W, 0.5)
  refresh M every 5
  weight = (s + late) * (M .* W)
}
transform Still(W: frozen [out, in]) {
  weight = 2 * W
}
`;

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spx-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  const { artefact } = await buildProgram({ text: source });
  const names = { manifestFile: "m.json", manifestHash: "", runtime: join(root, "runtime", "index.ts") };
  const { declarations } = writeTypeScriptModule(artefact.manifest(), names);
  writeFileSync(join(folder, "program.d.ts"), declarations);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
}, 240_000);

/** `line: code` of what TypeScript says of a file with these lines. */
function judged(lines: readonly string[]): string[] {
  const text = ['import { Moving, Still } from "./program.js";', ...lines, "export {};"].join("\n");
  writeFileSync(join(folder, "use.ts"), text);
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  writeFileSync(join(folder, "use.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", "use.json", "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  return [...stdout.matchAll(/^use\.ts\((\d+),\d+\): error TS(\d+)/gm)].map(
    ([, line, code]) => `${Number(line) - 1}: ${code}`,
  );
}

const loading = [
  "const W = { data: new Float32Array(4), shape: [2, 2] };",
  "const moving = await Moving.load({ W });",
];

test("what is right is accepted", () => {
  expect(
    judged([
      ...loading,
      "const { numbers, patterns } = moving.at({ step: 1, progress: 0.5 });",
      "const sum: number = numbers.s + numbers.late;",
      'const name: "M" | undefined = patterns[0]?.name;',
      "const s: number = Moving.numbersAt({ step: 1, progress: 0 }).s;",
      "const still = await Still.load({ W });",
      "still.at({});",
      "void [sum, name, s];",
    ]),
  ).toEqual([]);
});

test("what is wrong is refused where it stands", () => {
  expect(
    judged([
      ...loading,
      "moving.at({ step: 1 });",
      "moving.at({ step: 1, progress: 0, epok: 2 });",
      "moving.at({ step: 1, progress: 0 }).numbers.t;",
      "Moving.numbersAt({ progress: 0 });",
    ]),
  ).toEqual(["3: 2741", "4: 2353", "5: 2339", "6: 2741"]);
});
