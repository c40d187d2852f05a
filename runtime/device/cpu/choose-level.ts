/** Which instruction-set level of a kernel library runs here. */
import type { KernelLibrary } from "../../contract/manifest.ts";
import { SpxError } from "../../errors.ts";

export type KernelLevel = KernelLibrary["levels"][number];

/**
 * The widest level whose features the CPU has, or the one `forced` (by name or by its last part, `v3`).
 * @throws SpxError SPX8307 when none runs here; SPX8308 when the forced one does not exist or cannot run.
 */
export function chooseLevel(
  levels: readonly KernelLevel[],
  features: ReadonlySet<string>,
  forced: string | null,
): KernelLevel {
  const names = levels.map(({ name }) => name);
  const candidates =
    forced === null
      ? levels
      : levels.filter(({ name, suffix }) => [name, suffix].includes(forced) || name.endsWith(`-${forced}`));
  const missing = new Map(
    candidates.map((level) => [level.name, level.needs.filter((need) => !features.has(need))]),
  );
  const chosen = candidates.find(({ name }) => missing.get(name)?.length === 0);
  if (chosen !== undefined) return chosen;
  if (forced !== null && candidates.length === 0) {
    throw new SpxError("SPX8308", `the kernels have no level \`${forced}\``, {
      facts: { forced, levels: names },
      help: `set SPX_LEVEL to one of ${names.join(", ")}, or unset it`,
    });
  }
  const lacks = [...missing].map(([name, needs]) => `${name} needs ${needs.join(", ")}`).join("; ");
  throw new SpxError(
    forced === null ? "SPX8307" : "SPX8308",
    `this CPU lacks features of ${forced === null ? "every level" : `level \`${forced}\``} of the kernels: ${lacks}`,
    { facts: { levels: names, forced }, help: "run on a CPU that has them, or build for a lower level" },
  );
}
