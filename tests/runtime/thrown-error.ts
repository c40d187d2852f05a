/** The SpxError, or its code, that an action throws now or later; whatever else is thrown goes on. */
import { SpxError } from "../../runtime/errors.ts";

const nothing = "nothing was thrown";

function known(thrown: unknown): SpxError {
  if (thrown instanceof SpxError) return thrown;
  throw thrown;
}

function errorIn(action: () => unknown): SpxError | null {
  try {
    action();
  } catch (thrown) {
    return known(thrown);
  }
  return null;
}

/** @throws Error when the action throws nothing. */
export function caught(action: () => unknown): SpxError {
  const error = errorIn(action);
  if (error === null) throw new Error(nothing);
  return error;
}

export const codeOf = (action: () => unknown): string => errorIn(action)?.code ?? nothing;

/** As `codeOf`, of what the promise that an action gives ends with. */
export async function laterCodeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (thrown) {
    return known(thrown).code;
  }
  return nothing;
}
