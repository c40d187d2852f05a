/**
 * `npm run gpu:check`: an artefact on a CUDA device, correctness first, then speed beside its peers. Reads the runtime
 * only, so that it runs where nothing but a driver, Python with torch and a carried Node is.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type DeviceState, deviceState } from "../../runtime/device/cuda/cuda-device.ts";
import { SpxError } from "../../runtime/errors.ts";
import { type Artefact, openArtefact } from "../../runtime/model/open-artefact.ts";
import { checkNumbers, type NumberCheck } from "./check-numbers.ts";
import { cellName, type GpuCell, gpuCells } from "./gpu-cells.ts";
import { type GpuPeers, openGpuPeers } from "./gpu-peers.ts";
import { prepareCell } from "./time-cells.ts";

const { values: options } = parseArgs({
  options: {
    manifest: { type: "string" },
    only: { type: "string" },
    json: { type: "string" },
    python: { type: "string", default: "python3" },
    rounds: { type: "string", default: "5" },
    seed: { type: "string" },
    quick: { type: "boolean", default: false },
    "no-speed": { type: "boolean", default: false },
    "no-sanitizer": { type: "boolean", default: false },
  },
});

const here = dirname(fileURLToPath(import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface CellResult {
  readonly cell: string;
  readonly plan: string;
  readonly copies: number;
  readonly nanoseconds: number | null;
  /** Peer → nanoseconds, or why there are none. */
  readonly peers: Readonly<Record<string, number | string>>;
  readonly target: { readonly peer: string; readonly ratio: number; readonly met: boolean | null } | null;
}

process.exitCode = await main();

async function main(): Promise<number> {
  let device: DeviceState;
  try {
    device = deviceState({});
  } catch (thrown) {
    if (!(thrown instanceof SpxError)) throw thrown;
    process.stderr.write(`${thrown.message}\nnothing was checked and nothing was measured\n`);
    return 1;
  }
  if (options.manifest === undefined) throw new RangeError("--manifest FILE is needed");
  const artefact = openArtefact(options.manifest);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  say(`${device.name}, compute capability ${device.capability}, CUDA ${device.driverVersion}, seed ${seed}`);
  const checks = await allChecks(artefact, device, seed);
  const failed = checks.filter(({ error, allowed }) => !(error <= allowed));
  for (const { what, error, allowed } of failed)
    say(`wrong     ${what}: ${error.toExponential(2)}, allowed ${allowed.toExponential(2)}`);
  say(`numbers   ${checks.length - failed.length} of ${checks.length} checks hold`);
  const sanitizer = options.quick || options["no-sanitizer"] ? "not run: left out" : runSanitizer(seed);
  if (!options.quick) say(`memory    compute-sanitizer ${sanitizer}`);
  const wrong = failed.length > 0 || sanitizer.startsWith("found");
  const speed = options["no-speed"] || options.quick || wrong ? null : await allCells(artefact, device);
  if (options.json !== undefined) {
    const { name, capability, driverVersion } = device;
    const result = {
      date: new Date().toISOString(),
      device: name,
      capability,
      driverVersion,
      seed,
      checks: { made: checks.length, failed },
      sanitizer,
      ...speed,
    };
    writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`);
  }
  device.close();
  return wrong ? 1 : 0;
}

async function allChecks(artefact: Artefact, device: DeviceState, seed: number): Promise<NumberCheck[]> {
  const checks: NumberCheck[] = [];
  for await (const check of checkNumbers(artefact, device, { seed, quick: options.quick }))
    checks.push(check);
  return checks;
}

/** The same program, few sizes, under compute-sanitizer. */
function runSanitizer(seed: number): string {
  const list = ["--error-exitcode", "9", process.execPath, fileURLToPath(import.meta.url)];
  const rest = ["--quick", "--manifest", options.manifest ?? "", "--seed", String(seed)];
  const { error, status, stdout } = spawnSync("compute-sanitizer", [...list, ...rest], { encoding: "utf8" });
  if (error !== undefined) return `not run: ${error.message}`;
  return status === 0 ? "found nothing" : `found errors (status ${status}):\n${stdout.slice(-4000)}`;
}

async function allCells(artefact: Artefact, device: DeviceState) {
  const cells = gpuCells.filter((cell) => cellName(cell).includes(options.only ?? ""));
  const peers = await openGpuPeers(options.python, join(here, "gpu-peers.py"));
  say(
    `peers     ${Object.entries(peers.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
  );
  const results: CellResult[] = [];
  for (const cell of cells) {
    const result = await measure(cell, artefact, device, peers);
    results.push(result);
    say(line(result));
  }
  peers.close();
  return { peers: peers.versions, cells: results };
}

const median = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;

/** spx and its peers in turn, round by round. */
async function measure(
  cell: GpuCell,
  artefact: Artefact,
  device: DeviceState,
  peers: GpuPeers,
): Promise<CellResult> {
  const base = { cell: cellName(cell) };
  let own: Awaited<ReturnType<typeof prepareCell>>;
  try {
    own = await prepareCell(cell, artefact, device);
  } catch (thrown) {
    const reason = thrown instanceof SpxError ? thrown.message : String(thrown);
    return {
      ...base,
      plan: reason,
      copies: 0,
      nanoseconds: null,
      peers: {},
      target: cell.target === null ? null : { ...cell.target, met: null },
    };
  }
  const refused = await peers.prepare(cell, own.copies);
  const running = cell.peers.filter((peer) => refused[peer] === undefined);
  const times = new Map<string, number[]>([
    ["spx", []],
    ...running.map((peer): [string, number[]] => [peer, []]),
  ]);
  const reasons: Record<string, string> = { ...refused };
  for (let round = 0; round < Number(options.rounds); round++) {
    times.get("spx")?.push(own.time());
    for (const peer of running) {
      const time = await peers.time(peer);
      if (typeof time === "number") times.get(peer)?.push(time);
      else reasons[peer] = time;
    }
  }
  const nanoseconds = median(times.get("spx") ?? []);
  const found = Object.fromEntries(
    cell.peers.map((peer): [string, number | string] => [
      peer,
      reasons[peer] ?? median(times.get(peer) ?? []),
    ]),
  );
  const against = cell.target === null ? undefined : found[cell.target.peer];
  const met =
    typeof against === "number" && cell.target !== null ? against / nanoseconds >= cell.target.ratio : null;
  const { copies, plan } = own;
  own.dispose();
  return {
    ...base,
    plan,
    copies,
    nanoseconds,
    peers: found,
    target: cell.target === null ? null : { ...cell.target, met },
  };
}

function line({ cell, plan, nanoseconds, peers, target }: CellResult): string {
  if (nanoseconds === null) return `${cell.padEnd(48)} not run: ${plan}`;
  const ratios = Object.entries(peers).map(([peer, time]) =>
    typeof time === "number" ? `${peer} ${(time / nanoseconds).toFixed(2)}x` : `${peer} not run (${time})`,
  );
  const judged =
    target === null
      ? ""
      : target.met === null
        ? " target not judged"
        : target.met
          ? " target met"
          : ` target ${target.ratio.toFixed(2)}x missed`;
  return `${cell.padEnd(48)} ${(nanoseconds / 1000).toFixed(1).padStart(9)} us  ${ratios.join(", ")}${judged}`;
}
