// Diversions: var/lib/dpkg/diversions, records of three lines (from, to, package; ':' for the administrator). dpkg
// compares paths as they are spelled, so /bin/sh and /usr/bin/sh are two paths here as well.
import { OnlayError } from '../../errors.ts';

export interface Diversion {
  readonly from: string;
  readonly to: string;
  /** Package whose own file stays at `from`; undefined: a local diversion, which no package owns. */
  readonly owner: string | undefined;
}

export class Diversions {
  readonly #byFrom = new Map<string, Diversion>();
  readonly #byTo = new Map<string, Diversion>();

  constructor(diversions: readonly Diversion[]) {
    for (const diversion of diversions) {
      this.#byFrom.set(diversion.from, diversion);
      this.#byTo.set(diversion.to, diversion);
    }
  }

  /** Where `name` of `packageName` really lies. */
  redirect(name: string, packageName: string): string {
    const diversion = this.#byFrom.get(name);
    return diversion && diversion.owner !== packageName ? diversion.to : name;
  }

  /** The diversion of `name`, whoever made it. */
  of(name: string): Diversion | undefined {
    return this.#byFrom.get(name);
  }

  /** The diversion whose other place is `name`: no package may ship that. */
  into(name: string): Diversion | undefined {
    return this.#byTo.get(name);
  }
}

export function readDiversions(text: string, what: string): Diversions {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  if (lines.length % 3 !== 0)
    throw new OnlayError(
      'DATABASE_INVALID',
      `Cannot read ${what}: ${lines.length} lines are not records of three`,
    );
  const diversions: Diversion[] = [];
  for (let at = 0; at < lines.length; at += 3) {
    const [from = '', to = '', owner = ''] = lines.slice(at, at + 3);
    if (!from.startsWith('/') || !to.startsWith('/') || owner === '')
      throw new OnlayError(
        'DATABASE_INVALID',
        `Cannot read ${what}: the record at line ${at + 1} is not a diversion`,
      );
    diversions.push({ from, to, owner: owner === ':' ? undefined : owner });
  }
  return new Diversions(diversions);
}
