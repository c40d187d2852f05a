/**
 * The one door to Chevrotain: every other file of this folder takes it from here, so that a build can put a
 * bundled copy in its place (the published package loads some hundred small files).
 */

export type { CstElement, CstNode, ILexingError, IRecognitionException, IToken, TokenType } from "chevrotain";
export { CstParser, createToken, createTokenInstance, EOF, Lexer, tokenMatcher } from "chevrotain";
