// From the database and the indexes to what the solver chooses from. A package is known by its checksum: the same one
// installed and in repositories is one candidate.
import type { ApkIndex, IndexEntry } from './apkindex.ts';
import { normalChecksum } from './apkindex.ts';
import { parseDependencies } from './dependencies.ts';
import { field } from './installed.ts';
import type { InstalledRecord } from './installed.ts';
import type { Repository } from './repositories.ts';
import { Tags } from './universe.ts';
import type { Candidate } from './universe.ts';

export interface OpenRepository {
  readonly repository: Repository;
  readonly index: ApkIndex;
}

/** A candidate and where it can be had. */
export interface Offer {
  readonly candidate: Candidate;
  readonly entry: IndexEntry | undefined;
  readonly repository: Repository | undefined;
}

export interface Offers {
  readonly tags: Tags;
  /** Installed ones first, in database order; then in the order of the repositories. */
  readonly candidates: readonly Candidate[];
  readonly offerOf: (candidate: Candidate) => Offer | undefined;
}

export function collectOffers(
  records: readonly InstalledRecord[],
  repositories: readonly OpenRepository[],
): Offers {
  const tags = new Tags(repositories.map(({ repository }) => repository.tag));
  const drafts = new Map<string, CandidateDraft>();
  for (const record of records) {
    const checksum = normalChecksum(field(record, 'C'));
    drafts.set(`${checksum} ${field(record, 'P')}`, {
      ...lists(field(record, 'D'), field(record, 'p'), field(record, 'i').replace(/^\[|\]$/g, '')),
      name: field(record, 'P'),
      version: field(record, 'V'),
      checksum,
      origin: field(record, 'o'),
      priority: Number(field(record, 'k')) || 0,
      installed: true,
      tags: tags.bit(field(record, 's')),
      repository: -1,
      empty: /^0*$/.test(field(record, 'I')),
      entry: undefined,
      from: undefined,
    });
  }
  repositories.forEach(({ repository, index }, number) => {
    for (const entry of index.entries) {
      const key = `${entry.checksum} ${entry.name}`;
      let draft = drafts.get(key);
      if (!draft) {
        draft = newDraft(entry, number);
        drafts.set(key, draft);
      }
      draft.tags |= tags.bit(repository.tag);
      if (draft.repository === -1) draft.repository = number;
      draft.entry ??= entry;
      draft.from ??= repository;
    }
  });
  const offers = new Map<Candidate, Offer>();
  for (const { entry, from, ...rest } of drafts.values()) {
    const candidate = lazyLists(rest);
    offers.set(candidate, { candidate, entry, repository: from });
  }
  return { tags, candidates: [...offers.keys()], offerOf: (candidate) => offers.get(candidate) };
}

type CandidateDraft = {
  -readonly [K in Exclude<keyof Candidate, 'depends' | 'provides' | 'installIf'>]: Candidate[K];
} & {
  readonly rawDepends: string;
  readonly rawProvides: string;
  readonly rawInstallIf: string;
  entry: IndexEntry | undefined;
  from: Repository | undefined;
};

function newDraft(entry: IndexEntry, repository: number): CandidateDraft {
  return {
    ...lists(entry.depends, entry.provides, entry.installIf),
    name: entry.name,
    version: entry.version,
    checksum: entry.checksum,
    origin: entry.origin,
    priority: entry.priority,
    installed: false,
    tags: 0,
    repository,
    empty: entry.installedSize === 0,
    entry: undefined,
    from: undefined,
  };
}

function lists(
  rawDepends: string,
  rawProvides: string,
  rawInstallIf: string,
): Pick<CandidateDraft, 'rawDepends' | 'rawProvides' | 'rawInstallIf'> {
  return { rawDepends, rawProvides, rawInstallIf };
}

/** Of the many packages of an index few are ever looked at: their dependencies are parsed when they are. */
function lazyLists({
  rawDepends,
  rawProvides,
  rawInstallIf,
  ...rest
}: Omit<CandidateDraft, 'entry' | 'from'>): Candidate {
  let depends: Candidate['depends'] | undefined;
  return {
    ...rest,
    provides: parseDependencies(rawProvides),
    installIf: parseDependencies(rawInstallIf),
    get depends() {
      return (depends ??= parseDependencies(rawDepends));
    },
  };
}
