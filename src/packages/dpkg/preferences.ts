// Pinning: etc/apt/preferences and preferences.d of the image, apt_preferences(5). A pin gives priorities to versions;
// the rules that choose by priority are in candidates.ts.
import type { RootView } from '../../rootfs/root-view.ts';
import type { AptConfig } from './apt-config.ts';
import { partsOf, readImageText } from './apt-config.ts';
import { parseStanzas } from './control.ts';
import type { Release } from './release.ts';

/** What a pin looks at: one version of a package in one index. */
export interface PinSubject {
  readonly name: string;
  readonly arch: string;
  readonly version: string;
  readonly source: string;
  /** undefined: the installed version, as the status file has it. */
  readonly index: PinIndex | undefined;
}

export interface PinIndex {
  readonly release: Release;
  readonly component: string;
  readonly architecture: string;
  /** Host of the repository. */
  readonly site: string;
}

export interface Pins {
  /** True when there is nothing but defaults. */
  readonly empty: boolean;
  /** Priority of a version in an index: pins, else target release, else 500, or what NotAutomatic lowers it to. */
  priority(subject: PinSubject & { readonly index: PinIndex }): number;
  /** Priority that a pin on the package gives to an installed version; undefined: 100. */
  installedPriority(subject: PinSubject): number | undefined;
}

interface Pin {
  readonly packages: (subject: PinSubject) => boolean;
  /** `Package: *`: for want of a specific pin. */
  readonly general: boolean;
  readonly kind: string;
  readonly matches: (subject: PinSubject) => boolean;
  readonly priority: number;
}

export function readPins(root: RootView, config: AptConfig): Pins {
  const pins = ['etc/apt/preferences', ...partsOf(root, 'etc/apt/preferences.d', 'pref')].flatMap((path) =>
    parsePins(readImageText(root, path) ?? '', path),
  );
  return pinsOf(pins, config.get('APT::Default-Release'));
}

function pinsOf(pins: readonly Pin[], target: string | undefined): Pins {
  const targets = target ? releaseMatcher(target) : undefined;
  const specific = pins.filter((pin) => !pin.general);
  const general = pins.filter((pin) => pin.general);
  return {
    empty: pins.length === 0 && targets === undefined,
    priority(subject) {
      // the first specific pin that matches decides, then the first general one
      const pin =
        specific.find((pin) => applies(pin, subject)) ?? general.find((pin) => applies(pin, subject));
      if (pin) return pin.priority;
      if (targets?.(subject.index)) return 990;
      const { notAutomatic, butAutomaticUpgrades } = subject.index.release;
      return notAutomatic ? (butAutomaticUpgrades ? 100 : 1) : 500;
    },
    installedPriority: (subject) =>
      specific.find((pin) => pin.kind === 'version' && applies(pin, subject))?.priority,
  };
}

function applies(pin: Pin, subject: PinSubject): boolean {
  return pin.packages(subject) && pin.matches(subject);
}

function parsePins(text: string, path: string): readonly Pin[] {
  return parseStanzas(text, { what: path, code: 'CONFIG_INVALID', comments: true }).flatMap((stanza) => {
    const packages = (stanza.get('Package') ?? '').split(/\s+/).filter((word) => word !== '');
    const [, kind = '', value = ''] = /^(\S+)\s*([^]*)$/.exec(stanza.get('Pin') ?? '') ?? [];
    const priority = Number(stanza.get('Pin-Priority'));
    // apt passes over records that are incomplete; a priority of 0 is not one
    if (packages.length === 0 || !Number.isInteger(priority) || priority === 0) return [];
    const matches = pinMatcher(kind.toLowerCase(), value.trim());
    if (!matches) return [];
    const general = packages.length === 1 && packages[0] === '*';
    return [{ packages: packageMatcher(packages), general, kind: kind.toLowerCase(), matches, priority }];
  });
}

function packageMatcher(patterns: readonly string[]): (subject: PinSubject) => boolean {
  const tests = patterns.map((pattern) => {
    const source = pattern.startsWith('src:');
    const [, name = '', arch] =
      /^([^:]*|\/.*\/)(?::([a-z0-9-]+))?$/.exec(source ? pattern.slice(4) : pattern) ?? [];
    const matches = globMatcher(name);
    return (subject: PinSubject): boolean =>
      matches(source ? subject.source : subject.name) &&
      (arch === undefined || arch === 'any' || arch === subject.arch);
  });
  return (subject) => tests.some((test) => test(subject));
}

function pinMatcher(kind: string, value: string): ((subject: PinSubject) => boolean) | undefined {
  if (kind === 'version') {
    const matches = globMatcher(value);
    return (subject) => matches(subject.version);
  }
  if (kind === 'origin') {
    const site = value.replace(/^"(.*)"$/, '$1');
    return ({ index }) => (index?.site ?? '') === site;
  }
  if (kind === 'release') {
    const matches = releaseMatcher(value);
    return ({ index }) => index !== undefined && matches(index);
  }
  return undefined;
}

/** "a=stable, l=Debian" or one word: a version number or the name of a suite. */
function releaseMatcher(text: string): (index: PinIndex) => boolean {
  const tests = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): ((index: PinIndex) => boolean) => {
      const [, key = '', value = ''] = /^([acnolvb])\s*=\s*(.*)$/.exec(part) ?? [];
      const matches = globMatcher((key === '' ? part : value).replace(/^"(.*)"$/, '$1'));
      switch (key) {
        case 'a':
          return ({ release }) => matches(release.suite);
        case 'n':
          return ({ release }) => matches(release.codename);
        case 'c':
          return ({ component }) => matches(component);
        case 'o':
          return ({ release }) => matches(release.origin);
        case 'l':
          return ({ release }) => matches(release.label);
        case 'v':
          return ({ release }) => matches(release.version);
        case 'b':
          return ({ architecture }) => matches(architecture);
        default:
          return ({ release }) =>
            /^\d/.test(part) ? matches(release.version) : matches(release.suite) || matches(release.codename);
      }
    });
  return (index) => tests.length > 0 && tests.every((test) => test(index));
}

/** glob(7), or a regular expression between slashes, which matches anywhere. */
function globMatcher(pattern: string): (text: string) => boolean {
  if (pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/'))
    return expressionMatcher(pattern.slice(1, -1));
  const parts = pattern.match(/\[[!^]?\]?[^\]]*\]|[^]/g) ?? [];
  return (text) => globMatches(parts, text);
}

/** Each star takes as little as will do; going back to the last one only keeps this linear in practice. */
function globMatches(parts: readonly string[], text: string): boolean {
  let [part, at, star, mark] = [0, 0, -1, 0];
  while (at < text.length) {
    if (parts[part] === '*') [star, mark, part] = [part, at, part + 1];
    else if (part < parts.length && oneMatches(parts[part] as string, text[at] as string))
      [part, at] = [part + 1, at + 1];
    else if (star === -1) return false;
    else [part, mark, at] = [star + 1, mark + 1, mark + 1];
  }
  return parts.slice(part).every((rest) => rest === '*');
}

function oneMatches(part: string, character: string): boolean {
  if (part === '?') return true;
  if (part.length === 1) return part === character;
  const negated = part[1] === '!' || part[1] === '^';
  const set = part.slice(negated ? 2 : 1, -1);
  let found = false;
  for (let i = 0; i < set.length; i++) {
    const range = set[i + 1] === '-' && i + 2 < set.length;
    if (range ? character >= (set[i] as string) && character <= (set[i + 2] as string) : set[i] === character)
      found = true;
    if (range) i += 2;
  }
  return found !== negated;
}

/**
 * A regular expression of the image (POSIX extended, of which the common part is JavaScript's). One that does not
 * compile matches nothing; neither does one that could take exponential time, because images are not trusted.
 */
function expressionMatcher(source: string): (text: string) => boolean {
  const repeats = source.match(/[*+?{]/g)?.length ?? 0;
  if (source.length > 200 || repeats > 4 || /\)[*+{]/.test(source)) return () => false;
  try {
    const expression = new RegExp(source);
    return (text) => expression.test(text);
  } catch {
    return () => false;
  }
}
