// The stanza that dpkg writes to its status database for a package it has installed, from the control file of the .deb
// (lib/dpkg/dump.c, the table in parse.c): known fields in dpkg's order, then all others in the order of the control
// file. What only the archive says (Filename, Size, checksums) is not in a control file and never written.
import { parseStanza } from './control.ts';
import type { Stanza } from './control.ts';
import { formatRelations, formatVersion, parseRelations } from './relations.ts';
import type { PackageState, PackageWant } from './status.ts';

/** One line of the Conffiles field. `hash`: MD5 of the text the package shipped, or "newconffile" before that is known. */
export interface ConffileRecord {
  readonly path: string;
  readonly hash: string;
  readonly obsolete: boolean;
  readonly removeOnUpgrade: boolean;
}

export interface StanzaInput {
  readonly control: Stanza;
  readonly want: PackageWant;
  readonly state: PackageState;
  readonly conffiles: readonly ConffileRecord[];
  /** Names the package in messages. */
  readonly what: string;
}

/** Text of the stanza, each field with its newline. */
export function formatStanza({ control, want, state, conffiles, what }: StanzaInput): string {
  const values = new Map(control.fields().map((field) => [field.name.toLowerCase(), field]));
  let text = '';
  for (const [name, kind] of KNOWN) {
    const value = knownValue(kind, values.get(name.toLowerCase())?.value ?? '', `${name} of ${what}`, {
      status: `${want} ok ${state}`,
      conffiles: formatConffiles(conffiles),
    });
    // a value that starts on the next line follows the colon at once where dpkg wrote the field itself
    if (value !== '') text += kind === 'conffiles' ? `${name}:${value}\n` : `${name}: ${value}\n`;
    values.delete(name.toLowerCase());
  }
  for (const { name, value } of values.values()) text += `${name}: ${value}\n`;
  return text;
}

/** The Conffiles value of a stanza, as records. */
export function parseConffiles(value: string): ConffileRecord[] {
  return value
    .split('\n')
    .map((line) => CONFFILE.exec(line))
    .filter((match) => match !== null)
    .map(([, path = '', hash = '', flags = '']) => ({
      path: `/${path.replace(/^(?:\.?\/)+/, '')}`,
      hash,
      obsolete: flags.includes('obsolete'),
      removeOnUpgrade: flags.includes('remove-on-upgrade'),
    }));
}

export function formatConffiles(conffiles: readonly ConffileRecord[]): string {
  return conffiles
    .map(
      ({ path, hash, obsolete, removeOnUpgrade }) =>
        `\n ${path} ${hash}${obsolete ? ' obsolete' : ''}${removeOnUpgrade ? ' remove-on-upgrade' : ''}`,
    )
    .join('');
}

/**
 * A stanza of the database with some of its fields changed, or removed where the value is undefined; everything else
 * stays byte for byte. Fields that it does not have are not added. A value that starts with a newline follows the colon
 * at once.
 */
export function editStanza(stanza: Stanza, edits: Readonly<Record<string, string | undefined>>): Stanza {
  let text = stanza.raw.endsWith('\n') ? stanza.raw : `${stanza.raw}\n`;
  for (const [name, value] of Object.entries(edits)) {
    const field = new RegExp(`^${name}[ \\t]*:[^\\n]*\\n(?:[ \\t][^\\n]*\\n)*`, 'mi');
    text = text.replace(field, () =>
      value === undefined ? '' : `${name}:${value.startsWith('\n') ? '' : ' '}${value}\n`,
    );
  }
  return parseStanza(text, { what: 'a changed stanza of the database', code: 'INTERNAL' });
}

type Kind =
  'text' | 'yes' | 'status' | 'priority' | 'multi-arch' | 'version' | 'relations' | 'conffiles' | 'never';

/** dpkg's field table in its order; 'never' is known and not written. */
const KNOWN: readonly (readonly [name: string, kind: Kind])[] = [
  ['Package', 'text'],
  ['Essential', 'yes'],
  ['Protected', 'yes'],
  ['Status', 'status'],
  ['Priority', 'priority'],
  ['Section', 'text'],
  ['Installed-Size', 'text'],
  ['Origin', 'text'],
  ['Maintainer', 'text'],
  ['Bugs', 'text'],
  ['Architecture', 'text'],
  ['Multi-Arch', 'multi-arch'],
  ['Source', 'text'],
  ['Version', 'version'],
  ['Config-Version', 'never'],
  ['Replaces', 'relations'],
  ['Provides', 'relations'],
  ['Depends', 'relations'],
  ['Pre-Depends', 'relations'],
  ['Recommends', 'relations'],
  ['Suggests', 'relations'],
  ['Breaks', 'relations'],
  ['Conflicts', 'relations'],
  ['Enhances', 'relations'],
  ['Conffiles', 'conffiles'],
  ['Filename', 'never'],
  ['Size', 'never'],
  ['MD5sum', 'never'],
  ['MSDOS-Filename', 'never'],
  ['Description', 'text'],
  ['Triggers-Pending', 'never'],
  ['Triggers-Awaited', 'never'],
];
const PRIORITIES: readonly string[] = ['required', 'important', 'standard', 'optional', 'extra'];
const CONFFILE = /^ (.+?) ([0-9a-f]{32}|[a-z-]+)((?: obsolete| remove-on-upgrade)*)$/;

function knownValue(
  kind: Kind,
  value: string,
  what: string,
  computed: { readonly status: string; readonly conffiles: string },
): string {
  switch (kind) {
    case 'text':
      return value;
    case 'yes':
      return value.toLowerCase() === 'yes' ? 'yes' : '';
    case 'status':
      return computed.status;
    case 'conffiles':
      return computed.conffiles;
    case 'priority':
      return (
        PRIORITIES.find((known) => known === value.toLowerCase()) ??
        (value.toLowerCase() === 'unknown' ? '' : value)
      );
    case 'multi-arch':
      return value.toLowerCase() === 'no' ? '' : value.toLowerCase();
    case 'version':
      return formatVersion(value);
    case 'relations':
      return formatRelations(parseRelations(value, what));
    case 'never':
      return '';
    default:
      return kind satisfies never;
  }
}
