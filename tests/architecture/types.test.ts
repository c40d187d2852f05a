/** The tests are programs too: they have to type-check, or a renamed export could leave one testing nothing. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("tests and scripts type-check", () => {
  const compiler = "node_modules/typescript/bin/tsc";
  const { status, stdout } = spawnSync(
    process.execPath,
    [compiler, "--noEmit", "-p", "tests/tsconfig.json"],
    {
      encoding: "utf8",
    },
  );
  expect(stdout).toBe("");
  expect(status).toBe(0);
}, 60_000);
