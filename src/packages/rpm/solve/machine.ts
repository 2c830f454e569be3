// Architectures as the solver weighs them: which is better, which may replace which, which exist side by side. As
// libsolv: machines of a list are families of their own, and two packages of one name get in each other's way when they
// share a word size ("colour") or one of them is noarch.

export const NOARCH = 1;
const FAMILY = 0xffff0000;

export class Machine {
  readonly #scores = new Map<string, number>([['noarch', NOARCH]]);

  constructor(architectures: readonly string[]) {
    architectures.forEach((name, at) => this.#scores.set(name, (at + 1) * 0x10000 + 1));
  }

  /** Lower is better; 0 for what this machine cannot run. */
  score(arch: string): number {
    return this.#scores.get(arch) ?? 0;
  }

  related(a: number, b: number): boolean {
    return ((a ^ b) & FAMILY) === 0;
  }

  mayChange(from: string, to: string): boolean {
    if (from === to || from === 'noarch' || to === 'noarch') return true;
    return this.related(this.score(from), this.score(to));
  }

  /** True where two packages of one name cannot both be installed. */
  collide(a: string, b: string): boolean {
    return a === b || a === 'noarch' || b === 'noarch' || wide(a) === wide(b);
  }
}

const wide = (arch: string): boolean => arch === 's390x' || arch.includes('64');
