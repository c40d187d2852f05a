// Looks for commands and files by `stat` alone: no process is started, so that a set-up with nothing to do stays instant.

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** @param {string} name @param {NodeJS.ProcessEnv} [env] @returns {string | undefined} the first executable of that name on PATH */
export function findCommand(name, env = process.env) {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    if (folder === "") continue;
    const file = join(folder, name);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

/** @param {string[]} files @returns {string | undefined} the first that exists */
export function findFirst(files) {
  return files.find((file) => existsSync(file));
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
