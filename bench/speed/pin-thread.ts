/** Keeps the calling thread, and those that it starts from then on, on the first cores of the machine. */
import { openLibrary } from "../../runtime/native/foreign-library.ts";

/** True when the system did so. */
export function pinThread(cores: number): boolean {
  const pin = openLibrary(null).declare({
    name: "sched_setaffinity",
    result: "int32",
    parameters: ["int32", "size", "pointer"],
  });
  const mask = BigUint64Array.of((1n << BigInt(cores)) - 1n);
  return pin(0, mask.byteLength, mask) === 0;
}
