/**
 * `npm run sweep`: the sweep from the command line, a process for each core. Exit status 1 when levels differ, a process
 * dies or a signal ends it early, 2 for arguments that it cannot read.
 */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { countConstructs } from "./construct-coverage.ts";
import { generateProgram } from "./generate-program.ts";
import { plantedFaults } from "./planted-faults.ts";
import { levels, passes, road } from "./road.ts";
import { joinReports, type SweepReport, seedOf, sweep } from "./sweep.ts";

interface Wanted {
  readonly programs: number;
  readonly seed: number;
  readonly nativeEvery: number;
  readonly processes: number;
  /** Whether to print how many programs hold which construct, and nothing else. */
  readonly constructs: boolean;
  /** The level whose pass gets a fault, to see that the sweep finds it; null for none. */
  readonly plant: string | null;
}

const usage =
  "usage: npm run sweep -- [--programs N] [--seed S] [--native-every K] [--processes P] [--plant LEVEL] [--constructs]";
const folder = join("build", "sweep");
const announcementOf = (part: number): string => join(folder, `running-${part}.txt`);

function readArguments(args: readonly string[]): Wanted | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        programs: { type: "string", default: "200" },
        seed: { type: "string", default: "1" },
        "native-every": { type: "string", default: "100" },
        processes: { type: "string", default: String(availableParallelism()) },
        plant: { type: "string" },
        constructs: { type: "boolean", default: false },
      },
    });
    const counts = {
      programs: Number(values.programs),
      seed: Number(values.seed),
      nativeEvery: Number(values["native-every"]),
      processes: Math.max(1, Number(values.processes)),
    };
    const wrong = Object.entries(counts).find(([, value]) => !Number.isSafeInteger(value) || value < 0);
    if (wrong !== undefined) return `${wrong[0]} has to be a whole number`;
    const plant = values.plant ?? null;
    if (plant !== null && !plantedFaults.some(({ level }) => level === plant))
      return `no fault is known for "${plant}"; there are ${levels.map((level) => `"${level}"`).join(", ")}`;
    return { ...counts, plant, constructs: values.constructs };
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

function describe(report: SweepReport, wanted: Wanted, seconds: number): string {
  const { programs, cases, models, variants, nativeCases, nativeBackward, kernels, refused, differences } =
    report;
  const found = differences.map(
    ({ level, message, seed, text, sizes }) =>
      `\ndiffers at level "${level}", the work of ${passes[level]}\ncase seed ${seed}, sizes ${JSON.stringify(sizes)}\n${message}\n\n${text}`,
  );
  const planless = Object.entries(refused).map(([code, count]) => `, ${count} refused with ${code}`);
  const rate = (programs / seconds).toFixed(1);
  const together = models === 1 ? "1 model" : `${models} models`;
  const share = programs === 0 ? "0" : ((100 * nativeCases) / programs).toFixed(1);
  return [
    ...found,
    `${programs} programs in ${cases} cases, ${together} of several layers, ${variants} variants${planless.join("")}`,
    `${nativeCases} programs (${share} %) ran natively on ${kernels} kernels, with ${nativeBackward} backward passes`,
    `${rate} programs/s on ${wanted.processes} processes`,
    `${programs} programs, seed ${wanted.seed}: ${differences.length} differ`,
  ].join("\n");
}

function describeConstructs({ programs, seed }: Wanted): string {
  const all = Array.from({ length: programs }, (_, index) => generateProgram(seedOf(seed, index), "S"));
  const counts = [...countConstructs(all)];
  return [
    `of ${programs} programs, seed ${seed}:`,
    ...counts.map(([name, count]) => `${count} ${name}`),
  ].join("\n");
}

const runPart = (wanted: Wanted, part: number): Promise<SweepReport> =>
  sweep({
    ...wanted,
    programs: Math.floor((wanted.programs + wanted.processes - 1 - part) / wanted.processes),
    part,
    parts: wanted.processes,
    casesInLibrary: 25,
    nativeVariants: 1,
    backwardEvery: 4,
    sizesEach: 3,
    choices: { loopVariants: 1, loopBatches: 1, everyTarget: false },
    host: nodeHost(),
    road: { ...road, ...plantedFaults.find(({ level }) => level === wanted.plant)?.fault },
    shrinkTries: 400,
    goOn: async (ran) => {
      if (ran % 100 === 0) process.send?.({ kind: "progress", ran } satisfies Message);
      // A turn of the event loop, in which a signal is heard.
      await setImmediate();
      return !asked.toStop;
    },
    announce: (label) => writeFileSync(announcementOf(part), label),
  });

/** What a process of the sweep says to the one that started it. */
type Message =
  | { readonly kind: "progress"; readonly ran: number }
  | { readonly kind: "report"; readonly report: SweepReport };

/** A signal ends the sweep after the present program, so that hours of work still give a report. */
const asked = { toStop: false };
const stopSignals = ["SIGINT", "SIGTERM"] as const;

/** The report of a child process; null, with a word on standard error, when it died. */
const reportOf = (
  child: ChildProcess,
  part: number,
  progress: (ran: number) => void,
): Promise<SweepReport | null> =>
  new Promise((settle) => {
    let report: SweepReport | null = null;
    child.on("message", (said) => {
      const message = said as Message;
      if (message.kind === "progress") progress(message.ran);
      else report = message.report;
    });
    child.on("exit", (status, signal) => {
      const file = announcementOf(part);
      if (report === null)
        process.stderr.write(
          `process ${part} ended with ${signal ?? status}${existsSync(file) ? ` while running natively:\n${readFileSync(file, "utf8")}` : ""}\n`,
        );
      settle(report);
    });
  });

async function main(): Promise<number> {
  const wanted = readArguments(process.argv.slice(2));
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted}\n${usage}\n`);
    return 2;
  }
  if (wanted.constructs) {
    process.stdout.write(`${describeConstructs(wanted)}\n`);
    return 0;
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const started = performance.now();
  const ran = new Map<number, number>();
  const children = Array.from({ length: wanted.processes }, (_, part) => {
    const env = { ...process.env, SPX_SWEEP_PART: String(part) };
    return fork(fileURLToPath(import.meta.url), process.argv.slice(2), { env });
  });
  for (const signal of stopSignals)
    process.on(signal, () => {
      asked.toStop = true;
      for (const child of children) child.kill(signal);
    });
  const parts = children.map((child, part) =>
    reportOf(child, part, (count) => {
      ran.set(part, count);
      const all = [...ran.values()].reduce((sum, each) => sum + each, 0);
      if (process.stderr.isTTY) process.stderr.write(`\r${all} of ${wanted.programs} programs\r`);
    }),
  );
  const reports = await Promise.all(parts);
  const whole = joinReports(reports.flatMap((report) => report ?? []));
  process.stdout.write(`${describe(whole, wanted, (performance.now() - started) / 1000)}\n`);
  if (asked.toStop) process.stderr.write(`stopped before ${wanted.programs} programs had run\n`);
  const isWhole = !asked.toStop && reports.every((report) => report !== null);
  return whole.differences.length === 0 && isWhole ? 0 : 1;
}

async function child(part: number): Promise<number> {
  const wanted = readArguments(process.argv.slice(2));
  if (typeof wanted === "string") return 2;
  for (const signal of stopSignals)
    process.on(signal, () => {
      asked.toStop = true;
    });
  const report = await runPart(wanted, part);
  await new Promise((sent) => process.send?.({ kind: "report", report } satisfies Message, sent));
  process.disconnect();
  return 0;
}

const part = process.env.SPX_SWEEP_PART;
process.exitCode = part === undefined ? await main() : await child(Number(part));
