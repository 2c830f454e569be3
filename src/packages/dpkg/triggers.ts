// Triggers: who wants to be told of what (deb-triggers(5), lib/dpkg/trig*.c). var/lib/dpkg/triggers/File has a line for
// each path of interest, triggers/NAME a line for each package interested in an explicit trigger. Triggers are not run
// here: what would be run is handed on as scripts.
import { OnlayError } from '../../errors.ts';
import { displayText, fromByteString } from '../../base/bytes.ts';
import type { Draft } from '../../rootfs/draft.ts';
import type { InfoOwner } from './info-files.ts';
import { readText } from './transaction.ts';

/** One directive of a package's `triggers` member. */
export interface TriggerDirective {
  readonly kind: 'interest' | 'activate';
  readonly noAwait: boolean;
  /** A path or the name of an explicit trigger. */
  readonly trigger: string;
}

export function readTriggersMember(text: string, what: string): TriggerDirective[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^(interest|activate)(?:-(await|noawait))?\s+([!-~]+)$/.exec(line);
      if (!match)
        throw new OnlayError(
          'PACKAGE_INVALID',
          displayText(`Cannot read triggers of ${what}: "${line.slice(0, 80)}"`),
        );
      return {
        kind: match[1] as TriggerDirective['kind'],
        noAwait: match[2] === 'noawait',
        trigger: match[3] as string,
      };
    });
}

interface Interest {
  readonly path: string;
  /** As dpkg writes it: with architecture for Multi-Arch: same. */
  readonly package: string;
  readonly noAwait: boolean;
}

/** The interests of an image, changed in memory and written by `save`. */
export class TriggerInterests {
  readonly #draft: Draft;
  #files: Interest[];
  #filesEdited = false;
  readonly #explicit = new Map<string, Interest[]>();
  readonly #activated = new Set<string>();

  constructor(draft: Draft) {
    this.#draft = draft;
    this.#files = readLines(draft, FILE).map((line) => {
      const space = line.lastIndexOf(' ');
      if (!line.startsWith('/') || space === -1)
        throw new OnlayError('DATABASE_INVALID', `Cannot read ${FILE}: "${displayText(line.slice(0, 80))}"`);
      return { path: line.slice(0, space), ...parsePackage(line.slice(space + 1)) };
    });
  }

  /** Replaces the interests of a package, as an upgrade does: the old ones go, the new ones come last. */
  change(
    owner: InfoOwner,
    { old, next }: { readonly old: readonly TriggerDirective[]; readonly next: readonly TriggerDirective[] },
  ): void {
    const name = triggerName(owner);
    for (const { kind, trigger } of old) if (kind === 'interest') this.#remove(trigger, name);
    for (const { kind, trigger, noAwait } of next) if (kind === 'interest') this.#add(trigger, name, noAwait);
  }

  /** Something happened at `name` ("/usr/share/x"): whoever wants to know of it, or of a directory above, is noted. */
  activatePath(name: string): void {
    if (this.#files.length === 0) return;
    for (const { path, package: interested } of this.#files)
      if (name === path || name.startsWith(`${path}/`)) this.#activated.add(interested);
  }

  /** Explicit activations of a package's directives. */
  activate(directives: readonly TriggerDirective[]): void {
    for (const { kind, trigger } of directives) {
      if (kind !== 'activate') continue;
      if (trigger.startsWith('/')) this.activatePath(trigger);
      else for (const { package: interested } of this.#interested(trigger)) this.#activated.add(interested);
    }
  }

  /** Packages that have something to process, in the order they were noted, named as `triggerName` does. */
  get activated(): ReadonlySet<string> {
    return this.#activated;
  }

  /** `places` tells when packages, named as in the files, were unpacked: what they are interested in stands in that order. */
  save(epoch: number, places: ReadonlyMap<string, number>): void {
    if (this.#draft.follow(DIRECTORY)?.type !== 'directory') return;
    const place = (interest: Interest): number => places.get(interest.package) ?? 0;
    for (const list of [this.#files, ...this.#explicit.values()]) list.sort((a, b) => place(a) - place(b));
    if (this.#filesEdited)
      this.#write(
        FILE,
        this.#files.map((interest) => `${interest.path} ${formatPackage(interest)}`),
        epoch,
      );
    for (const [trigger, interests] of this.#explicit)
      this.#write(`${DIRECTORY}/${trigger}`, interests.map(formatPackage), epoch);
  }

  #add(trigger: string, name: string, noAwait: boolean): void {
    const interests = trigger.startsWith('/') ? this.#files : this.#interested(trigger);
    const interest: Interest = { path: trigger, package: name, noAwait };
    const present = interests.findIndex((other) => other.path === trigger && other.package === name);
    if (trigger.startsWith('/')) this.#filesEdited = true;
    if (present === -1) interests.push(interest);
    else interests[present] = interest;
  }

  #remove(trigger: string, name: string): void {
    const others = (interests: readonly Interest[]): Interest[] =>
      interests.filter((other) => other.path !== trigger || other.package !== name);
    if (trigger.startsWith('/')) {
      this.#files = others(this.#files);
      this.#filesEdited = true;
    } else this.#explicit.set(trigger, others(this.#interested(trigger)));
  }

  #interested(trigger: string): Interest[] {
    const known = this.#explicit.get(trigger);
    if (known) return known;
    // the name becomes a file name
    if (!EXPLICIT.test(trigger))
      throw new OnlayError('PACKAGE_INVALID', `"${displayText(trigger)}" cannot name a trigger`);
    const lines = readLines(this.#draft, `${DIRECTORY}/${trigger}`);
    const interests = lines.map((line) => ({ path: trigger, ...parsePackage(line) }));
    this.#explicit.set(trigger, interests);
    return interests;
  }

  #write(path: string, lines: readonly string[], epoch: number): void {
    if (lines.length === 0) {
      this.#draft.remove(path);
      return;
    }
    const content = fromByteString(lines.map((line) => `${line}\n`).join(''));
    this.#draft.put(path, { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: epoch, content });
  }
}

/** How dpkg names a package in triggers/. */
export function triggerName({ name, arch, multiArch }: InfoOwner): string {
  return multiArch === 'same' ? `${name}:${arch}` : name;
}

const DIRECTORY = 'var/lib/dpkg/triggers';
const FILE = `${DIRECTORY}/File`;
const EXPLICIT = /^[A-Za-z0-9][A-Za-z0-9+.-]*$/;

function readLines(draft: Draft, path: string): string[] {
  return readText(draft, path)
    .split('\n')
    .filter((line) => line !== '');
}

function parsePackage(text: string): Pick<Interest, 'package' | 'noAwait'> {
  return { package: text.replace(/\/noawait$/, ''), noAwait: text.endsWith('/noawait') };
}

function formatPackage({ package: name, noAwait }: Interest): string {
  return noAwait ? `${name}/noawait` : name;
}
