/**
 * The 64-bit hash that turns the name of a random stream into counter words: FNV-1a over the UTF-8 bytes of the
 * name (offset basis 14695981039346656037, prime 1099511628211). Its weak mixing does not matter, because the
 * generator mixes it again; different names need different hashes, no more.
 */

const offsetBasis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;

/** FNV-1a of `name`, as two unsigned 32-bit halves. */
export function hashName(name: string): readonly [low: number, high: number] {
  let hash = offsetBasis;
  for (const byte of new TextEncoder().encode(name)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  return [Number(hash & 0xffffffffn), Number(hash >> 32n)];
}
