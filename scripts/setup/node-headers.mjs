// Finds Node's own C headers, which llvm-bindings is compiled with. They lie beside most installations of Node; only
// when they are nowhere does the build download them.

import { existsSync, readFileSync, realpathSync } from "node:fs";
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
