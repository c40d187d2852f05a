// `npm run sweep` from its script: what it prints and with which status it ends, without a fault and with one.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const sweep = (...args: string[]): Promise<Ended> =>
  new Promise((settle) => {
    const child = execFile(
      process.execPath,
      [join("scripts", "sweep.mjs"), ...args],
      (_problem, stdout, stderr) => {
        settle({ status: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });

it("counts programs, names the seed and ends with 0 where no level differs", async () => {
  const { status, stdout, stderr } = await sweep("--programs", "6", "--seed", "3", "--native-every", "0");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const [cases, native, rate, last, ...rest] = stdout.split("\n");
  expect(cases).toMatch(
    /^6 programs in \d+ cases, \d+ models? of several layers, \d+ variants(, \d refused with SPX6001)?$/,
  );
  expect(native).toBe("0 programs (0.0 %) ran natively on 0 kernels, with 0 backward passes");
  expect(rate).toMatch(/^\d+\.\d programs\/s on \d+ processes$/);
  expect(last).toBe("6 programs, seed 3: 0 differ");
  expect(rest).toEqual([""]);
}, 120_000);

it("ends with 1 and the shrunk program where a pass has a fault", async () => {
  const wanted = ["--programs", "40", "--seed", "2", "--native-every", "0", "--processes", "1"];
  const { status, stdout } = await sweep(...wanted, "--plant", "check");
  const lines = stdout.split("\n");
  expect(lines.slice(0, 2)).toEqual([
    "",
    'differs at level "check", the work of compiler/check/check-module.ts',
  ]);
  expect(lines[2]).toMatch(/^case seed \d+, sizes \{.*\}$/);
  expect(stdout).toMatch(/\ntransform S\d+\([^)]*\) \{\n {2}weight = kron\(\w+, \w+\)\n\}\n/);
  expect(lines.at(-2)).toMatch(/^\d+ programs, seed 2: 1 differ$/);
  expect(status).toBe(1);
}, 120_000);

it("ends with 2 where it cannot read what is asked for", async () => {
  const { status, stdout, stderr } = await sweep("--plant", "nothing");
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^no fault is known for "nothing"; there are "print", "check", /);
  expect(status).toBe(2);
}, 120_000);
