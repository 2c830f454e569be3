// The index rows that rpm derives from one header: what `rpm -q NAME`, `-qf`, `--whatprovides` look things up in.
// The same for all three databases; only where they are stored differs.
import { Sense, Tag } from '../tags.ts';
import { binary, number, numbers, strings, text, type Header } from '../header.ts';
import { richNames } from '../rich.ts';

export interface IndexTable {
  readonly name: string;
  readonly tag: number;
  readonly key: 'TEXT' | 'BLOB';
  /** One row for each element of an array; sqlite has an index by number for these. */
  readonly array: boolean;
  /** Flags of the dependencies, where rich ones are looked into. */
  readonly richFlags?: boolean;
}

const single = (name: string, tag: number, key: 'TEXT' | 'BLOB' = 'TEXT'): IndexTable => ({
  name,
  tag,
  key,
  array: false,
});
const array = (name: string, tag: number, richFlags = false): IndexTable => ({
  name,
  tag,
  key: 'TEXT',
  array: true,
  richFlags,
});

/** In the order in which rpm creates them. */
export const INDEX_TABLES: readonly IndexTable[] = [
  single('Name', Tag.name),
  array('Basenames', Tag.baseNames),
  single('Group', Tag.group),
  array('Requirename', Tag.requireName, true),
  array('Providename', Tag.provideName),
  array('Conflictname', Tag.conflictName, true),
  array('Obsoletename', Tag.obsoleteName),
  array('Triggername', Tag.triggerName),
  array('Dirnames', Tag.dirNames),
  single('Installtid', Tag.installTid, 'BLOB'),
  single('Sigmd5', Tag.sigMd5, 'BLOB'),
  single('Sha1header', Tag.sha1Header),
  array('Filetriggername', Tag.fileTriggerName),
  array('Transfiletriggername', Tag.transFileTriggerName),
  array('Recommendname', Tag.recommendName, true),
  array('Suggestname', Tag.suggestName, true),
  array('Supplementname', Tag.supplementName, true),
  array('Enhancename', Tag.enhanceName, true),
];

export interface IndexRow {
  /** Byte string. */
  readonly key: string;
  readonly index: number;
}

/** Needed at installation only: not looked up when something is removed. */
const INSTALL_ONLY =
  Sense.scriptPre | Sense.scriptPost | Sense.rpmlib | Sense.keyring | Sense.preTrans | Sense.postTrans;
const ERASE = Sense.scriptPreUn | Sense.scriptPostUn;

/** Rows of `header` in `table`; `bigEndian` is the byte order of the machine the database belongs to. */
export function indexRows(header: Header, table: IndexTable, bigEndian: boolean): readonly IndexRow[] {
  switch (table.tag) {
    case Tag.installTid: {
      const id = number(header, table.tag);
      return id === undefined ? [] : [{ key: uint32(id, bigEndian), index: 0 }];
    }
    case Tag.sigMd5:
      return one(binary(header, table.tag));
    case Tag.group:
      return one(text(header, table.tag) ?? 'Unknown');
    case Tag.name:
    case Tag.sha1Header:
      return one(text(header, table.tag));
  }
  const rows: IndexRow[] = [];
  const values = strings(header, table.tag);
  const flags = table.tag === Tag.requireName ? numbers(header, Tag.requireFlags) : [];
  const triggers = triggerIndexes(header, table.tag);
  const seen = new Set<string>();
  values.forEach((key, i) => {
    if (isInstallOnly(flags[i] ?? 0)) return;
    if (table.tag === Tag.triggerName) {
      if (seen.has(key)) return;
      seen.add(key);
    }
    const index = triggers ? (triggers[i] ?? 0) : i;
    rows.push({ key, index });
    if (table.richFlags && key.startsWith('('))
      for (const name of richNames(key)) rows.push({ key: name, index });
  });
  return rows;
}

function isInstallOnly(flags: number): boolean {
  return (flags & INSTALL_ONLY) !== 0 && (flags & ERASE) === 0;
}

function triggerIndexes(header: Header, tag: number): readonly number[] | undefined {
  if (tag === Tag.fileTriggerName) return numbers(header, Tag.fileTriggerIndex);
  if (tag === Tag.transFileTriggerName) return numbers(header, Tag.transFileTriggerIndex);
  return undefined;
}

function one(key: string | undefined): readonly IndexRow[] {
  return key === undefined ? [] : [{ key, index: 0 }];
}

function uint32(value: number, bigEndian: boolean): string {
  const bytes = Buffer.alloc(4);
  if (bigEndian) bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes.latin1Slice();
}
