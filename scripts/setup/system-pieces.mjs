// What spx needs from the machine itself, as a table: what each piece is for, how it is recognised by looking at files,
// and which Debian or Ubuntu package brings it.

import { dirname, join } from "node:path";
import { findCommand, findFirst } from "./find-file.mjs";

/**
 * @typedef {"addon" | "kernels" | "comparison"} Use
 *   `addon`: to build llvm-bindings, once; `kernels`: whenever a kernel is compiled; `comparison`: optional, the peer that
 *   the quick start compares with.
 * @typedef {object} SystemPiece
 * @property {string} name
 * @property {string} reason
 * @property {Use[]} uses
 * @property {string} aptPackage
 * @property {(env: NodeJS.ProcessEnv) => string | undefined} find the file that proves the piece, or nothing
 */

const libraryFolders = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib",
  "/lib",
];

/** @type {SystemPiece[]} */
export const systemPieces = [
  {
    name: "a C++ compiler",
    reason: "builds llvm-bindings",
    uses: ["addon"],
    aptPackage: "g++",
    find: (env) => findCommand("g++", env) ?? findCommand("clang++", env),
  },
  {
    name: "a linker",
    reason: "turns compiled kernels into a shared object",
    uses: ["addon", "kernels"],
    aptPackage: "binutils",
    find: (env) => findCommand("ld", env) ?? findCommand("ld.lld", env),
  },
  {
    name: "make",
    reason: "runs the build of llvm-bindings",
    uses: ["addon"],
    aptPackage: "make",
    find: (env) => findCommand("ninja", env) ?? findCommand("make", env),
  },
  {
    name: "cmake",
    reason: "configures the build of llvm-bindings",
    uses: ["addon"],
    aptPackage: "cmake",
    find: (env) => findCommand("cmake", env),
  },
  {
    name: "LLVM 14 with its headers",
    reason: "llvm-bindings is compiled against it",
    uses: ["addon"],
    aptPackage: "llvm-14-dev",
    find: (env) => findLlvmConfig(env),
  },
  {
    name: "the LLVM 14 library",
    reason: "optimises kernels and writes machine code",
    uses: ["kernels"],
    aptPackage: "libllvm14",
    find: (env) =>
      findLibrary(
        ["libLLVM-14.so.1", "libLLVM-14.so"],
        ["/usr/lib/llvm-14/lib", ...ownLlvmFolders(env)],
        env,
      ),
  },
  {
    name: "the zlib headers",
    reason: "LLVM's own libraries ask for them when llvm-bindings is linked",
    uses: ["addon"],
    aptPackage: "zlib1g-dev",
    find: () => findFirst(["/usr/include/zlib.h", "/usr/local/include/zlib.h"]),
  },
  {
    name: "OpenBLAS",
    reason: "the quick start times its kernels against it",
    uses: ["comparison"],
    aptPackage: "libopenblas0-pthread",
    find: (env) => {
      const own = libraryFolders.map((folder) => join(folder, "openblas-pthread"));
      return findLibrary(["libopenblas.so.0"], own, env);
    },
  },
];

/**
 * @param {Use[]} uses
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {SystemPiece[]} the pieces for one of these uses that this machine lacks
 */
export function missingPieces(uses, env = process.env) {
  return systemPieces.filter(
    (piece) => piece.uses.some((use) => uses.includes(use)) && piece.find(env) === undefined,
  );
}

/** LLVM_DIR is the variable that cmake itself reads. @param {NodeJS.ProcessEnv} env @returns {string | undefined} */
function findLlvmConfig(env) {
  const folders = [
    env.LLVM_DIR,
    "/usr/lib/llvm-14/lib/cmake/llvm",
    "/usr/local/lib/cmake/llvm",
    "/usr/lib64/llvm14/lib/cmake/llvm",
  ];
  return findFirst(folders.flatMap((folder) => (folder ? [join(folder, "LLVMConfig.cmake")] : [])));
}

/** An LLVM of the user's own keeps its library two folders above its cmake files. @param {NodeJS.ProcessEnv} env */
function ownLlvmFolders(env) {
  return env.LLVM_DIR ? [dirname(dirname(env.LLVM_DIR))] : [];
}

/** @param {string[]} names @param {string[]} first folders to look into before the usual ones @param {NodeJS.ProcessEnv} env */
function findLibrary(names, first, env) {
  const asked = (env.LD_LIBRARY_PATH ?? "").split(":").filter((folder) => folder !== "");
  return findFirst(
    [...asked, ...first, ...libraryFolders].flatMap((folder) => names.map((name) => join(folder, name))),
  );
}
