// Lets one set-up at a time work on a clone. The lock is a listening Unix socket in Linux's abstract namespace: the
// kernel drops it with the process that holds it, so a killed set-up leaves no stale lock, and a waiting one can ask
// the holder what it is doing.

import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { connect, createServer } from "node:net";
import { say } from "./run-step.mjs";

const askAgainEvery = 500;
const sayAgainEvery = 10_000;

/**
 * Waits until no other set-up works on this clone, then holds the lock.
 *
 * @param {string} root the clone
 * @param {() => string} doing what the holder is doing right now, told to those who wait
 * @param {(text: string) => void} [report] told now and then while this waits
 * @returns {Promise<{ waited: boolean, release: () => void }>}
 */
export async function takeSetupLock(root, doing, report = say) {
  const address = lockAddress(root);
  let said = Number.NEGATIVE_INFINITY;
  let waited = false;
  for (;;) {
    const server = await tryToListen(address, doing);
    if (server !== undefined) return { waited, release: () => server.close() };
    waited = true;
    if (performance.now() - said >= sayAgainEvery) {
      said = performance.now();
      report(`another set-up is at work on this clone (${await askHolder(address)}); waiting for it`);
    }
    await new Promise((resolve) => setTimeout(resolve, askAgainEvery));
  }
}

/** @param {string} root */
function lockAddress(root) {
  return `\0spx-setup-${createHash("sha256").update(realpathSync(root)).digest("hex").slice(0, 32)}`;
}

/** @param {string} address @param {() => string} doing @returns {Promise<import("node:net").Server | undefined>} undefined when the address is held */
function tryToListen(address, doing) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(`process ${process.pid}: ${doing()}`);
    });
    server.once("error", (error) => {
      if ("code" in error && error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** @param {string} address @returns {Promise<string>} */
function askHolder(address) {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(address);
    socket.setTimeout(1000, () => socket.destroy());
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(answer === "" ? "it does not say what it is doing" : answer));
  });
}
