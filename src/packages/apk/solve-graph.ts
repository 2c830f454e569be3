// What the solver deduces on: names and the candidates that carry them, as far as they can be reached from world, and what
// is known of each so far.
import type { Candidate, Tags, Universe } from './universe.ts';

/** A candidate and what is known of it so far. */
export interface Option {
  readonly candidate: Candidate;
  readonly installed: boolean;
  selectable: boolean;
  excludedBy: string | undefined;
  /** Constraints it fails. */
  conflicts: number;
  upgrade: boolean;
  /** What it depends on is to be upgraded too. */
  spreads: boolean;
  allowedTags: number;
  tagAllowed: boolean;
  tagPreferred: boolean;
  /** install_if: all its conditions are decided and hold, or one is decided and does not. */
  trigger: 'open' | 'met' | 'failed';
  /** It was among the options when the requirements common to all options were last deduced. */
  merged: boolean;
  failed: boolean;
  depth: number;
}

/** An option under one of its names. */
export interface Choice {
  readonly option: Option;
  readonly version: string;
}

export interface Name {
  readonly name: string;
  readonly choices: readonly Choice[];
  /** Names with a candidate that depends on this one, and with one whose install_if mentions it. */
  readonly dependants: Set<Name>;
  readonly triggers: Set<Name>;
  /** Names of a higher rank are decided earlier, among equals those with the longer chain of dependencies below. */
  rank: number;
  depth: number;
  required: number;
  /** The first that required it, for messages. */
  requiredBy: string;
  /** Must be decided, if only to nothing, because an install_if asks for its absence. */
  needed: boolean;
  decided: boolean;
  choice: Choice | undefined;
  /** Some option's install_if is met; none can be any more. */
  triggered: boolean;
  untriggerable: boolean;
  hasOptions: boolean;
  dependantsDecided: boolean;
  checkDependencies: boolean;
  checkTriggers: boolean;
}

export interface GraphFacts {
  readonly universe: Universe;
  readonly tags: Tags;
  readonly installed: ReadonlySet<Candidate>;
  /** Names whose newest version is wanted; 'all': of everything. */
  readonly upgrade: 'all' | ReadonlySet<string>;
}

export class Graph {
  readonly #facts: GraphFacts;
  readonly #names = new Map<string, Name>();
  readonly #options = new Map<Candidate, Option>();

  constructor(facts: GraphFacts) {
    this.#facts = facts;
  }

  /** Every name that was reached. */
  names(): Iterable<Name> {
    return this.#names.values();
  }

  /** undefined: it was not reached. */
  known(text: string): Name | undefined {
    return this.#names.get(text);
  }

  optionOf(candidate: Candidate): Option | undefined {
    return this.#options.get(candidate);
  }

  /** The name, with everything that can be reached from it. */
  name(text: string): Name {
    const known = this.#names.get(text);
    if (known) return known;
    const { universe } = this.#facts;
    const carriers = universe.carriers(text);
    const name: Name = {
      name: text,
      choices: carriers.map(({ candidate, version }) => ({ option: this.#option(candidate), version })),
      dependants: new Set(),
      triggers: new Set(),
      rank: 0,
      depth: 0,
      required: 0,
      requiredBy: '',
      needed: false,
      decided: false,
      choice: undefined,
      triggered: false,
      untriggerable: carriers.every(({ candidate }) => candidate.installIf.length === 0),
      hasOptions: false,
      dependantsDecided: false,
      checkDependencies: false,
      checkTriggers: false,
    };
    this.#names.set(text, name);
    for (const { option } of name.choices) {
      const { depends } = option.candidate;
      if (option.depth === -1) {
        option.depth = 0;
        for (const dependency of depends)
          option.depth = Math.max(option.depth, this.name(dependency.name).depth + 1);
      }
      for (const dependency of depends) this.name(dependency.name).dependants.add(name);
      name.depth = Math.max(name.depth, option.depth);
    }
    for (const triggered of universe.triggeredBy(text)) name.triggers.add(this.name(triggered));
    // what the user asked for goes first, then names that only packages of that name carry, provided names last
    const own = carriers.filter(({ candidate }) => candidate.name === text).length;
    name.rank = (this.#isNamed(text) ? 3 : 0) + (own === carriers.length ? 2 : own > 0 ? 1 : 0);
    return name;
  }

  #option(candidate: Candidate): Option {
    const known = this.#options.get(candidate);
    if (known) return known;
    const untagged = this.#facts.tags.bit('');
    const preferred = candidate.empty || (candidate.tags & untagged) !== 0;
    const installed = this.#facts.installed.has(candidate);
    const option: Option = {
      candidate,
      installed,
      selectable: true,
      excludedBy: undefined,
      conflicts: 0,
      upgrade:
        this.#isNamed(candidate.name) || candidate.provides.some((provided) => this.#isNamed(provided.name)),
      spreads: false,
      allowedTags: untagged,
      tagAllowed: preferred || installed,
      tagPreferred: preferred,
      trigger: candidate.installIf.length === 0 ? 'failed' : 'open',
      merged: false,
      failed: false,
      depth: -1,
    };
    this.#options.set(candidate, option);
    return option;
  }

  #isNamed(name: string): boolean {
    const { upgrade } = this.#facts;
    return upgrade !== 'all' && upgrade.has(name);
  }
}
