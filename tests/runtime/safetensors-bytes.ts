/** Safetensors files as bytes, right and wrong ones, for tests; and a folder of their own for each test file. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { SpxError } from "../../runtime/errors.ts";

/** Length field, header text, and that many data bytes 0, 1, 2 … */
export function fileOf(header: string | Uint8Array, dataBytes = 0, claimedLength?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  for (let index = 0; index < dataBytes; index += 1) bytes[8 + text.length + index] = index;
  return bytes;
}

/** Header entry. */
export const entry = (dtype: string, shape: readonly number[], begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

export interface Scratch {
  readonly folder: string;
  /** Writes a file there and gives its path. */
  write(name: string, bytes: Uint8Array | string): string;
}

/** An empty folder, removed after the tests of the file. */
export function scratchFolder(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "spx-safetensors-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return {
    folder,
    write: (name, bytes) => {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    },
  };
}

/** The SpxError that `action` ends with; anything else fails the test. */
export async function errorOf(action: () => unknown): Promise<SpxError> {
  try {
    await action();
  } catch (thrown) {
    if (thrown instanceof SpxError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

/**
 * Written by the Python package safetensors 0.8.0 (`safetensors.numpy.save`) from one tensor of each element
 * type that NumPy has: names in mixed order, a scalar, an empty tensor, a name beyond ASCII.
 */
export const referenceFile = Buffer.from(
  "UAMAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJ1Ijp7ImR0eXBlIjoiVTY0Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZz" +
    "ZXRzIjpbMCw4XX0sImlkcyI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpbOCw0MF19LCJ6Ijp7ImR0eXBl" +
    "IjoiRjY0Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbNDAsNDhdfSwiYyI6eyJkdHlwZSI6IkM2NCIsInNoYXBlIjpbMV0sImRhdGFf" +
    "b2Zmc2V0cyI6WzQ4LDU2XX0sImIud2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDNdLCJkYXRhX29mZnNldHMiOls1Niw4MF19" +
    "LCJlbXB0eSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCw1XSwiZGF0YV9vZmZzZXRzIjpbODAsODBdfSwidTMyIjp7ImR0eXBlIjoiVTMy" +
    "Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbODAsODRdfSwic3RlcCI6eyJkdHlwZSI6IkkzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZz" +
    "ZXRzIjpbODQsODhdfSwiYS5iaWFzIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOls0XSwiZGF0YV9vZmZzZXRzIjpbODgsOTZdfSwiaHUiOnsi" +
    "ZHR5cGUiOiJVMTYiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOls5Niw5OF19LCJoIjp7ImR0eXBlIjoiSTE2Iiwic2hhcGUiOlsxXSwi" +
    "ZGF0YV9vZmZzZXRzIjpbOTgsMTAwXX0sImk4Ijp7ImR0eXBlIjoiSTgiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsxMDAsMTAxXX0s" +
    "IsOp8J+YgCI6eyJkdHlwZSI6IlU4Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMTAxLDEwM119LCJtYXNrIjp7ImR0eXBlIjoiQk9P" +
    "TCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzEwMywxMDZdfX0gICAgIP//////////AQAAAAAAAAACAAAAAAAAAP3/////////AAAA" +
    "AAABAACcdQCIPOQ3fgAAgD8AAABAAAAAAAAAgD4AAAA/AABAPwAAgD8AAKA//////wcAAAAAPoDA/3sCAP//+////wEBAAE=",
  "base64",
);
