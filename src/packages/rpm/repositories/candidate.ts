// A package that a repository offers: what primary.xml says of it.
import { OnlayError } from '../../../errors.ts';
import type { HashName } from '../../../base/hash.ts';
import type { Comparison, Relation } from '../dependencies.ts';
import type { Evr } from '../version.ts';
import { childOf, childrenOf, parseXml, textOf, type XmlElement } from './xml.ts';

export interface WeakRelations {
  readonly recommends: readonly Relation[];
  readonly suggests: readonly Relation[];
  readonly supplements: readonly Relation[];
  readonly enhances: readonly Relation[];
}

export const NO_WEAK_RELATIONS: WeakRelations = {
  recommends: [],
  suggests: [],
  supplements: [],
  enhances: [],
};

/** What solving needs to know of a package, installed or offered. */
export interface SolvablePackage {
  readonly name: string;
  readonly arch: string;
  readonly evr: Evr;
  readonly vendor: string;
  /** File name of the source package; '' if none is stated. */
  readonly sourceRpm: string;
  readonly provides: readonly Relation[];
  readonly requires: readonly Relation[];
  readonly conflicts: readonly Relation[];
  readonly obsoletes: readonly Relation[];
  /** What it would like to have beside it, and beside what it would like to be. */
  readonly weak: () => WeakRelations;
  /** True when the package has the file; of an offered package only some files are known at once. */
  readonly hasFile: (path: string) => boolean;
}

export interface OfferedPackage extends SolvablePackage {
  /** Position in its index. */
  readonly index: number;
  readonly checksum: { readonly algorithm: HashName; readonly value: string };
  readonly size: number | undefined;
  readonly location: string;
  readonly buildTime: number;
}

const COMPARISONS: Readonly<Record<string, Comparison>> = { LT: '<', LE: '<=', EQ: '=', GE: '>=', GT: '>' };
const HASHES: Readonly<Record<string, HashName>> = {
  sha: 'sha1',
  sha1: 'sha1',
  sha256: 'sha256',
  sha384: 'sha384',
  sha512: 'sha512',
};

/** Parses one `<package>` of primary.xml. Throws INDEX_INVALID. */
export function parseCandidate(bytes: Uint8Array, index: number, what: string): OfferedPackage {
  const element = parseXml(bytes, what);
  const need = <T>(value: T | undefined, name: string): T => {
    if (value === undefined)
      throw new OnlayError('INDEX_INVALID', `Cannot read ${what}: package ${index} has no ${name}`);
    return value;
  };
  const version = need(childOf(element, 'version'), 'version').attributes;
  const checksum = need(childOf(element, 'checksum'), 'checksum');
  const format = need(childOf(element, 'format'), 'format');
  const files = new Set(childrenOf(format, 'file').map(({ text }) => text));
  const size = childOf(element, 'size')?.attributes['package'];
  const relations = (name: string): readonly Relation[] => {
    const list = childOf(format, `rpm:${name}`);
    return list ? childrenOf(list, 'rpm:entry').map(readRelation) : [];
  };
  const weak: WeakRelations = {
    recommends: relations('recommends'),
    suggests: relations('suggests'),
    supplements: relations('supplements'),
    enhances: relations('enhances'),
  };
  const name = need(textOf(element, 'name'), 'name');
  const arch = need(textOf(element, 'arch'), 'arch');
  const ver = need(version['ver'], 'version');
  if (!SAFE.test(name) || !SAFE.test(arch) || !SAFE.test(ver) || !SAFE.test(version['rel'] ?? ''))
    throw new OnlayError(
      'INDEX_INVALID',
      `Cannot read ${what}: package ${index} has a name or version that no package has`,
    );
  return {
    index,
    name,
    arch,
    evr: { epoch: Number(version['epoch'] ?? 0) || 0, version: ver, release: version['rel'] ?? '' },
    vendor: textOf(format, 'rpm:vendor') ?? '',
    sourceRpm: textOf(format, 'rpm:sourcerpm') ?? '',
    provides: relations('provides'),
    requires: relations('requires').filter(({ name: required }) => !required.startsWith('rpmlib(')),
    conflicts: relations('conflicts'),
    obsoletes: relations('obsoletes'),
    weak: () => weak,
    hasFile: (path) => files.has(path),
    checksum: {
      algorithm: need(HASHES[checksum.attributes['type'] ?? ''], 'checksum of a known kind'),
      value: checksum.text.trim().toLowerCase(),
    },
    size: size !== undefined && /^\d+$/.test(size) ? Number(size) : undefined,
    location: need(childOf(element, 'location')?.attributes['href'], 'location'),
    buildTime: Number(childOf(element, 'time')?.attributes['build'] ?? 0) || 0,
  };
}

// oxlint-disable-next-line no-control-regex -- what rpm allows in names and versions is less than this
const SAFE = /^[^\s/\u0000-\u001f]*$/;

function readRelation({ attributes }: XmlElement): Relation {
  const name = attributes['name'] ?? '';
  const comparison = COMPARISONS[attributes['flags'] ?? ''];
  const ver = attributes['ver'];
  if (!comparison || ver === undefined) return { name };
  const epoch = attributes['epoch'] ?? '0';
  const rel = attributes['rel'];
  return {
    name,
    comparison,
    version: `${epoch === '0' ? '' : `${epoch}:`}${ver}${rel === undefined ? '' : `-${rel}`}`,
  };
}
