/** A call of an intrinsic whose arguments fit: what its meaning is made from. */

import type { IntrinsicSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { BoundCall } from "./bind-arguments.ts";
import type { CheckContext } from "./check-context.ts";
import type { TensorValue, Value } from "./value.ts";

export type Meaning = (context: CheckContext, syntax: IntrinsicSyntax, call: BoundCall, span: Span) => Value;

export const tensorsOf = (call: BoundCall): TensorValue[] =>
  call.arguments.flatMap(({ value }) => (value.kind === "tensor" ? [value] : []));

export const numberOf = (call: BoundCall, name: string): NumberExpression | null => {
  const found = call.arguments.find((argument) => argument.name === name)?.value;
  return found?.kind === "number" ? found.expression : null;
};
