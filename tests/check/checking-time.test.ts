/**
 * A library of 60 files is checked in the time that an editor leaves between two key strokes and a save. Times are those
 * of this process alone and relative to a fixed piece of work on the same machine.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import { libraryFolder, textHost } from "./text-host.ts";

const cpuMilliseconds = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

/** Small objects, maps and sorting, which is what a checker does all day; some 0.3 s on a server core of 2020. */
function calibrate(): number {
  let sum = 0;
  for (let round = 0; round < 20; round += 1) {
    const entries = Array.from({ length: 20_000 }, (_, index) => ({
      name: `name${Math.imul(index + round, 0x9e3779b1) >>> 0}`,
      index,
    }));
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    sum += [...byName.keys()].sort().reduce((total, name) => total + (byName.get(name)?.index ?? 0), 0);
  }
  return sum;
}

test("60 files of the library in one process, within a few calibration loops", () => {
  const library = readdirSync(libraryFolder).filter((file) => file.endsWith(".spx"));
  const files = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => {
      const file = library[index % library.length] ?? "";
      // A line of its own keeps each text apart from the others.
      return [`file${index}.spx`, `// ${index}\n${readFileSync(join(libraryFolder, file), "utf8")}`];
    }),
  );
  const host = textHost(files);
  const failed: string[] = [];
  const time = cpuMilliseconds(() => {
    for (const file of Object.keys(files)) {
      const { module, diagnostics } = checkModule(file, host);
      if (module === null) failed.push(`${file}: ${diagnostics[0]?.message}`);
    }
  });
  expect(failed).toEqual([]);
  const unit = Math.min(cpuMilliseconds(calibrate), cpuMilliseconds(calibrate));
  expect(time / unit).toBeLessThan(5);
}, 120_000);
