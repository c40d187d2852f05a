// Reads a Python wheel, which is a zip archive: its table of contents, and single members streamed to files. Members are
// never held in memory whole.

import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const longestEnd = 22 + 0xffff;
const stored = 0;
const deflated = 8;

/**
 * @typedef {object} WheelMember
 * @property {string} name
 * @property {number} method
 * @property {number} packedBytes
 * @property {number} bytes
 * @property {number} localOffset
 */

/**
 * @param {string} file
 * @returns {Promise<WheelMember[]>} throws when the file is no zip archive, is cut short, or needs the 64-bit extension
 */
export async function listWheel(file) {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const tail = await readExactly(handle, Math.max(0, size - longestEnd), Math.min(size, longestEnd));
    const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (end < 0 || tail.length - end < 22 || tail.readUInt32LE(end) !== endSignature)
      throw new Error(`${file} is not a whole zip archive`);
    const count = tail.readUInt16LE(end + 10);
    const bytes = tail.readUInt32LE(end + 12);
    const offset = tail.readUInt32LE(end + 16);
    if (offset === 0xffffffff || count === 0xffff || offset + bytes > size)
      throw new Error(`${file}: its table of contents lies outside the file`);
    return readEntries(await readExactly(handle, offset, bytes), count, file);
  } finally {
    await handle.close();
  }
}

/** @param {Buffer} table @param {number} count @param {string} file @returns {WheelMember[]} */
function readEntries(table, count, file) {
  const members = /** @type {WheelMember[]} */ ([]);
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > table.length || table.readUInt32LE(at) !== entrySignature)
      throw new Error(`${file}: its table of contents is broken`);
    const nameBytes = table.readUInt16LE(at + 28);
    members.push({
      name: table.toString("utf8", at + 46, at + 46 + nameBytes),
      method: table.readUInt16LE(at + 10),
      packedBytes: table.readUInt32LE(at + 20),
      bytes: table.readUInt32LE(at + 24),
      localOffset: table.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + table.readUInt16LE(at + 30) + table.readUInt16LE(at + 32);
  }
  return members;
}

/**
 * @param {string} file the wheel
 * @param {WheelMember} member
 * @param {string} target written; its folder is made. What it holds is for the caller to verify.
 */
export async function extractMember(file, member, target) {
  const handle = await open(file);
  let start = 0;
  try {
    const head = await readExactly(handle, member.localOffset, 30);
    if (head.readUInt32LE(0) !== localSignature)
      throw new Error(`${file}: ${member.name} is not where the table of contents says`);
    start = member.localOffset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  } finally {
    await handle.close();
  }
  await mkdir(dirname(target), { recursive: true });
  const output = createWriteStream(target);
  if (member.packedBytes === 0) {
    await new Promise((resolve) => output.end(resolve));
    return;
  }
  const packed = createReadStream(file, { start, end: start + member.packedBytes - 1 });
  if (member.method === stored) await pipeline(packed, output);
  else if (member.method === deflated) await pipeline(packed, createInflateRaw(), output);
  else
    throw new Error(`${file}: ${member.name} is packed in a way (${member.method}) that wheels do not use`);
}

/** @param {import("node:fs/promises").FileHandle} handle @param {number} offset @param {number} bytes */
async function readExactly(handle, offset, bytes) {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
  if (bytesRead < bytes) throw new Error(`the file ends at byte ${offset + bytesRead}, inside a record`);
  return buffer;
}
