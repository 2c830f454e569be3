// Small members of control.tar with a syntax of their own: conffiles (deb-conffiles(5)) and md5sums.
import { OnlayError } from '../../errors.ts';
import { byteString, displayText, fromByteString } from '../../base/bytes.ts';
import type { InfoMember } from './info-files.ts';

export interface ConffileLine {
  readonly path: string;
  readonly removeOnUpgrade: boolean;
}

export function readConffilesMember(members: readonly InfoMember[], what: string): ConffileLine[] {
  const member = members.find((candidate) => candidate.member === 'conffiles');
  if (!member) return [];
  const lines = byteString(member.content).split('\n');
  return lines
    .map((line) => line.replace(/\s+$/, ''))
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^(?:(remove-on-upgrade) )?(\/.+)$/.exec(line);
      if (!match)
        throw new OnlayError(
          'PACKAGE_INVALID',
          displayText(`Cannot read conffiles of ${what}: "${line.slice(0, 80)}"`),
        );
      return { path: match[2] as string, removeOnUpgrade: match[1] !== undefined };
    });
}

/** Digest by path ("usr/bin/x") of an md5sums file; lines that are none are left out, as they prove nothing. */
export function readMd5sums(text: string): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{32})  (?:\.?\/)*(.+)$/.exec(line);
    if (match) digests.set(match[2] as string, match[1] as string);
  }
  return digests;
}

/** `digests` by name ("/usr/bin/x"), in order. */
export function formatMd5sums(digests: ReadonlyMap<string, string>): Uint8Array {
  return fromByteString([...digests].map(([name, digest]) => `${digest}  ${name.slice(1)}\n`).join(''));
}
