// From the database and the indexes to what the solver chooses from. A package is known by its checksum: the same one
// installed and in repositories is one candidate.
import type { ApkIndex, IndexEntry } from './apkindex.ts';
import { normalChecksum } from './apkindex.ts';
import { parseDependencies } from './dependencies.ts';
import type { Dependency } from './dependencies.ts';
import { field } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import type { Repository } from './repositories.ts';
import { Tags } from './universe.ts';
import type { Candidate } from './universe.ts';

export interface OpenRepository {
  readonly repository: Repository;
  readonly index: ApkIndex;
}

export interface Offers {
  readonly tags: Tags;
  /** Installed ones first, in database order; then in the order of the repositories. */
  readonly candidates: readonly Offer[];
}

/** A candidate and where it can be had. Indexes have a hundred thousand packages: lists are parsed when looked at. */
export class Offer implements Candidate {
  readonly name: string;
  readonly version: string;
  readonly checksum: string;
  readonly origin: string;
  readonly priority: number;
  readonly empty: boolean;
  readonly installed: boolean;
  tags = 0;
  repository = -1;
  /** Its first repository's record of it, and that repository. */
  entry: IndexEntry | undefined;
  from: Repository | undefined;
  readonly #raw: RawLists;
  #depends: readonly Dependency[] | undefined;
  #provides: readonly Dependency[] | undefined;
  #installIf: readonly Dependency[] | undefined;

  constructor(facts: OfferFacts, installed: boolean) {
    this.name = facts.name;
    this.version = facts.version;
    this.checksum = facts.checksum;
    this.origin = facts.origin;
    this.priority = facts.priority;
    this.empty = facts.installedSize === 0;
    this.installed = installed;
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

  /** The same package after a first step of the upgrade. */
  asInstalled(installed: boolean): Offer {
    const copy = new Offer({ ...this.#raw, ...this, installedSize: this.empty ? 0 : 1 }, installed);
    copy.tags = this.tags;
    copy.repository = this.repository;
    copy.entry = this.entry;
    copy.from = this.from;
    return copy;
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
    const offer = new Offer(installedFacts(record), true);
    offer.tags = tags.bit(field(record, 's'));
    offers.set(offer.checksum, offer);
  }
  repositories.forEach(({ repository, index }, number) => {
    const tag = tags.bit(repository.tag);
    for (const entry of index.entries) {
      let offer = offers.get(entry.checksum);
      if (!offer) offers.set(entry.checksum, (offer = new Offer(entry, false)));
      offer.tags |= tag;
      if (offer.entry) continue;
      offer.repository = number;
      offer.entry = entry;
      offer.from = repository;
    }
  });
  return { tags, candidates: [...offers.values()] };
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
