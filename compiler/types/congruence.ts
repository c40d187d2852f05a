/** Congruence classes of whole numbers: what is known of a dimension modulo something. */
import { greatestCommonDivisor, leastCommonMultiple } from "./rational.ts";

/** All x with x ≡ residue (mod modulus); modulus 0: exactly residue; modulus 1: any whole number. */
export interface Congruence {
  readonly modulus: bigint;
  readonly residue: bigint;
}

export const anyWhole: Congruence = { modulus: 1n, residue: 0n };

/** The residue in [0, modulus); unchanged when modulus is 0. */
export const remainder = (value: bigint, modulus: bigint): bigint =>
  modulus === 0n ? value : ((value % modulus) + modulus) % modulus;

export const congruence = (modulus: bigint, residue: bigint): Congruence => ({
  modulus,
  residue: remainder(residue, modulus),
});

export const addCongruences = (a: Congruence, b: Congruence): Congruence =>
  congruence(greatestCommonDivisor(a.modulus, b.modulus), a.residue + b.residue);

/** (r + m x)(s + n y) = r s + r n y + s m x + m n x y. */
export const multiplyCongruences = (a: Congruence, b: Congruence): Congruence =>
  congruence(
    greatestCommonDivisor(
      greatestCommonDivisor(a.residue * b.modulus, b.residue * a.modulus),
      a.modulus * b.modulus,
    ),
    a.residue * b.residue,
  );

/** What both say together. Exact for classes of 0; otherwise the finer one, which is weaker but true. */
export function meetCongruences(a: Congruence, b: Congruence): Congruence {
  if (a.modulus === 0n || b.modulus === 0n) return a.modulus === 0n ? a : b;
  if (a.residue === 0n && b.residue === 0n) return congruence(leastCommonMultiple(a.modulus, b.modulus), 0n);
  return a.modulus >= b.modulus ? a : b;
}

/** The remainder on division by `divisor` when every member of the class has the same one, else null. */
export const knownRemainder = (a: Congruence, divisor: bigint): bigint | null =>
  divisor > 0n && (a.modulus === 0n || a.modulus % divisor === 0n) ? remainder(a.residue, divisor) : null;
