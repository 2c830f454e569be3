// Attributes that the administrator or a maintainer script has fixed: var/lib/dpkg/statoverride, "user group mode path"
// lines (dpkg-statoverride(1)); a user or group may be "#number". Paths are compared as they are spelled.
import { OnlayError } from '../../errors.ts';
import type { Accounts } from './accounts.ts';

export interface StatOverride {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface StatOverrides {
  readonly byPath: ReadonlyMap<string, StatOverride>;
  /** Lines whose user or group the image does not have; dpkg refuses them, here they are left out. */
  readonly unknown: readonly string[];
}

export function readStatOverrides(text: string, accounts: Accounts, what: string): StatOverrides {
  const byPath = new Map<string, StatOverride>();
  const unknown: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const match = LINE.exec(line);
    if (!match)
      throw new OnlayError('DATABASE_INVALID', `Cannot read ${what}: line ${index + 1} is no override`);
    const [, user = '', group = '', mode = '', path = ''] = match;
    const uid = numberOf(user, accounts.uid);
    const gid = numberOf(group, accounts.gid);
    if (uid === undefined || gid === undefined) unknown.push(line);
    else byPath.set(path, { uid, gid, mode: Number.parseInt(mode, 8) });
  }
  return { byPath, unknown };
}

const LINE = /^(\S+) (\S+) ([0-7]{1,5}) (\/.*)$/;

function numberOf(text: string, lookup: (name: string) => number | undefined): number | undefined {
  return /^#\d{1,10}$/.test(text) ? Number(text.slice(1)) : lookup(text);
}
