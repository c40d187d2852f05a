/** Checks that a loop program keeps the rules of the level; run after lowering in tests and before code generation. */
import { allTargets } from "../targets/x86-targets.ts";
import { type ExpressionRule, expressionRules, isIndex, sameType } from "./expression-rules.ts";
import { typeOf } from "./loop-expression.ts";
import type {
  BufferDeclaration,
  BufferElement,
  BufferSpace,
  LoopExpression,
  LoopProgram,
  LoopStatement,
  Scalar,
  ValueType,
} from "./loop-node.ts";
import { printExpression } from "./print-loop.ts";

/** Where a program breaks which rule. */
export interface LoopViolation {
  readonly rule: string;
  readonly where: string;
}

const lengthOperators = new Set(["add", "sub", "mul", "div", "rem", "min", "max"]);
const writable: ReadonlySet<BufferSpace> = new Set(["output", "result", "workspace", "local"]);
const laneCounts = new Set([1, 2, 4, 8, 16]);
const levels = new Set<string>(allTargets.map(({ name }) => name));

const loadedAs = (element: BufferElement): Scalar =>
  element === "f32" || element === "f64" ? element : "i32";

/** An expression of literals, frame symbols and `batch` alone. */
const isLength = (node: LoopExpression, symbols: ReadonlySet<string>): boolean =>
  node.kind === "constant" ||
  (node.kind === "symbol" && symbols.has(node.name)) ||
  (node.kind === "binary" &&
    lengthOperators.has(node.operator) &&
    isLength(node.left, symbols) &&
    isLength(node.right, symbols));

const childrenOf = (node: LoopExpression): LoopExpression[] =>
  Object.values(node).filter(
    (child): child is LoopExpression => typeof child === "object" && child !== null && "kind" in child,
  );

/** Every violation of the level's rules, in program order; empty for a correct program. */
export function verifyLoop(program: LoopProgram): LoopViolation[] {
  const violations: LoopViolation[] = [];
  const check = (rule: string, holds: boolean, where: string): void => {
    if (!holds) violations.push({ rule, where });
  };
  const buffers = new Map<string, BufferDeclaration>(program.buffers.map((buffer) => [buffer.name, buffer]));
  const symbols = new Set(["batch", ...program.symbols]);
  const used = new Set<string>();
  const introduce = (name: string): void => {
    check("a name is given once", !used.has(name), name);
    used.add(name);
  };
  /** Names in scope: indices by `symbol`, values and registers by `read`. */
  type Scope = ReadonlyMap<
    string,
    { readonly type: ValueType; readonly kind: "index" | "value" | "register" }
  >;

  /** Whether values of the type may be stored to the buffer. */
  const holds = (name: string, scalar: Scalar): boolean => {
    const buffer = buffers.get(name);
    return buffer !== undefined && writable.has(buffer.space) && loadedAs(buffer.element) === scalar;
  };

  function checkExpression(node: LoopExpression, scope: Scope): void {
    const text = (): string => printExpression(node);
    for (const child of childrenOf(node)) checkExpression(child, scope);
    const rules = expressionRules[node.kind] as ExpressionRule<typeof node.kind>;
    for (const [rule, holds] of rules)
      if (!(holds as (of: LoopExpression) => boolean)(node)) violations.push({ rule, where: text() });
    const { lanes } = typeOf(node);
    if (!laneCounts.has(lanes))
      violations.push({
        rule: "values have 1 or 16 lanes, parts of a transposed tile 2, 4 or 8",
        where: text(),
      });
    if (node.kind === "symbol")
      check(
        "an index is known where it is used",
        symbols.has(node.name) || scope.get(node.name)?.kind === "index",
        node.name,
      );
    if (node.kind === "read") {
      const found = scope.get(node.name);
      check(
        "a value is named before it is read",
        found !== undefined && found.kind !== "index" && sameType(found.type, node.type),
        node.name,
      );
    }
    if (node.kind === "load") {
      const buffer = buffers.get(node.buffer);
      if (buffer === undefined || node.type.scalar !== loadedAs(buffer.element))
        violations.push({ rule: "a load has the type of its buffer", where: text() });
    }
  }

  function checkBody(body: readonly LoopStatement[], outer: Scope): void {
    const scope = new Map(outer);
    for (const node of body) {
      switch (node.kind) {
        case "for":
          for (const bound of [node.from, node.to, node.step]) {
            checkExpression(bound, scope);
            check("loop bounds are indices", isIndex(bound), node.variable);
          }
          introduce(node.variable);
          checkBody(
            node.body,
            new Map(scope).set(node.variable, { type: { scalar: "i64", lanes: 1 }, kind: "index" }),
          );
          break;
        case "let":
        case "register": {
          const value = node.kind === "let" ? node.value : node.initial;
          checkExpression(value, scope);
          introduce(node.name);
          scope.set(node.name, { type: typeOf(value), kind: node.kind === "let" ? "value" : "register" });
          break;
        }
        case "set": {
          checkExpression(node.value, scope);
          const register = scope.get(node.name);
          check(
            "a register is declared before it is set, with the same type",
            register?.kind === "register" && sameType(register.type, typeOf(node.value)),
            node.name,
          );
          break;
        }
        case "store": {
          for (const part of [node.index, node.value, ...(node.count === null ? [] : [node.count])])
            checkExpression(part, scope);
          check(
            "values are stored to outputs, results, workspaces and scratch of their type",
            holds(node.buffer, typeOf(node.value).scalar),
            node.buffer,
          );
          check(
            "places are indices",
            isIndex(node.index) && (node.count === null || isIndex(node.count)),
            node.buffer,
          );
          break;
        }
        case "compress": {
          for (const part of [node.index, node.value, node.where]) checkExpression(part, scope);
          const { value, where } = node;
          check(
            "16 floats are stored by 16 truths to a buffer of floats",
            holds(node.buffer, "f32") &&
              sameType(typeOf(value), { scalar: "f32", lanes: 16 }) &&
              sameType(typeOf(where), { scalar: "bool", lanes: 16 }),
            node.buffer,
          );
          check("places are indices", isIndex(node.index), node.buffer);
          break;
        }
        case "prefetch":
          checkExpression(node.index, scope);
          check(
            "only packed operands are asked for ahead, by an index",
            buffers.get(node.buffer)?.space === "constant" && isIndex(node.index),
            node.buffer,
          );
          break;
        case "if":
          checkExpression(node.condition, scope);
          check(
            "a branch asks one truth",
            sameType(typeOf(node.condition), { scalar: "bool", lanes: 1 }),
            printExpression(node.condition),
          );
          checkBody(node.then, scope);
          checkBody(node.otherwise, scope);
      }
    }
  }

  check("the level is known", levels.has(program.level), program.level);
  [...program.symbols, ...buffers.keys()].forEach(introduce);
  check("a buffer is declared once", buffers.size === program.buffers.length, program.name);
  for (const { name, space, length } of program.buffers) {
    check("lengths are made of symbols", isLength(length, symbols), name);
    check("scratch has a known length", space !== "local" || length.kind === "constant", name);
  }
  for (const phase of program.phases) {
    check(
      "tiles are counted from symbols",
      isIndex(phase.tiles) && isLength(phase.tiles, symbols),
      phase.name,
    );
    introduce(phase.tile);
    checkBody(phase.body, new Map([[phase.tile, { type: { scalar: "i64", lanes: 1 }, kind: "index" }]]));
  }
  return violations;
}
