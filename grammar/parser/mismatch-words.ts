/** table: the words for every token that a rule of the grammar can ask for in vain. */
import type { SyntaxProblemName } from "./syntax-problems.ts";

export interface MismatchWords {
  readonly problem: SyntaxProblemName;
  /** Completes "expected …". */
  readonly expected: string;
  /** What to write where it is missing; null when no text fits every case. */
  readonly insert: string | null;
  readonly advice: string;
}

const row = (
  problem: SyntaxProblemName,
  expected: string,
  insert: string | null,
  advice: string,
): MismatchWords => ({
  problem,
  expected,
  insert,
  advice,
});

const definition = (problem: SyntaxProblemName, what: string, form: string): MismatchWords =>
  row(problem, `\`=\` and ${what}`, " = ", `write \`${form}\``);
const named = (problem: SyntaxProblemName, what: string, form: string): MismatchWords =>
  row(problem, what, null, `write \`${form}\``);

export const maskForm = "mask M: unstructured = magnitude(W)";
const paramForm = "param B: [out, r] = 0";
export const letForm = "let scale = alpha / r";
const frozenForm = "frozen R: [out, in] = W - B @ A";
export const scheduleForm = "schedule keep: ratio = cubic(from: 1, to: 0.1)";
const phaseForm = "phase warm = progress < 0.1";
const refreshForm = "refresh M every 10 while progress < 0.75";
const pinForm = "pin merge B @ A`, `pin format S = csr` or `pin layout = lane_token";
const initForm = "init L, R = monarch_projection(W)";
const useForm = 'for "names" use Transform(arguments)';
const sumForm = "sum(i < n, term)";
const importForm = 'import { magnitude, topk } from "std/select"';

/** By `rule:token`, the token empty where several were open. */
export const mismatchWords: Readonly<Record<string, MismatchWords>> = {
  "importDeclaration:LeftBrace": named("declarationForm", "`{` and names after `import`", importForm),
  "importDeclaration:RightBrace": row(
    "declarationForm",
    "`,` or `}` after a name of the import",
    ", ",
    "separate the names with commas",
  ),
  "importDeclaration:Word_from": row(
    "declarationForm",
    "`from` and a file after the names",
    " from ",
    `write \`${importForm}\``,
  ),
  "importDeclaration:StringLiteral": named(
    "declarationForm",
    "a file in double quotes after `from`",
    importForm,
  ),
  "importedName:Identifier": named("declarationForm", "a name to import", importForm),
  "transformDeclaration:Identifier": named(
    "declarationForm",
    "a name after `transform`",
    "transform Name(W: frozen [out, in]) { … }",
  ),
  "transformDeclaration:LeftBrace": row(
    "declarationForm",
    "`{` after the parameters",
    " {",
    "statements stand in braces",
  ),
  "functionDeclaration:Identifier": named(
    "declarationForm",
    "a name after `function`",
    "function scaled(A: [m, n], s: real) = s * A",
  ),
  "functionDeclaration:DefinitionSign": definition(
    "declarationForm",
    "the function's value after the parameters",
    "function scaled(A: [m, n], s: real) = s * A",
  ),
  "intrinsicDeclaration:Identifier": named(
    "declarationForm",
    "a name after `intrinsic`",
    "intrinsic name(A: [m, n]) -> [m, n]",
  ),
  "intrinsicDeclaration:Arrow": row(
    "declarationForm",
    "`->` and a type after the parameters",
    " -> ",
    "write `intrinsic name(A: [m, n]) -> [m, n]`",
  ),
  "modelDeclaration:Identifier": named("declarationForm", "a name after `model`", "model Encoder { … }"),
  "modelDeclaration:LeftBrace": row(
    "declarationForm",
    "`{` after the model's name",
    " {",
    "rules stand in braces",
  ),
  "parameterList:LeftParenthesis": named(
    "declarationForm",
    "`(` and the parameters after the name",
    "Name(W: frozen [out, in], r: int = 16)",
  ),
  "parameterList:RightParenthesis": row(
    "declarationForm",
    "`,` or `)` after a parameter",
    ", ",
    "separate the parameters with commas",
  ),
  "parameter:Identifier": named("declarationForm", "the name of a parameter", "r: int = 16"),
  "parameter:Colon": row(
    "declarationForm",
    "`:` and a type after the parameter's name",
    ": ",
    "write `r: int`, `W: frozen [out, in]`",
  ),
  "type:": named("typeForm", "a type", "[out, in]` or `int"),
  "numberType:": named("typeForm", "`int`, `real`, `ratio` or `bool` after `const`", "const int"),
  "tensorType:": named("typeForm", "dimensions in brackets", "[out, in]"),
  "dimensions:LeftBracket": named("typeForm", "dimensions in brackets", "[out, in]"),
  "dimensions:RightBracket": row(
    "typeForm",
    "`,` or `]` after a dimension",
    ", ",
    "separate the dimensions with commas",
  ),
  "patternType:": named(
    "typeForm",
    "the pattern of a mask",
    "unstructured`, `nm(2, 4) along in` or `block(4, 1)",
  ),
  "patternType:Identifier": named("typeForm", "a dimension after `along`", "nm(2, 4) along in"),
  "patternSizes:LeftParenthesis": named(
    "typeForm",
    "the sizes of the pattern in parentheses",
    "nm(2, 4)`, `block(4, 1)",
  ),
  "patternSizes:RightParenthesis": row(
    "typeForm",
    "`,` or `)` after a size",
    ", ",
    "separate the sizes with commas",
  ),
  "useRule:StringLiteral": named("ruleForm", "a pattern of tensor names in double quotes", useForm),
  "useRule:Word_use": row(
    "ruleForm",
    "`use` and a transform after the pattern",
    " use ",
    `write \`${useForm}\``,
  ),
  "useRule:Identifier": named("ruleForm", "the name of a transform after `use`", useForm),
  "freezeRule:StringLiteral": named(
    "ruleForm",
    "a pattern of tensor names in double quotes",
    'freeze "names"',
  ),
  "letStatement:Identifier": named("statementForm", "a name after `let`", letForm),
  "letStatement:DefinitionSign": definition("statementForm", "the value after the name", letForm),
  "maskStatement:Identifier": named("statementForm", "a name after `mask`", maskForm),
  "maskStatement:Colon": row(
    "statementForm",
    "`:` and the mask's pattern after its name",
    ": ",
    `write \`${maskForm}\``,
  ),
  "maskStatement:": named("statementForm", "a mode of the mask", maskForm),
  "maskStatement:DefinitionSign": definition(
    "statementForm",
    "the mask's selection after the pattern",
    maskForm,
  ),
  "supportStatement:Identifier": named(
    "statementForm",
    "a name after `support`",
    "support S = topk(abs(W), nnz)",
  ),
  "supportStatement:DefinitionSign": definition(
    "statementForm",
    "the selection after the support's name",
    "support S = topk(abs(W), nnz)",
  ),
  "paramStatement:Identifier": named("statementForm", "a name after `param`", paramForm),
  "paramStatement:Colon": row(
    "statementForm",
    "`:` and a type after the param's name",
    ": ",
    `write \`${paramForm}\``,
  ),
  "sharedStatement:": named(
    "statementForm",
    "`param` or `frozen` after `shared`",
    "shared param A: [r, in] = normal(0.02)",
  ),
  "frozenStatement:Identifier": named("statementForm", "a name after `frozen`", frozenForm),
  "frozenStatement:Colon": row(
    "statementForm",
    "`:` and a type after the tensor's name",
    ": ",
    `write \`${frozenForm}\``,
  ),
  "frozenStatement:DefinitionSign": definition("statementForm", "the value after the type", frozenForm),
  "scheduleStatement:Identifier": named("statementForm", "a name after `schedule`", scheduleForm),
  "scheduleStatement:Colon": row(
    "statementForm",
    "`:` and a number type after the schedule's name",
    ": ",
    `write \`${scheduleForm}\``,
  ),
  "scheduleStatement:DefinitionSign": definition("statementForm", "the value after the type", scheduleForm),
  "phaseStatement:Identifier": named("statementForm", "a name after `phase`", phaseForm),
  "phaseStatement:DefinitionSign": definition("statementForm", "a condition after the name", phaseForm),
  "refreshStatement:Identifier": named("statementForm", "the name of a mask or support", refreshForm),
  "refreshStatement:Word_every": row(
    "statementForm",
    "`every` and a number of steps",
    " every ",
    `write \`${refreshForm}\``,
  ),
  "pinStatement:": named("statementForm", "what is claimed after `pin`", pinForm),
  "pinStatement:DefinitionSign": definition("statementForm", "what is claimed", "pin format S = csr"),
  "pinnedValue:": named("statementForm", "a name or a number after `=`", "pin format S = csr"),
  "initStatement:Identifier": named("statementForm", "the name of a param", initForm),
  "initStatement:DefinitionSign": definition("statementForm", "the initial values after the names", initForm),
  "weightStatement:DefinitionSign": definition(
    "statementForm",
    "the expression after `weight`",
    "weight = W + B @ A",
  ),
  "slice:RightBracket": row("expressionForm", "`]` after the index", "]", "write `A[i]`"),
  "parenthesized:RightParenthesis": row(
    "expressionForm",
    "an operator or `)`",
    null,
    "join values with `+`, `*`, `@` or `.*`",
  ),
  "argumentList:RightParenthesis": row(
    "expressionForm",
    "`,` or `)` after an argument",
    ", ",
    "separate the arguments with commas",
  ),
  "family:RightBracket": row(
    "statementForm",
    "`]` after the number of patterns",
    "]",
    "write `mask M[i < n]`",
  ),
  "series:LeftParenthesis": named("expressionForm", "`(` after `sum` or `product`", sumForm),
  "series:Identifier": named("expressionForm", "the index of the terms", sumForm),
  "series:Less": named("expressionForm", "`<` and a count after the index", sumForm),
  "series:Comma": row("expressionForm", "`,` and a term after the count", ", ", `write \`${sumForm}\``),
  "series:RightParenthesis": named("expressionForm", "`)` after the term", sumForm),
};
