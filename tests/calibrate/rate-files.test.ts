/** Tables of rates in files: what is not one is refused with its reason, what is missing says what to run. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type Calibration,
  ratesNamed,
  ratesVersion,
  writeJson,
} from "../../compiler/calibrate/rate-cache.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { identityOf } from "../../compiler/targets/rate-table.ts";
import { runSpxc } from "../cli/spxc-in-process.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-rates-"));
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const calibration: Calibration = {
  kind: "spx-rates",
  version: ratesVersion,
  machine: { model: "a processor", cores: 2 },
  medianFactors: {},
  table: { ...defaultRates, name: "a processor" },
};

describe("--rates", () => {
  it("default is the checked-in table", () => {
    expect(ratesNamed("default")).toBe(defaultRates);
  });

  it("machine without a calibration is an error that says what to run", async () => {
    vi.stubEnv("SPX_CACHE", folder);
    for (const command of ["build", "explain"]) {
      const { status, stderr } = await runSpxc([command, "stdlib/lora.spx", "--rates", "machine"]);
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /error\[SPX0301\]: this machine has not been calibrated[\s\S]*run `spxc calibrate`/,
      );
    }
  });

  it("FILE is read back as it was written, and named by explain and its JSON", async () => {
    const file = join(folder, "mine.json");
    writeJson(file, calibration);
    expect(ratesNamed(file)).toEqual(calibration.table);
    const { stdout } = await runSpxc(["explain", "stdlib/lora.spx", "--rates", file, "--json"]);
    expect(JSON.parse(stdout).transforms[0].rates).toEqual(identityOf(calibration.table));
  });

  it.each([
    ["no JSON", "{", "cannot be read"],
    ["another kind", JSON.stringify({}), "its `kind` is not"],
    ["another version", JSON.stringify({ ...calibration, version: 0 }), "has version 0"],
    [
      "a rate that is missing",
      JSON.stringify({ ...calibration, table: { ...calibration.table, levels: {} } }),
      "is no rate",
    ],
    [
      "a negative rate",
      JSON.stringify(calibration).replace(/"callNanoseconds":\d+/, '"callNanoseconds":-1'),
      "`x86-64-v4.calls.callNanoseconds` is no rate",
    ],
  ])("%s is refused", (name, text, reason) => {
    const file = join(folder, `${name.replaceAll(" ", "-")}.json`);
    writeFileSync(file, text);
    expect(ratesNamed(file)).toMatchObject({ code: "SPX0302", message: expect.stringContaining(reason) });
  });
});
