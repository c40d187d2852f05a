/** The check of a device without one: what it is made of fits together, and it says what is missing. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cellName, checkedSquares, gpuCells } from "../../bench/gpu/gpu-cells.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "bench", "gpu");
const operations = join(folder, "gpu-operations.spx");

test("every cell times an operation that there is, by peers that the process knows, and is judged by one of them", () => {
  const { module, diagnostics } = checkModule(operations, nodeHost());
  expect(diagnostics).toEqual([]);
  const names = module?.transforms.map(({ name }) => name) ?? [];
  const peers = readFileSync(join(folder, "gpu-peers.py"), "utf8");
  for (const { operation, peers: named, target } of gpuCells) {
    expect(names).toContain(operation);
    for (const peer of named) expect(peers).toContain(`"${peer}"`);
    if (target !== null) expect(named).toContain(target.peer);
  }
  expect(new Set(gpuCells.map(cellName)).size).toBe(gpuCells.length);
  for (const size of checkedSquares) expect(Number.isInteger(Math.sqrt(size))).toBe(true);
});

test("without a device it says so, and that nothing was done", () => {
  const main = join(root, "dist", "bench", "gpu", "main.js");
  const environment = { ...process.env, SPX_CUDA_DRIVER: "/nowhere/libcuda.so.1" };
  const { status, stderr, stdout } = spawnSync(process.execPath, [main], {
    env: environment,
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toContain("error[SPX8701]: no NVIDIA driver was found");
  expect(stderr).toContain("nothing was checked and nothing was measured");
  expect(stdout).toBe("");
});

test("the Python peers are Python", () => {
  for (const name of ["gpu-peers.py", "gpu-triton.py"]) {
    const code = `import ast, sys; ast.parse(open(sys.argv[1]).read())`;
    expect(spawnSync("python3", ["-c", code, join(folder, name)], { encoding: "utf8" }).stderr).toBe("");
  }
});
