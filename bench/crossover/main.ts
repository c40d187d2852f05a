/**
 * `npm run crossover`: from which batch on another variant is faster, predicted by the prices and measured; when the two
 * agree, and what is said of lines that hardly cross, stands in crossover-table.ts. Arguments:
 * names of transforms (all when none is given), `--rates default|machine|FILE`, `--threads N` (priced and run with),
 * `--level v3`, `--rounds N`, `--json FILE`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ratesNamed } from "../../compiler/calibrate/rate-cache.ts";
import { openPulse } from "../../compiler/calibrate/run-probes.ts";
import { buildText } from "../../compiler/driver/build-folder.ts";
import { identityOf } from "../../compiler/targets/rate-table.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { crossoverCases, crossoverSource } from "./crossover-programs.ts";
import { type CrossoverRow, printCrossovers, ratioOf, regretOf, verdictOf } from "./crossover-table.ts";
import { measureCrossovers } from "./measure-crossover.ts";

async function crossover(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rates: { type: "string", default: "default" },
      threads: { type: "string" },
      level: { type: "string", default: "v4" },
      rounds: { type: "string", default: "31" },
      json: { type: "string" },
    },
  });
  const named = ratesNamed(values.rates);
  if ("code" in named) {
    console.error(`error[${named.code}]: ${named.message}\n  ${named.help}`);
    return 1;
  }
  const threads = Number(values.threads ?? named.threads);
  const rates = { ...named, threads };
  const folder = mkdtempSync(join(tmpdir(), "spx-crossover-"));
  try {
    const { manifest } = await buildText(folder, "crossover", crossoverSource, { rates });
    const level = manifest.kernels.levels.find(({ suffix }) => suffix === values.level)?.name;
    if (level === undefined) throw new Error(`no level ${values.level}`);
    const { pulse } = await openPulse({ folder, manifest }, threads);
    const options = { folder, manifest, threads, rounds: Number(values.rounds), level, pulse };
    const rows: CrossoverRow[] = [];
    for (const { title, transform, numbers, sizes } of crossoverCases) {
      if (positionals.length > 0 && !positionals.includes(transform)) continue;
      for (const size of sizes) {
        console.error(`${title} ${size}`);
        const measured = await measureCrossovers(options, transform, numbers, size);
        rows.push(...measured.map((row) => ({ title, ...row })));
      }
    }
    const cpu = detectCpu();
    const machine = { model: cpu.model, cores: cpu.cores, threads, level };
    const { name, id } = identityOf(rates);
    if (values.json !== undefined) {
      const results = rows.map((row) => ({
        ...row,
        ratio: ratioOf(row),
        regret: regretOf(row),
        verdict: verdictOf(row),
      }));
      writeFileSync(
        values.json,
        `${JSON.stringify({ machine, rates: { name, id }, rows: results }, null, 1)}\n`,
      );
    }
    console.log(`${cpu.model}, ${threads} threads, ${level}; ${name} rates ${id}`);
    console.log(printCrossovers(rows));
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await crossover();
