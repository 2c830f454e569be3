// From the database and the indexes to what the solver chooses from. A package is known by its checksum: the same one
// installed and in repositories is one candidate.
import type { ApkIndex, IndexEntry } from './apkindex.ts';
import { normalChecksum } from './checksum.ts';
import { parseDependencies } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { field } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import type { Repository } from './repositories.ts';
import { Tags, Universe } from './universe.ts';
import type { Candidate } from './universe.ts';

export interface OpenRepository {
  readonly repository: Repository;
  readonly index: ApkIndex;
}

export interface Offers {
  readonly tags: Tags;
  readonly universe: Universe;
  readonly offers: readonly Offer[];
  /** In database order. */
  readonly installed: readonly Offer[];
}

/** A candidate and where it can be had. Indexes have a hundred thousand packages: lists are parsed when looked at. */
export class Offer implements Candidate {
  readonly name: string;
  readonly version: string;
  readonly checksum: string;
  readonly origin: string;
  readonly priority: number;
  readonly empty: boolean;
  tags = 0;
  repository = -1;
  /** Its first repository's record of it, and that repository. */
  entry: IndexEntry | undefined;
  from: Repository | undefined;
  readonly #raw: RawLists;
  #depends: readonly Dependency[] | undefined;
  #provides: readonly Dependency[] | undefined;
  #installIf: readonly Dependency[] | undefined;

  constructor(facts: OfferFacts) {
    this.name = facts.name;
    this.version = facts.version;
    this.checksum = facts.checksum;
    this.origin = facts.origin;
    this.priority = facts.priority;
    this.empty = facts.installedSize === 0;
    this.#raw = facts;
  }

  get depends(): readonly Dependency[] {
    return (this.#depends ??= parse(this.#raw.depends));
  }

  get provides(): readonly Dependency[] {
    return (this.#provides ??= parse(this.#raw.provides));
  }

  get installIf(): readonly Dependency[] {
    return (this.#installIf ??= parse(this.#raw.installIf));
  }
}

type RawLists = Pick<IndexEntry, 'depends' | 'provides' | 'installIf'>;
type OfferFacts = RawLists &
  Pick<IndexEntry, 'name' | 'version' | 'checksum' | 'origin' | 'priority' | 'installedSize'>;

const NONE: readonly Dependency[] = [];

function parse(text: string): readonly Dependency[] {
  return text === '' ? NONE : parseDependencies(text);
}

export function collectOffers(
  records: readonly InstalledRecord[],
  repositories: readonly OpenRepository[],
): Offers {
  const tags = new Tags(repositories.map(({ repository }) => repository.tag));
  const offers = new Map<string, Offer>();
  for (const record of records) {
    const offer = new Offer(installedFacts(record));
    offer.tags = tags.bit(field(record, 's'));
    offers.set(offer.checksum, offer);
  }
  const installed = offers.size;
  repositories.forEach(({ repository, index }, number) => {
    const tag = tags.bit(repository.tag);
    for (const entry of index.entries) {
      let offer = offers.get(entry.checksum);
      if (!offer) offers.set(entry.checksum, (offer = new Offer(entry)));
      offer.tags |= tag;
      if (offer.entry) continue;
      offer.repository = number;
      offer.entry = entry;
      offer.from = repository;
    }
  });
  const all = [...offers.values()];
  // installed ones are first, then those of the repositories in their order
  return { tags, universe: new Universe(all), offers: all, installed: all.slice(0, installed) };
}

function installedFacts(record: InstalledRecord): OfferFacts {
  return {
    name: field(record, 'P'),
    version: field(record, 'V'),
    // records without a checksum are packages all the same
    checksum: normalChecksum(field(record, 'C')) || `installed ${field(record, 'P')}`,
    origin: field(record, 'o'),
    priority: Number(field(record, 'k')) || 0,
    installedSize: Number(field(record, 'I')) || 0,
    depends: field(record, 'D'),
    provides: field(record, 'p'),
    // apko writes brackets
    installIf: field(record, 'i').replace(/^\[|\]$/g, ''),
  };
}
