/**
 * The README and the language's documents, run: every `spx` block is checked, every command line is executed in a
 * folder of a newcomer, the TypeScript is compiled against the emitted declarations and run.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { commandFile } from "../cli/spxc-process.ts";
import { markdownBlocks } from "./markdown-blocks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const blocksOf = (file: string, language: string) =>
  markdownBlocks(readFileSync(join(root, file), "utf8")).filter((block) => block.language === language);

/** Where a newcomer works: the layer of the README, and spx as an installed package. */
const folder = mkdtempSync(join(tmpdir(), "spx-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [layer] = blocksOf("README.md", "spx");
const commands = blocksOf("README.md", "sh").flatMap(({ text }) => text.split("\n"));
const spxc = commands.filter((line) => line.startsWith("npx spxc "));
const [usage] = blocksOf("README.md", "ts");

beforeAll(() => {
  writeFileSync(join(folder, "my-layer.spx"), `${layer?.text}\n`);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  execFileSync("mkdir", ["node_modules"], { cwd: folder });
  symlinkSync(root, join(folder, "node_modules", "spx"));
});

describe("spx blocks", () => {
  const files = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)];
  // A block under a comment is an excerpt of something that another test holds to its source.
  const blocks = files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) => blocksOf(file, "spx").map((block) => ({ file, ...block })))
    .filter(({ comment }) => comment === null);

  it.each(blocks.map((block) => [`${block.file}:${block.line}`, block.text] as const))("%s", (name, text) => {
    const host = nodeHost();
    const entry = `${name}.spx`;
    const reading = { ...host, readFile: (path: string) => (path === entry ? text : host.readFile(path)) };
    const { diagnostics, sources } = checkModule(entry, reading);
    expect(renderDiagnostics(diagnostics, sources)).toBe("");
  });
});

describe("command lines of the README", () => {
  it("are npm scripts that exist, or spxc", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const others = commands.filter((line) => !spxc.includes(line));
    expect(others).toEqual(["npm run quickstart", "npm test"]);
    for (const line of others) {
      const [, file] = /^node (\S+)$/.exec(scripts[line.split(" ").at(-1) ?? ""] ?? "") ?? [];
      expect(file !== undefined && existsSync(join(root, file)), line).toBe(true);
    }
    for (const verb of ["check", "explain", "build", "print", "doctor"]) {
      expect(
        spxc.some((line) => line.startsWith(`npx spxc ${verb}`)),
        verb,
      ).toBe(true);
    }
  });

  it.each(spxc)("%s", { timeout: 60_000 }, (line) => {
    const parameters = line.replace(/^npx spxc /, "").split(/\s+/);
    const { status, stderr } = spawnSync(process.execPath, [commandFile(), ...parameters], {
      cwd: folder,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("include the code that the text names", () => {
    const inline = [
      ...readFileSync(join(root, "README.md"), "utf8").matchAll(/`npx spxc explain (SPX\d+)`/g),
    ];
    expect(inline.length).toBeGreaterThan(0);
    for (const [, code = ""] of inline) {
      const { status, stdout } = spawnSync(process.execPath, [commandFile(), "explain", code], {
        encoding: "utf8",
      });
      expect({ status, page: stdout.startsWith(`# ${code}`) }).toEqual({ status: 0, page: true });
    }
  });
});

/** Error codes of a module beside the artefact that the README's build line left; it is emitted where it has none. */
function compile(name: string, text: string): string[] {
  writeFileSync(join(folder, `${name}.ts`), text);
  const options = {
    target: "es2023",
    module: "nodenext",
    strict: true,
    noEmitOnError: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  writeFileSync(
    join(folder, `${name}.json`),
    JSON.stringify({ compilerOptions: options, files: [`${name}.ts`] }),
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", `${name}.json`, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  return stdout.split("\n").filter((line) => line !== "" && !line.startsWith(" "));
}

describe("the TypeScript of the README", () => {
  it("compiles strictly against the emitted declarations, and runs", { timeout: 60_000 }, () => {
    expect(usage).toBeDefined();
    expect(compile("usage", usage?.text ?? "")).toEqual([]);
    const ran = spawnSync(process.execPath, ["usage.js"], { cwd: folder, encoding: "utf8" });
    expect({ status: ran.status, stderr: ran.stderr }).toEqual({ status: 0, stderr: "" });
    expect(ran.stdout.trim()).toBe("[ 3, 64 ] [ 3, 64 ] [ 3, 48 ] [ 64, 48 ] 64 64");
    expect(existsSync(join(folder, "delta.safetensors"))).toBe(true);
  });

  const beginning = `import { tensor } from "spx/runtime";
import { DSEE, Encoder } from "./build/my-layer.js";
const W = tensor("f32", [64, 48], new Float32Array(64 * 48));
`;

  it("refuses wrong names and types with the compiler's own errors", { timeout: 60_000 }, () => {
    const mistakes: readonly (readonly [code: string, statement: string])[] = [
      ["TS2353", "await DSEE.load({ W, rank: 8 });"],
      ["TS2345", "await DSEE.load({ r: 8 });"],
      ["TS2322", 'await DSEE.load({ W: tensor("i32", [64, 48], new Int32Array(64 * 48)) });'],
      ["TS2322", 'await DSEE.load({ W, r: "8" });'],
      ["TS2339", "(await DSEE.load({ W })).parameters().C;"],
      ["TS2339", "(await DSEE.load({ W })).parameters().B.positions;"],
      ["TS2345", '(await DSEE.load({ W })).forward(tensor("i32", [1, 48], new Int32Array(48)));'],
      ["TS2339", "DSEE.forward(W);"],
      ["TS2724", 'import { Dsee } from "./build/my-layer.js"; void Dsee;'],
    ];
    const offset = beginning.split("\n").length;
    const errors = compile("mistakes", beginning + mistakes.map(([, statement]) => statement).join("\n"));
    const found = errors.map((line) => {
      const [, row, code] = /^mistakes\.ts\((\d+),\d+\): error (TS\d+)/.exec(line) ?? [];
      return [Number(row) - offset, code];
    });
    expect(found).toEqual(mistakes.map(([code], index) => [index, code]));
  });

  it("accepts what is right", { timeout: 60_000 }, () => {
    const right = `
const half = tensor("bf16", [64, 48], new Uint16Array(64 * 48));
const plain = { data: new Float32Array(64 * 48), shape: [64, 48] };
for (const weight of [W, half, plain]) {
  const layer = await DSEE.load({ W: weight, r: 4, threads: 1 });
  const parameters = layer.parameters();
  const positions: Float64Array = parameters.S.positions;
  const values: Float32Array = parameters.B.values;
  void [positions, values];
}
for (const { tensor: name, transform } of Encoder.match([])) void [name, transform];
const there = async (): Promise<readonly number[]> => {
  const layer = await DSEE.load({ W, device: "cuda", elements: "bf16" });
  const x = new Float32Array(48);
  const { B } = (await layer.backwardAsync(x, new Float32Array(64), { dx: false })).grads;
  return [...layer.forward(x).data, ...B.values, ...(await layer.host.to("cuda:1")).forward(x).data];
};
void there;
`;
    expect(compile("right", beginning + right)).toEqual([]);
  });
});
