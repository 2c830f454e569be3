// Scripts of packages as rpm would run them in a transaction, for the effects that stand in for them. Nothing here runs
// anything. A script that is only a program (`%post -p /sbin/ldconfig`) has that program as its body.
// https://rpm-software-management.github.io/rpm/manual/triggers.html
import type { PackageScript } from '../family.ts';
import { rangesOverlap, type Comparison, type Relation } from './dependencies.ts';
import { number, numbers, strings, text, type Header } from './header.ts';
import { Sense, Tag } from './tags.ts';

interface ScriptTags {
  readonly name: string;
  readonly body: number;
  readonly program: number;
}

const BEFORE: readonly ScriptTags[] = [
  { name: '%pretrans', body: Tag.preTrans, program: Tag.preTransProg },
  { name: '%pre', body: Tag.preIn, program: Tag.preInProg },
];
const AFTER: readonly ScriptTags[] = [{ name: '%post', body: Tag.postIn, program: Tag.postInProg }];
const ERASE: readonly ScriptTags[] = [
  { name: '%preuntrans', body: Tag.preUnTrans, program: Tag.preUnTransProg },
  { name: '%preun', body: Tag.preUn, program: Tag.preUnProg },
  { name: '%postun', body: Tag.postUn, program: Tag.postUnProg },
  { name: '%postuntrans', body: Tag.postUnTrans, program: Tag.postUnTransProg },
];
const LAST: readonly ScriptTags[] = [{ name: '%posttrans', body: Tag.postTrans, program: Tag.postTransProg }];

/** Scripts of a package that is installed, `old` being the version it replaces. */
export function installScripts(header: Header, old: Header | undefined): readonly PackageScript[] {
  return [
    ...pick(header, BEFORE),
    ...pick(header, AFTER),
    ...(old ? eraseScripts(old) : []),
    ...pick(header, LAST),
  ];
}

/** Scripts of a package that goes. */
export function eraseScripts(header: Header): readonly PackageScript[] {
  return pick(header, ERASE);
}

function pick(header: Header, tags: readonly ScriptTags[]): readonly PackageScript[] {
  const scripts: PackageScript[] = [];
  for (const { name, body, program } of tags) {
    const script = makeScript(name, strings(header, program), text(header, body));
    if (script) scripts.push(script);
  }
  return scripts;
}

function makeScript(
  name: string,
  program: readonly string[],
  body: string | undefined,
): PackageScript | undefined {
  if (program.length === 0 && body === undefined) return undefined;
  const interpreter = program.join(' ');
  return { name, interpreter: interpreter === '' ? '/bin/sh' : interpreter, body: body ? body : interpreter };
}

/** What triggers look at: who comes, who goes, whose files. */
export interface TriggerContext {
  readonly added: readonly {
    readonly name: string;
    readonly version: string;
    readonly paths: readonly string[];
  }[];
  readonly removed: readonly {
    readonly name: string;
    readonly version: string;
    readonly paths: readonly string[];
  }[];
  readonly installed: readonly { readonly name: string; readonly version: string }[];
}

/** Triggers of one package that is there after the transaction; `isNew`: it came with it. */
export function firedTriggers(
  header: Header,
  isNew: boolean,
  context: TriggerContext,
): readonly PackageScript[] {
  return [...packageTriggers(header, isNew, context), ...fileTriggers(header, isNew, context)];
}

const KINDS: readonly { readonly flag: number; readonly name: string }[] = [
  { flag: Sense.triggerPreIn, name: '%triggerprein' },
  { flag: Sense.triggerIn, name: '%triggerin' },
  { flag: Sense.triggerUn, name: '%triggerun' },
  { flag: Sense.triggerPostUn, name: '%triggerpostun' },
];

function packageTriggers(header: Header, isNew: boolean, context: TriggerContext): readonly PackageScript[] {
  const names = strings(header, Tag.triggerName);
  if (names.length === 0) return [];
  const versions = strings(header, Tag.triggerVersion);
  const flags = numbers(header, Tag.triggerFlags);
  const indexes = numbers(header, Tag.triggerIndex);
  const bodies = strings(header, Tag.triggerScripts);
  const programs = strings(header, Tag.triggerScriptProg);
  const fired = new Map<number, PackageScript>();
  names.forEach((name, i) => {
    const sense = flags[i] ?? 0;
    const kind = KINDS.find(({ flag }) => (sense & flag) !== 0);
    const index = indexes[i] ?? 0;
    if (!kind || fired.has(index)) return;
    const comparison = comparisonOf(sense);
    const version = versions[i];
    const wanted: Relation = comparison && version ? { name, comparison, version } : { name };
    const incoming = kind.flag === Sense.triggerIn || kind.flag === Sense.triggerPreIn;
    const candidates = incoming
      ? isNew && kind.flag === Sense.triggerIn
        ? [...context.added, ...context.installed]
        : context.added
      : context.removed;
    if (
      !candidates.some(
        (other) =>
          other.name === name && rangesOverlap({ name, comparison: '=', version: other.version }, wanted),
      )
    )
      return;
    const script = makeScript(
      kind.name,
      [programs[index] ?? ''].filter((text) => text !== ''),
      bodies[index],
    );
    if (script) fired.set(index, script);
  });
  return [...fired.values()];
}

function comparisonOf(flags: number): Comparison | undefined {
  const sign = `${flags & Sense.less ? '<' : ''}${flags & Sense.greater ? '>' : ''}${flags & Sense.equal ? '=' : ''}`;
  return sign === '' || sign.startsWith('<>') ? undefined : (sign as Comparison);
}

const FILE_TRIGGERS = [
  {
    label: 'filetrigger',
    names: Tag.fileTriggerName,
    indexes: Tag.fileTriggerIndex,
    flags: Tag.fileTriggerFlags,
    bodies: Tag.fileTriggerScripts,
    programs: Tag.fileTriggerScriptProg,
  },
  {
    label: 'transfiletrigger',
    names: Tag.transFileTriggerName,
    indexes: Tag.transFileTriggerIndex,
    flags: Tag.transFileTriggerFlags,
    bodies: Tag.transFileTriggerScripts,
    programs: Tag.transFileTriggerScriptProg,
  },
] as const;

function fileTriggers(header: Header, isNew: boolean, context: TriggerContext): readonly PackageScript[] {
  const fired: PackageScript[] = [];
  for (const tags of FILE_TRIGGERS) {
    const prefixes = strings(header, tags.names);
    if (prefixes.length === 0) continue;
    const indexes = numbers(header, tags.indexes);
    const flags = numbers(header, tags.flags);
    const bodies = strings(header, tags.bodies);
    const programs = strings(header, tags.programs);
    const done = new Set<number>();
    prefixes.forEach((prefix, i) => {
      const index = indexes[i] ?? 0;
      if (done.has(index)) return;
      const incoming = ((flags[i] ?? 0) & Sense.triggerIn) !== 0;
      // a package that is new also fires for files that were there before it
      const touched =
        (isNew && incoming) ||
        (incoming ? context.added : context.removed).some(({ paths }) =>
          paths.some((path) => path.startsWith(prefix)),
        );
      if (!touched) return;
      done.add(index);
      const name = `%${tags.label}${incoming ? 'in' : ((flags[i] ?? 0) & Sense.triggerUn) !== 0 ? 'un' : 'postun'}`;
      const script = makeScript(
        name,
        [programs[index] ?? ''].filter((text) => text !== ''),
        bodies[index],
      );
      if (script) fired.push(script);
    });
  }
  return fired;
}

/** Epoch, version and release of a header as one string. */
export function headerEvr(header: Header): string {
  const epoch = number(header, Tag.epoch);
  const release = text(header, Tag.release);
  return `${epoch ? `${epoch}:` : ''}${text(header, Tag.version) ?? ''}${release === undefined ? '' : `-${release}`}`;
}
