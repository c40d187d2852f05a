/** Runs the launches of a call under the reference interpreter, as the runtime puts them on a stream. */
import { interpretDevice } from "../../compiler/backend/reference/interpret-device.ts";
import type { LoweredDeviceCall } from "../../compiler/device/lower-device-call.ts";
import type { CudaPointer, CudaStep } from "../../runtime/contract/cuda.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";

/** Bytes that a pointer names, and whether a kernel may read them before something wrote them. */
export interface DeviceBytes {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly initialised: boolean;
}

/** What a test brings for each pointer that is no workspace. */
export type FindBytes = (pointer: Exclude<CudaPointer, { kind: "workspace" }>) => DeviceBytes;

/** NaN in every 32-bit and every 16-bit element. */
export const poisoned = (bytes: number): Uint8Array<ArrayBuffer> => new Uint8Array(bytes).fill(0xff);

/** Puts all steps on the stream one after the other; gives the names of the kernels that were launched. */
export function runSequence(
  { programs, sequence }: LoweredDeviceCall,
  symbols: ReadonlyMap<string, number>,
  find: FindBytes,
): readonly string[] {
  const workspace = poisoned(evaluateNumber(sequence.workspace, symbols));
  const written = new Set<string>();
  const keyOf = (pointer: CudaPointer): string =>
    pointer.kind === "workspace" ? `at ${evaluateNumber(pointer.offset, symbols)}` : JSON.stringify(pointer);
  const bytesAt = (pointer: CudaPointer): DeviceBytes => {
    const initialised = written.has(keyOf(pointer));
    if (pointer.kind !== "workspace") {
      const found = find(pointer);
      return { ...found, initialised: found.initialised || initialised };
    }
    const offset = evaluateNumber(pointer.offset, symbols);
    if (offset % 256 !== 0) throw new RangeError(`a workspace at byte ${offset}`);
    return { data: workspace.subarray(offset), initialised };
  };
  const launched: string[] = [];
  for (const step of sequence.steps) {
    if (step.condition !== null && evaluateNumber(step.condition, symbols) === 0) continue;
    if (step.kind === "clear") {
      bytesAt(step.target).data.fill(0, 0, evaluateNumber(step.bytes, symbols));
      written.add(keyOf(step.target));
      continue;
    }
    if (launch(step, programs, symbols, bytesAt)) launched.push(step.kernel);
    for (const argument of step.arguments) if (argument.kind !== "number") written.add(keyOf(argument));
  }
  return launched;
}

function launch(
  step: Extract<CudaStep, { kind: "launch" }>,
  programs: LoweredDeviceCall["programs"],
  symbols: ReadonlyMap<string, number>,
  bytesAt: (pointer: CudaPointer) => DeviceBytes,
): boolean {
  const program = programs.find(({ name }) => name === step.kernel);
  if (program === undefined) throw new TypeError(`no kernel ${step.kernel}`);
  if (program.threads !== step.block[0]) throw new TypeError(`${step.kernel} has ${program.threads} threads`);
  const [grid, ...others] = step.grid.map((size) => evaluateNumber(size, symbols));
  if (grid === undefined || others.some((size) => size !== 1)) throw new TypeError("grids run along x");
  if (grid === 0) return false;
  const buffers = new Map<string, DeviceBytes>();
  const numbers = new Map<string, number>();
  program.parameters.forEach((parameter, index) => {
    const argument = step.arguments[index];
    if (argument === undefined) throw new TypeError(`${step.kernel} lacks arguments`);
    if (argument.kind === "number") numbers.set(parameter.name, evaluateNumber(argument.value, symbols));
    else buffers.set(parameter.name, bytesAt(argument));
  });
  interpretDevice(program, grid, buffers, numbers);
  return true;
}
