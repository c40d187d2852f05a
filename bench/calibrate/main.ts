/**
 * `npm run calibrate:rates`: what the prices miss. The probes of `spxc calibrate` are measured and printed beside what a
 * table of rates predicts for them, with the choices that would follow. Arguments: names of transforms (all when none
 * is given), `--rates default|machine|FILE`, `--level v4`, `--json FILE`.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { measureProbes, probeTasks } from "../../compiler/calibrate/measure-probes.ts";
import { ratesNamed } from "../../compiler/calibrate/rate-cache.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { printResiduals, residualsOf } from "./residual-table.ts";

async function calibrate(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rates: { type: "string", default: "default" },
      level: { type: "string", default: "v4" },
      json: { type: "string" },
    },
  });
  const rates = ratesNamed(values.rates);
  if ("code" in rates) {
    console.error(`error[${rates.code}]: ${rates.message}\n  ${rates.help}`);
    return 1;
  }
  const target = x86Targets.find(({ suffix }) => suffix === values.level);
  if (target === undefined) throw new Error(`no level ${values.level}`);
  const tasks = probeTasks([target], Math.min(detectCpu().cores, rates.threads)).filter(
    ({ probe }) => positionals.length === 0 || positionals.includes(probe.transform),
  );
  const measured = await measureProbes(tasks, ({ done, total, what }) =>
    console.error(`${done + 1}/${total} ${what}`),
  );
  const rows = residualsOf(measured, rates);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows));
  console.log(printResiduals(rows));
  return 0;
}

process.exitCode = await calibrate();
