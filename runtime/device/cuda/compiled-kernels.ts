/**
 * Kernels that NVRTC has compiled, among the user's caches: one file for each source, architecture, option and version
 * of the compiler. A file begins with the hash of the rest, so that a damaged one is seen, said and made anew.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeCause } from "../../errors.ts";
import { cacheFolder, writeWhole } from "../../native/user-cache.ts";
import type { Nvrtc, NvrtcSource } from "./nvrtc.ts";

const sha256 = (content: string | Uint8Array): Buffer => createHash("sha256").update(content).digest();

const keyOf = ({ text, options }: NvrtcSource, version: string): string =>
  sha256(JSON.stringify([text, options, version]))
    .toString("hex")
    .slice(0, 32);

/** Where the machine code of a source lies once it was compiled. */
export const compiledFile = (source: NvrtcSource, version: string): string =>
  join(cacheFolder(), "cuda", `${keyOf(source, version)}.cubin`);

/**
 * Machine code of `source`, from the cache or compiled now.
 * @throws SpxError SPX8710 when it does not compile. A cache that cannot be read or written costs time only, and is said.
 */
export async function compileOnce(nvrtc: Nvrtc, source: NvrtcSource): Promise<Uint8Array> {
  const path = compiledFile(source, nvrtc.version);
  const known = readCompiled(path);
  if (known !== null) return known;
  const machineCode = await nvrtc.compile(source);
  try {
    writeWhole(path, Buffer.concat([sha256(machineCode), machineCode]));
  } catch (cause) {
    warn(
      `compiled kernels cannot be kept in \`${path}\`: ${describeCause(cause)}; they are compiled in each process`,
    );
  }
  return machineCode;
}

const hashBytes = 32;

function readCompiled(path: string): Uint8Array | null {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch {
    return null;
  }
  const machineCode = content.subarray(hashBytes);
  if (machineCode.length > 0 && sha256(machineCode).equals(content.subarray(0, hashBytes)))
    return machineCode;
  warn(`the compiled kernels \`${path}\` are damaged; they are compiled anew`);
  return null;
}

const warn = (text: string): void => process.emitWarning(text, { type: "SpxWarning" });
