// Finds Node's own C headers, which llvm-bindings is compiled with. They lie beside most installations of Node. Where they
// do not, those of Node-API, the stable part that llvm-bindings uses, are taken from the koffi package, which ships them.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/**
 * @param {NodeJS.ProcessEnv} [env] `npm_config_nodedir` names a folder of the user's own
 * @returns {string | undefined} the folder above `include/node` whose headers have this Node's major version
 */
export function findNodeHeaders(env = process.env) {
  const running = dirname(dirname(realpathSync(process.execPath)));
  const cached = join(
    env.HOME ?? "/nonexistent",
    ".cmake-js",
    `${process.release.name}-${process.arch}`,
    process.version,
  );
  return [env.npm_config_nodedir, running, "/usr", "/usr/local", cached].find(
    (folder) => folder && headersFit(folder),
  );
}

/**
 * @param {string} root the clone, with its npm packages
 * @param {string} folder where to lay the headers out as an installation of Node would
 * @returns {string | undefined} that folder; nothing when the package has no headers
 */
export function layOutApiHeaders(root, folder) {
  const shipped = join(root, "node_modules", "koffi", "vendor", "node-api-headers", "include");
  if (!existsSync(join(shipped, "node_api.h"))) return undefined;
  const include = join(folder, "include", "node");
  mkdirSync(include, { recursive: true });
  for (const name of readdirSync(shipped)) copyFileSync(join(shipped, name), join(include, name));
  // The build tool looks for this name before it goes on; nothing that is compiled includes it.
  writeFileSync(join(include, "node.h"), '#include "node_api.h"\n');
  return folder;
}

/** @param {string} folder */
function headersFit(folder) {
  const include = join(folder, "include", "node");
  const versionFile = join(include, "node_version.h");
  // node_api.h is what the addon really uses; node.h is what cmake-js asks for before it downloads.
  if (![versionFile, join(include, "node_api.h"), join(include, "node.h")].every((file) => existsSync(file)))
    return false;
  const major = readFileSync(versionFile, "utf8").match(/#define NODE_MAJOR_VERSION (\d+)/)?.[1];
  return major === process.versions.node.split(".")[0];
}
