/** The fake driver of `fake-driver.c`, compiled once for a test file, and what tests set, read and plant in it. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { type ForeignType, openLibrary, viewMemory } from "../../../runtime/native/foreign-library.ts";

/** A launch as a kernel in JavaScript sees it. */
export interface FakeLaunch {
  readonly kernel: string;
  readonly grid: readonly [number, number, number];
  readonly block: readonly [number, number, number];
  readonly sharedBytes: number;
  /** Arguments by position: addresses and numbers. */
  address(index: number): bigint;
  int32(index: number): number;
  int64(index: number): number;
  float32(index: number): number;
  /** `count` floats of device memory at the address in an argument; a range that is not live is a fault. */
  floats(index: number, count: number): Float32Array;
  bytes(index: number, count: number): Uint8Array<ArrayBuffer>;
  /** All device memory from the address in an argument on. */
  rest(index: number): Uint8Array<ArrayBuffer>;
}

export interface FakeCuda {
  /** To be given as the driver, and as SPX_NVRTC. */
  readonly path: string;
  /** Everything as at first: one Hopper device, 1 GiB, nothing allocated. Devices have to be closed before. */
  reset(): void;
  set(settings: Readonly<Record<string, number>>): void;
  /** The `nth` call of a function gives `status`; from 700 to 799 every later call does, too. */
  fail(name: string, nth: number, status: number): void;
  /** The `call`th call from now on gives `status`; 0: none. */
  failAt(call: number, status: number): void;
  /** No call fails any more. */
  heal(): void;
  callCount(): number;
  log(): string[];
  clearLog(): void;
  /** Misuse so far, in words. */
  faults(): string;
  /** What was made and not given back, in words. */
  alive(): string;
  /** What a launch does; without it nothing. */
  onLaunch(run: (launch: FakeLaunch) => void): void;
  /** The driver in another file, as a process that has not started it yet sees it. */
  fresh(): string;
  remove(): void;
}

const launchType = koffi.pointer(
  koffi.proto("int fake_launch(const char *kernel, const uint32_t *geometry, void **arguments)"),
);

export function buildFakeCuda(): FakeCuda {
  const folder = mkdtempSync(join(tmpdir(), "spx-cuda-"));
  const path = join(folder, "libcuda.so.1");
  const source = fileURLToPath(new URL("fake-driver.c", import.meta.url));
  execFileSync("cc", ["-O1", "-g", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", path, source]);
  const library = openLibrary(path);
  const declare = (name: string, result: ForeignType, parameters: readonly ForeignType[]) =>
    library.declare({ name, result, parameters });
  const reset = declare("fake_reset", "void", []);
  const set = declare("fake_set", "void", ["string", "int64"]);
  const fail = declare("fake_fail", "void", ["string", "int64", "int32"]);
  const failAt = declare("fake_fail_at", "void", ["int64", "int32"]);
  const heal = declare("fake_heal", "void", []);
  const count = declare("fake_call_count", "int64", []);
  const log = declare("fake_log", "string", []);
  const clearLog = declare("fake_clear_log", "void", []);
  const faults = declare("fake_faults", "string", []);
  const alive = declare("fake_alive", "string", []);
  const checkRange = declare("fake_check_range", "int32", ["uint64", "size", "string"]);
  const bytesFrom = declare("fake_bytes_from", "int64", ["uint64"]);
  const onLaunch = koffi.load(path).func("void fake_on_launch(void *launch)");
  const callbacks: bigint[] = [];
  let copies = 0;
  reset();
  return {
    path,
    reset: () => void reset(),
    set(settings) {
      for (const [name, value] of Object.entries(settings)) set(name, value);
    },
    fail: (name, nth, status) => void fail(name, nth, status),
    failAt: (call, status) => void failAt(call, status),
    heal: () => void heal(),
    callCount: () => Number(count()),
    log: () => String(log()).split("\n").slice(0, -1),
    clearLog: () => void clearLog(),
    faults: () => String(faults()),
    alive: () => String(alive()),
    onLaunch(run) {
      const call = (kernel: string, geometry: unknown, pointers: unknown): number => {
        const sizes = new Uint32Array(viewMemory(koffi.address(geometry as never), 28).slice(0));
        const slots = koffi.decode(pointers as never, "void *", 64) as unknown[];
        const slot = (index: number): DataView =>
          new DataView(viewMemory(koffi.address(slots[index] as never), 8));
        const view = (index: number, bytes: number): ArrayBuffer => {
          const address = slot(index).getBigUint64(0, true);
          if (bytes > 0 && checkRange(address, bytes, kernel) === 0)
            throw new RangeError(`${kernel}: argument ${index} has no ${bytes} bytes`);
          return bytes === 0 ? new ArrayBuffer(0) : viewMemory(address, bytes);
        };
        try {
          run({
            kernel,
            grid: [sizes[0] ?? 0, sizes[1] ?? 0, sizes[2] ?? 0],
            block: [sizes[3] ?? 0, sizes[4] ?? 0, sizes[5] ?? 0],
            sharedBytes: sizes[6] ?? 0,
            address: (index) => slot(index).getBigUint64(0, true),
            int32: (index) => slot(index).getInt32(0, true),
            int64: (index) => Number(slot(index).getBigInt64(0, true)),
            float32: (index) => slot(index).getFloat32(0, true),
            floats: (index, values) => new Float32Array(view(index, 4 * values)),
            bytes: (index, values) => new Uint8Array(view(index, values)),
            rest: (index) =>
              new Uint8Array(view(index, Number(bytesFrom(slot(index).getBigUint64(0, true))))),
          });
          return 0;
        } catch (thrown) {
          // Nothing may be thrown through C; the fake counts it as a fault.
          console.error(thrown);
          return 1;
        }
      };
      const registered = koffi.register(call, launchType);
      callbacks.push(registered as unknown as bigint);
      onLaunch(registered);
    },
    fresh() {
      const copy = join(folder, `libcuda-${++copies}.so`);
      copyFileSync(path, copy);
      openLibrary(copy).declare({ name: "fake_reset", result: "void", parameters: [] })();
      openLibrary(copy).declare({ name: "fake_start", result: "void", parameters: [] })();
      return copy;
    },
    remove() {
      for (const callback of callbacks) koffi.unregister(callback as never);
      rmSync(folder, { recursive: true });
    },
  };
}
