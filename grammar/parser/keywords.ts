/**
 * Every word with a meaning in the grammar, once: the lexer, the repair of misspelt words, the editor grammar and
 * the reference page read this table.
 */

/** Where a reserved word may stand; decides which words are offered for a misspelt one. */
export type KeywordPlace = "module" | "transform" | "model" | "rule" | "type" | "clause" | "expression";

export interface Keyword {
  readonly word: string;
  readonly place: KeywordPlace;
  /** Reserved words are never names; the others mean something only where the grammar asks for them. */
  readonly reserved: boolean;
  /** One clause for people, used by messages and by the editor. */
  readonly meaning: string;
  /** Words that authors coming from elsewhere write for it. */
  readonly synonyms: readonly string[];
}

const reserved = (word: string, place: KeywordPlace, meaning: string, ...synonyms: string[]): Keyword => ({
  word,
  place,
  reserved: true,
  meaning,
  synonyms,
});

const contextual = (word: string, place: KeywordPlace, meaning: string, ...synonyms: string[]): Keyword => ({
  word,
  place,
  reserved: false,
  meaning,
  synonyms,
});

export const keywords: readonly Keyword[] = [
  reserved("import", "module", "takes names from another file", "include", "using", "require_module"),
  reserved(
    "transform",
    "module",
    "declares a parameterization of a weight",
    "class",
    "struct",
    "layer",
    "module",
    "parameterization",
  ),
  reserved("function", "module", "names an expression of its arguments", "def", "fn", "func", "fun", "macro"),
  reserved(
    "intrinsic",
    "module",
    "names an operation that the compiler supplies",
    "extern",
    "external",
    "builtin",
  ),
  reserved("model", "module", "says which tensors get which transform", "network", "rules"),

  reserved(
    "require",
    "transform",
    "states a condition on dimensions",
    "assert",
    "where",
    "constraint",
    "ensure",
  ),
  reserved("let", "transform", "names a value", "var", "val", "define"),
  reserved("mask", "transform", "declares a pattern chosen from a weight"),
  reserved("support", "transform", "declares a set of positions"),
  reserved("param", "transform", "declares a trained tensor", "parameter", "trainable", "train", "learn"),
  reserved(
    "frozen",
    "transform",
    "declares a tensor computed once, or is given and never trained",
    "fixed",
    "buffer",
  ),
  reserved("shared", "transform", "one value for all layers of a model", "tied"),
  reserved("schedule", "transform", "declares a number that follows training", "anneal", "ramp"),
  reserved("phase", "transform", "names a stretch of training", "stage"),
  reserved("refresh", "transform", "chooses a pattern again during training", "reselect", "update"),
  reserved("pin", "transform", "claims something of the plan"),
  reserved("init", "transform", "gives params their initial values together", "initialize", "initialise"),
  reserved("weight", "transform", "says what the weight is", "return", "output", "result"),

  reserved("for", "model", "starts a rule", "foreach", "match", "apply"),
  reserved("freeze", "model", "leaves tensors as they are", "keep", "skip", "ignore"),
  reserved("except", "rule", "takes tensors out of a rule", "but", "without", "unless", "exclude"),
  reserved("use", "rule", "names the transform of a rule", "with", "apply"),

  reserved("const", "type", "fixed at build time"),
  contextual("int", "type", "a whole number", "integer", "i32", "i64", "uint", "usize", "size_t"),
  contextual("real", "type", "a real number", "float", "double", "number", "scalar", "f32", "f64"),
  contextual("ratio", "type", "a number from 0 to 1", "fraction", "probability", "percent"),
  contextual("bool", "type", "true or false", "boolean"),
  contextual("pool", "type", "which entries compete with each other"),
  contextual("sparse", "type", "zero off a support"),
  contextual("blockdiag", "type", "zero off the diagonal blocks"),
  contextual("diag", "type", "zero off the diagonal"),
  contextual("unstructured", "type", "a mask without a regular pattern"),
  contextual("nm", "type", "a mask that keeps n of every m"),
  contextual("block", "type", "a mask made of whole blocks"),
  contextual("nf2", "type", "2 bits a value on the quantiles of a normal distribution"),
  contextual("nf3", "type", "3 bits a value on the quantiles of a normal distribution"),
  contextual("nf4", "type", "4 bits a value on the quantiles of a normal distribution"),
  contextual("int4", "type", "4 bits a value on an even grid"),
  contextual("int8", "type", "8 bits a value on an even grid"),
  contextual("bf16", "type", "16 bits a value: the upper half of a float32", "bfloat16", "half"),
  contextual("structural", "type", "a mask whose other entries do not exist"),
  contextual("multiplicative", "type", "a mask that also masks the gradient of a dense tensor"),
  contextual("straight_through", "type", "a mask that lets the whole gradient pass"),
  contextual("on", "type", "names the support of a sparse tensor"),
  contextual("blocks", "type", "gives the number of diagonal blocks"),
  contextual("along", "type", "names the axis of an n:m mask"),
  contextual("every", "clause", "gives the steps between two choices"),
  contextual("while", "clause", "says until when a pattern is chosen again"),
  contextual("merge", "clause", "pins a term that is merged"),
  contextual("separate", "clause", "pins a term that is applied by itself"),
  contextual("format", "clause", "pins how a tensor is stored"),
  contextual("layout", "clause", "pins the meaning of lanes"),
  contextual("tile", "clause", "pins the number of tokens a tile"),
  contextual("as", "module", "gives an imported name another name"),
  contextual("from", "module", "names the file of an import"),

  reserved("sum", "expression", "adds a term for every index"),
  reserved("product", "expression", "multiplies a factor for every index"),
  reserved("and", "expression", "both conditions hold"),
  reserved("or", "expression", "one of the conditions holds"),
  reserved("not", "expression", "the condition does not hold"),
];

const placeOf = new Map(keywords.map((keyword) => [keyword.word, keyword]));

/** The row of `word`, or undefined when it is an ordinary name. */
export const keywordNamed = (word: string): Keyword | undefined => placeOf.get(word);

/** True when `word` can never be a name. */
export const isReservedWord = (word: string): boolean => placeOf.get(word)?.reserved === true;
