/** `spxc calibrate`: measures this machine and keeps its rates for `--rates machine`. */
import cliProgress from "cli-progress";
import { calibrateMachine } from "../../calibrate/calibrate-machine.ts";
import type { CalibrationProgress } from "../../calibrate/measure-probes.ts";
import { type Calibration, calibrationFile, writeJson } from "../../calibrate/rate-cache.ts";
import { BuildFailure } from "../../driver/build-folder.ts";
import { identityOf, type LevelRates } from "../../targets/rate-table.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export interface CalibrateOptions {
  readonly output?: string;
  readonly json?: boolean;
}

export async function calibrate(options: CalibrateOptions): Promise<number> {
  const shown = showProgress(options.json === true);
  let calibration: Calibration;
  try {
    calibration = await calibrateMachine(shown.update);
  } catch (problem) {
    if (!(problem instanceof BuildFailure)) throw problem;
    complain(problem.message);
    return exitCodes.problems;
  } finally {
    shown.stop();
  }
  const file = options.output ?? calibrationFile();
  writeJson(file, calibration);
  const { id } = identityOf(calibration.table);
  if (options.json === true) say(JSON.stringify({ ok: true, file, id, ...calibration }, null, 2));
  else say(summary(calibration, file, id));
  return exitCodes.done;
}

/** A bar for a person, a line a step for a log, nothing beside JSON. */
function showProgress(silent: boolean): { update(state: CalibrationProgress): void; stop(): void } {
  if (silent) return { update: () => undefined, stop: () => undefined };
  if (process.stderr.isTTY !== true) {
    return {
      update: ({ done, total, what }) => complain(`${done + 1}/${total} ${what}`),
      stop: () => undefined,
    };
  }
  const bar = new cliProgress.SingleBar(
    { format: "{bar} {value}/{total} {what}", hideCursor: true, stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return {
    update({ done, total, what }) {
      if (started) bar.update(done, { what });
      else bar.start(total, done, { what });
      started = true;
    },
    stop: () => bar.stop(),
  };
}

const perByte = (nanoseconds: number): string =>
  nanoseconds > 0 ? `${(1 / nanoseconds).toFixed(0)} GB/s` : "free";

function levelLines(name: string, { atoms, memory, calls }: LevelRates, threads: number): readonly string[] {
  const rates = Object.entries(atoms).map(([atom, layouts]) => {
    const output = layouts["lane-output"];
    const token = layouts["lane-token"];
    // Multiply-adds a nanosecond of one thread when nothing else costs anything.
    const speed = (nanoseconds: number, vector: number): string =>
      (vector / nanoseconds).toFixed(1).padStart(6);
    return `    ${atom.padEnd(10)} ${speed(output.multiplyNanoseconds, 1)} ${speed(token.multiplyNanoseconds, 16)}`;
  });
  return [
    `  ${name}`,
    "    multiply-adds a nanosecond and thread: lane = output, lane = token",
    ...rates,
    `    third level ${perByte(memory.thirdLevelNanoseconds.one)} on one thread, ${perByte(memory.thirdLevelNanoseconds.all)} on ${threads}`,
    `    memory ${perByte(memory.memoryNanoseconds.one)} on one thread, ${perByte(memory.memoryNanoseconds.all)} on ${threads}`,
    `    a call ${calls.callNanoseconds.toFixed(0)} ns, a step ${calls.stepNanoseconds.toFixed(0)} ns, handing out work ${calls.sweepNanoseconds.toFixed(0)} ns`,
  ];
}

function summary({ table, medianFactors }: Calibration, file: string, id: string): string {
  const fits = Object.entries(medianFactors).map(([level, factor]) => `${level} ${factor.toFixed(2)}`);
  return [
    `${table.name}, ${table.threads} threads: rates ${id}`,
    ...Object.entries(table.levels).flatMap(([level, rates]) => levelLines(level, rates, table.threads)),
    `median factor between predicted and measured times: ${fits.join(", ")}`,
    `kept in ${file}; builds read it with \`--rates machine\``,
  ].join("\n");
}
