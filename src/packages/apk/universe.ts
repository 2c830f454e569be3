// Everything that can be installed: what is installed now and what the repositories offer, found by name. A name is
// carried by packages of that name and by packages that provide it.
import type { Dependency } from './dependencies.ts';

/** A package as far as solving goes. The same package (by checksum) installed and in repositories is one object. */
export interface Candidate {
  readonly name: string;
  readonly version: string;
  /** `C:`; what identifies a package. */
  readonly checksum: string;
  readonly origin: string;
  readonly depends: readonly Dependency[];
  readonly provides: readonly Dependency[];
  readonly installIf: readonly Dependency[];
  /** `k:`; decides between providers of a name without versions. */
  readonly priority: number;
  /** Bit set of the tags (see `Tags`) of the repositories that have it and, if installed, of its own tag. */
  readonly tags: number;
  /** Number of the first repository that has it; -1: none. */
  readonly repository: number;
  /** `I:0`: nothing to unpack; not bound to a tag. */
  readonly empty: boolean;
}

export function label({ name, version }: Candidate): string {
  return `${name}-${version}`;
}

/** A candidate under one of the names it carries. */
export interface Carrier {
  readonly candidate: Candidate;
  /** '' when the name is provided without a version. */
  readonly version: string;
}

export class Universe {
  readonly #carriers = new Map<string, Carrier[]>();
  readonly #triggered = new Map<string, Set<string>>();

  /** In the order of preference among equals: installed packages first. */
  constructor(candidates: Iterable<Candidate>) {
    for (const candidate of candidates) {
      push(this.#carriers, candidate.name, { candidate, version: candidate.version });
      for (const { name, version } of candidate.provides) push(this.#carriers, name, { candidate, version });
      for (const { name } of candidate.installIf) {
        const names = this.#triggered.get(name);
        if (names) names.add(candidate.name);
        else this.#triggered.set(name, new Set([candidate.name]));
      }
    }
  }

  carriers(name: string): readonly Carrier[] {
    return this.#carriers.get(name) ?? [];
  }

  /** Names of packages whose install_if mentions `name`. */
  triggeredBy(name: string): Iterable<string> {
    return this.#triggered.get(name) ?? [];
  }
}

function push(map: Map<string, Carrier[]>, name: string, carrier: Carrier): void {
  const known = map.get(name);
  if (known) known.push(carrier);
  else map.set(name, [carrier]);
}

/** Tags of repositories as bits. Bit 0 is "no tag". */
export class Tags {
  readonly #bits = new Map<string, number>([['', 1]]);

  /** `used`: tags of the repositories, in their order. At most 30 different ones. */
  constructor(used: Iterable<string>) {
    for (const tag of used)
      if (!this.#bits.has(tag) && this.#bits.size < 31) this.#bits.set(tag, 1 << this.#bits.size);
  }

  /** 0 for a tag that no repository has. */
  bit(tag: string): number {
    return this.#bits.get(tag) ?? 0;
  }

  /** The first tag of the set `allowed` that is also in `available`; '' if none is. */
  pick(allowed: number, available: number): string {
    for (const [tag, bit] of this.#bits) if ((bit & allowed & available) !== 0) return tag;
    return '';
  }
}
