/** `npm run sweep`: the sweep from the command line. Exit status 1 when levels differ, 2 for arguments it cannot read. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { road } from "./road.ts";
import { type SweepReport, sweep } from "./sweep.ts";

interface Wanted {
  readonly programs: number;
  readonly seed: number;
  readonly nativeEvery: number;
}

function readArguments(args: readonly string[]): Wanted | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        programs: { type: "string", default: "200" },
        seed: { type: "string", default: "1" },
        "native-every": { type: "string", default: "2" },
      },
    });
    const wanted = {
      programs: Number(values.programs),
      seed: Number(values.seed),
      nativeEvery: Number(values["native-every"]),
    };
    const wrong = Object.entries(wanted).find(([, value]) => !Number.isSafeInteger(value) || value < 0);
    return wrong === undefined ? wanted : `${wrong[0]} has to be a whole number`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

function describe(
  { programs, cases, variants, nativeCases, kernels, refused, differences }: SweepReport,
  wanted: Wanted,
  seconds: number,
): string {
  const found = differences.map(
    ({ level, message, seed, text, sizes }) =>
      `\ndiffers at level "${level}", case seed ${seed}, sizes ${JSON.stringify(sizes)}\n${message}\n\n${text}`,
  );
  const planless = Object.entries(refused).map(([code, count]) => `, ${count} refused with ${code}`);
  const rate = (programs / seconds).toFixed(1);
  return [
    ...found,
    `${programs} programs in ${cases} cases, ${variants} variants${planless.join("")}`,
    `${nativeCases} programs ran natively on ${kernels} kernels`,
    `${rate} programs/s, seed ${wanted.seed}`,
    `${programs} programs, ${differences.length} differ`,
  ].join("\n");
}

async function main(): Promise<number> {
  const wanted = readArguments(process.argv.slice(2));
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted}\nusage: npm run sweep -- [--programs N] [--seed S] [--native-every K]\n`);
    return 2;
  }
  const folder = join("build", "sweep");
  mkdirSync(folder, { recursive: true });
  const started = performance.now();
  const report = await sweep({
    ...wanted,
    casesInLibrary: 25,
    nativeVariants: 3,
    sizesEach: 3,
    choices: { loopVariants: 2, loopBatches: 2 },
    host: nodeHost(),
    road,
    shrinkTries: 400,
    announce: (label) => writeFileSync(join(folder, "running.txt"), label),
  });
  process.stdout.write(`${describe(report, wanted, (performance.now() - started) / 1000)}\n`);
  return report.differences.length === 0 ? 0 : 1;
}

process.exitCode = await main();
