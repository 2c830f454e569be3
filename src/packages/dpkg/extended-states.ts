// var/lib/apt/extended_states: which packages apt installed for others' sake and may remove again. Records keep their
// order and bytes; apt names packages of architecture `all` with the native architecture.
import { compareBytes, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import { parseStanzas } from './control.ts';
import { readText } from './transaction.ts';

export interface NamedPackage {
  readonly name: string;
  readonly arch: string;
}

export interface AutomaticChanges {
  /** New, and nobody asked for them. */
  readonly automatic: readonly NamedPackage[];
  /** Gone, or asked for by name: `apt install NAME` makes a package the user's. */
  readonly forget: readonly NamedPackage[];
  readonly nativeArch: string;
  readonly epoch: number;
}

/** Brings the file up to date; writes nothing in images without apt. */
export function updateExtendedStates(
  draft: Draft,
  { automatic, forget, nativeArch, epoch }: AutomaticChanges,
): void {
  if (draft.follow('var/lib/apt')?.type !== 'directory') return;
  const keyOf = ({ name, arch }: NamedPackage): string => `${name}:${arch === 'all' ? nativeArch : arch}`;
  const before = readText(draft, PATH);
  const records = parseStanzas(before, { what: PATH, code: 'DATABASE_INVALID' }).map((stanza) => ({
    key: `${stanza.get('Package')}:${stanza.get('Architecture')}`,
    text: `${stanza.raw}${stanza.raw.endsWith('\n') ? '' : '\n'}\n`,
  }));
  const forgotten = new Set(forget.map(keyOf));
  const left = records.filter(({ key }) => !forgotten.has(key));
  const known = new Set(left.map(({ key }) => key));
  const added = [...automatic]
    .filter((named) => !known.has(keyOf(named)))
    .sort((a, b) => compareBytes(a.name, b.name))
    .map(
      ({ name, arch }) =>
        `Package: ${name}\nArchitecture: ${arch === 'all' ? nativeArch : arch}\nAuto-Installed: 1\n\n`,
    );
  if (left.length === records.length && added.length === 0) return;
  const { mode, uid, gid } = draft.lookup(PATH) ?? { mode: 0o644, uid: 0, gid: 0 };
  const content = fromByteString([...left.map(({ text }) => text), ...added].join(''));
  draft.put(PATH, { type: 'file', mode, uid, gid, mtime: epoch, content });
}

const PATH = 'var/lib/apt/extended_states';
