/** The error of a kernel that could not do its work, whatever kind of kernel it is. */
import { type ErrorFacts, SpxError } from "../../errors.ts";
import type { Kernel } from "../../native/foreign-library.ts";

/** SPX8309, with what the caller knows of the call. */
export const kernelFailed = (
  { symbol }: Pick<Kernel, "symbol">,
  status: number,
  facts: ErrorFacts,
): SpxError =>
  new SpxError("SPX8309", `kernel \`${symbol}\` failed with status ${status}`, {
    facts: { kernel: symbol, status, ...facts },
    help: "check that memory is left; if it stays, report it with the .spx file",
  });
