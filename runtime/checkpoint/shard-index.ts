/**
 * The index of a sharded checkpoint: JSON with a `weight_map` from tensor name to the shard that holds it.
 * Shards are files beside the index and nothing else, so that an index cannot reach into other folders.
 */
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describeCause, type ErrorFacts, SpxError } from "../errors.ts";
import { type LocatedJson, quote, readLocatedJson } from "./located-json.ts";
import type { SafetensorsFile } from "./safetensors-file.ts";
import { longestHeader } from "./safetensors-header.ts";

export interface ShardIndex {
  readonly file: string;
  /** Paths of the shards, each once, ordered by name. */
  readonly shards: readonly string[];
  /** Tensor name → path of its shard. */
  readonly shardOf: ReadonlyMap<string, string>;
}

/** @throws SpxError SPX8001 when the file cannot be read, SPX8016 when it is no index of shards. */
export async function readShardIndex(file: string): Promise<ShardIndex> {
  const result = readLocatedJson(await readText(file));
  if (!result.ok) throw malformed(file, `wrong at character ${result.problem.at}: ${result.problem.message}`);
  const map = result.value.kind === "object" ? result.value.members.get("weight_map") : undefined;
  if (map?.kind !== "object") throw malformed(file, "expected an object with an object `weight_map`");
  const shardOf = new Map<string, string>();
  for (const [name, shard] of map.members)
    shardOf.set(name, join(dirname(file), shardName(file, name, shard)));
  return { file, shards: [...new Set(shardOf.values())].sort(), shardOf };
}

function shardName(file: string, tensor: string, value: LocatedJson): string {
  if (value.kind !== "string")
    throw malformed(file, `the shard of ${quote(tensor)} is no string`, { tensor });
  const name = value.value;
  if (
    name === basename(name) &&
    !name.includes("\\") &&
    !name.includes("\0") &&
    name.endsWith(".safetensors")
  )
    return name;
  const text = `the shard of ${quote(tensor)} has to be a .safetensors file beside the index, found ${quote(name)}`;
  throw malformed(file, text, { tensor, found: name });
}

/** Compares the index with the headers of its shards, in their order. @throws SpxError SPX8017 */
export function checkShardIndex(index: ShardIndex, files: readonly SafetensorsFile[]): void {
  const headers = new Map(files.map((file) => [file.path, file.header.tensors]));
  for (const [name, shard] of index.shardOf) {
    if (headers.get(shard)?.has(name) !== true) {
      throw disagrees(
        index.file,
        `${quote(name)} should be in ${quote(basename(shard))} and is not`,
        name,
        shard,
      );
    }
  }
  for (const [shard, tensors] of headers) {
    for (const name of tensors.keys()) {
      if (index.shardOf.get(name) === shard) continue;
      const where = index.shardOf.has(name) ? "is listed for another shard" : "is not listed";
      throw disagrees(index.file, `${quote(name)} is in ${quote(basename(shard))} and ${where}`, name, shard);
    }
  }
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > longestHeader)
      throw malformed(file, `it has ${size} bytes, more than ${longestHeader}`, { found: size });
    return await readFile(file, "utf8");
  } catch (cause) {
    if (cause instanceof SpxError) throw cause;
    throw new SpxError("SPX8001", `${file}: the index of shards cannot be read: ${describeCause(cause)}`, {
      facts: { file },
      help: "check the path and the permission to read it",
      cause,
    });
  }
}

function malformed(file: string, text: string, facts: ErrorFacts = {}): SpxError {
  return new SpxError("SPX8016", `${file}: ${text}`, {
    facts: { file, ...facts },
    help: 'an index reads {"metadata": {…}, "weight_map": {"tensor": "model-00001-of-00002.safetensors", …}}',
  });
}

function disagrees(file: string, text: string, tensor: string, shard: string): SpxError {
  return new SpxError("SPX8017", `${file}: tensor ${text}`, {
    facts: { file, tensor, shard },
    help: "index and shards come from different writes: copy or download all of them again",
  });
}
