// Commands of dpkg and its kin in maintainer scripts: questions to the database, diversions, overrides, triggers, and
// what dpkg-maintscript-helper does, which installing has done already (packages/dpkg/helper-effects.ts).
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { isKnown, UNKNOWN, type Truth } from '../shell/unknown.ts';
import { linesOf } from './accounts-file.ts';
import {
  absolute,
  answer,
  hasFlag,
  isObscure,
  NOTHING,
  parseOptions,
  READS,
  valueOf,
  WOULD_CHANGE,
} from './command.ts';
import type { Call, Command, CommandTable } from './command.ts';
import { matchesPattern } from '../shell/pattern.ts';

const dpkg: Command = (call) => {
  const { args, scene } = call;
  const at = args.indexOf('--compare-versions');
  if (at >= 0)
    return answer(
      compare(
        call,
        args.slice(at + 1).filter((arg) => arg !== '--'),
      ),
    );
  const [option = ''] = args;
  if (option === '--print-architecture') {
    const [native] = linesOf(scene.root, 'var/lib/dpkg/arch');
    return answer(true, `${native ?? scene.script.arch ?? UNKNOWN}\n`);
  }
  if (option === '-L' || option === '--listfiles') return listFiles(scene.root, args.slice(1));
  if (option === '-S' || option === '--search') return searchOwner(scene.root, args.slice(1));
  if (option === '-s' || option === '--status') {
    const stanza = args.length === 2 ? stanzaOf(call, args[1] as string) : UNKNOWN;
    return stanza === undefined ? answer(false) : answer(isKnown(stanza) ? true : undefined, stanza);
  }
  const reads =
    /^(?:-[lsSpC]|--(?:list|status|search|print-avail|audit|verify|get-selections|print-foreign-architectures|assert-[a-z-]+|validate-[a-z]+|version))$/;
  return reads.test(option) || (option === '-V' && args.length > 0) ? READS(call) : WOULD_CHANGE;
};

/** dpkg-query: lists, owners, and the fields of packages that are asked for by name. */
const dpkgQuery: Command = (call) => {
  const options = parseOptions(call.args, 'f showformat admindir load-avail');
  if (/^(?:-[SLs]|--(?:search|listfiles|status))$/.test(call.args[0] ?? '')) return dpkg(call);
  const format = valueOf(options, 'f', 'showformat');
  const [name = ''] = options.operands;
  if (
    !hasFlag(options, 'W', 'show') ||
    format === undefined ||
    options.operands.length !== 1 ||
    /[*?[]/.test(name)
  )
    return answer(undefined, UNKNOWN);
  const stanza = stanzaOf(call, name);
  if (stanza === undefined) return answer(isKnown(name) ? false : undefined, '');
  let sure = true;
  const text = format.replace(/\$\{([A-Za-z-]+)\}|\\n|[\\$]/g, (token: string, field?: string) => {
    if (token === '\\n') return '\n';
    const value = field === undefined ? undefined : new RegExp(`^${field}: (.*)$`, 'm').exec(stanza)?.[1];
    sure &&= value !== undefined;
    return value ?? '';
  });
  return answer(true, sure && isKnown(stanza) ? text : UNKNOWN);
};

/** Record of a package in the status file; undefined if there is none, UNKNOWN if that is not known. */
function stanzaOf({ scene: { root } }: Call, name: string): string | undefined {
  const path = 'var/lib/dpkg/status';
  if (!isKnown(name) || !root.readable(path)) return UNKNOWN;
  const status = `\n\n${byteString(root.read(path) ?? new Uint8Array())}\n\n`;
  const start = status.indexOf(`\n\nPackage: ${name.replace(/:.*/, '')}\n`);
  return start < 0 ? undefined : status.slice(start + 2, status.indexOf('\n\n', start + 2) + 1);
}

/** Who has a path: only whether anybody has it is worked out. */
function searchOwner(root: RootView, paths: readonly string[]): ReturnType<Command> {
  if (!paths.every((path) => isKnown(path) && path.startsWith('/') && !/[*?[]/.test(path)))
    return answer(undefined, UNKNOWN);
  const lists = root
    .list('var/lib/dpkg/info')
    .filter((name) => name.endsWith('.list'))
    .map((name) => `var/lib/dpkg/info/${name}`);
  if (!lists.every((path) => root.readable(path))) return answer(undefined, UNKNOWN);
  const texts = lists.map((path) => `\n${byteString(root.read(path) ?? new Uint8Array())}`);
  const found = paths.every((path) => texts.some((text) => text.includes(`\n${path}\n`)));
  return answer(found, found ? UNKNOWN : '');
}

function listFiles(root: RootView, names: readonly string[]): ReturnType<Command> {
  const lists = names.map((name) =>
    [name, name.replace(/:.*/, '')]
      .map((key) => `var/lib/dpkg/info/${key}.list`)
      .find((path) => root.readable(path)),
  );
  if (!names.every(isKnown) || lists.includes(undefined)) return answer(undefined, UNKNOWN);
  return answer(
    true,
    lists.map((path) => byteString(root.read(path as string) ?? new Uint8Array())).join(''),
  );
}

/** `dpkg --compare-versions A OP B`: an empty version is the earliest, or with -nl the latest. */
function compare({ scene }: Call, [a = '', operator = '', b = '']: readonly string[]): Truth {
  if (!isKnown(a + b + operator)) return undefined;
  const latest = operator.endsWith('-nl');
  const order =
    a === b
      ? 0
      : a === '' || b === ''
        ? (a === '' ? -1 : 1) * (latest ? -1 : 1)
        : scene.context.compareVersions(a, b);
  switch (operator.replace('-nl', '')) {
    case 'lt':
    case '<<':
      return order < 0;
    case 'le':
    case '<':
    case '<=':
      return order <= 0;
    case 'eq':
    case '=':
      return order === 0;
    case 'ne':
      return order !== 0;
    case 'ge':
    case '>':
    case '>=':
      return order >= 0;
    case 'gt':
    case '>>':
      return order > 0;
    default:
      return undefined;
  }
}

const DIVERSIONS = 'var/lib/dpkg/diversions';

interface Diversion {
  readonly from: string;
  readonly to: string;
  readonly owner: string;
}

function diversions(root: RootView): readonly Diversion[] {
  const lines = linesOf(root, DIVERSIONS);
  return Array.from({ length: Math.floor(lines.length / 3) }, (_, index) => {
    const [from = '', to = '', owner = ''] = lines.slice(index * 3, index * 3 + 3);
    return { from, to, owner };
  });
}

const dpkgDivert: Command = ({ args, scene, variables }) => {
  const options = parseOptions(args, 'package divert admindir instdir root');
  const [path = ''] = options.operands;
  if (![...options.operands, ...options.values.values()].every(isKnown)) return WOULD_CHANGE;
  const known = diversions(scene.root);
  if (hasFlag(options, 'list')) {
    const found = known.filter(
      ({ from }) =>
        options.operands.length === 0 || options.operands.some((pattern) => matchesPattern(from, pattern)),
    );
    const text = found.map(({ from, to, owner }) =>
      owner === ':' ? `local diversion of ${from} to ${to}\n` : `diversion of ${from} to ${to} by ${owner}\n`,
    );
    return answer(true, text.join(''));
  }
  const existing = known.find(({ from }) => from === path);
  if (hasFlag(options, 'truename')) return answer(true, `${existing?.to ?? path}\n`);
  if (hasFlag(options, 'listpackage')) {
    const owner = existing?.owner === ':' ? 'LOCAL' : existing?.owner;
    return answer(true, owner === undefined ? '' : `${owner}\n`);
  }
  if (hasFlag(options, 'remove')) return existing ? WOULD_CHANGE : answer(true);
  const owner = hasFlag(options, 'local')
    ? ':'
    : (valueOf(options, 'package') ?? variables.get('DPKG_MAINTSCRIPT_PACKAGE') ?? ':');
  const target = valueOf(options, 'divert') ?? `${path}.distrib`;
  return existing?.to === target && existing.owner === owner ? answer(true) : WOULD_CHANGE;
};

const dpkgStatoverride: Command = ({ args, scene }) => {
  const options = parseOptions(args, 'admindir instdir root');
  if (!options.operands.every(isKnown)) return WOULD_CHANGE;
  const lines = linesOf(scene.root, 'var/lib/dpkg/statoverride');
  if (hasFlag(options, 'list')) {
    const found = lines.filter((line) => {
      const path = line.split(' ').slice(3).join(' ');
      return (
        options.operands.length === 0 || options.operands.some((pattern) => matchesPattern(path, pattern))
      );
    });
    return answer(found.length > 0, found.map((line) => `${line}\n`).join(''));
  }
  const path = options.operands.at(-1) ?? '';
  const listed = lines.some((line) => line.endsWith(` ${path}`));
  if (hasFlag(options, 'remove')) return listed ? WOULD_CHANGE : answer(false);
  return lines.includes(options.operands.join(' ')) ? answer(true) : WOULD_CHANGE;
};

/** Noted in the context's list; whoever is interested is judged in turn. */
const dpkgTrigger: Command = ({ args, scene }) => {
  const options = parseOptions(args, 'by-package admindir root');
  if (hasFlag(options, 'check-supported', 'no-act')) return answer(true);
  const [name = ''] = options.operands;
  if (!isKnown(name)) return WOULD_CHANGE;
  const trigger = name.startsWith('/') ? undefined : linesOf(scene.draft, `var/lib/dpkg/triggers/${name}`);
  if (!trigger) return WOULD_CHANGE;
  for (const line of trigger) scene.activated.add(line.replace(/\/noawait$/, ''));
  return answer(true);
};

/** ucf SOURCE TARGET: nothing happens where the packaged text is what it was, or what is there. */
const ucf: Command = ({ args, directory, scene }) => {
  const options = parseOptions(args, 's src-dir state-dir d debug');
  const [from = '', to = ''] = options.operands.map((path) => absolute(path, directory));
  if (hasFlag(options, 'p', 'purge') || isObscure(from) || isObscure(to)) return WOULD_CHANGE;
  const source = scene.draft.follow(from);
  if (!source) return answer(false);
  const before = scene.context.draft.base.follow(from);
  const target = scene.draft.follow(to);
  const registered = linesOf(scene.draft, 'var/lib/ucf/hashfile').some((line) => line.endsWith(`  ${to}`));
  const same = target?.sha256 === source.sha256 || (registered && before?.sha256 === source.sha256);
  return same ? answer(true) : WOULD_CHANGE;
};

const ucfr: Command = ({ args, scene }) => {
  const options = parseOptions(args, 'state-dir d debug');
  const [owner = '', path = ''] = options.operands;
  if (hasFlag(options, 'p', 'purge') || !isKnown(owner + path)) return WOULD_CHANGE;
  const registered = linesOf(scene.draft, 'var/lib/ucf/registry').some((line) => {
    const [name, file] = line.split(/\s+/);
    return name === owner && file === path;
  });
  return registered ? answer(true) : WOULD_CHANGE;
};

export const DPKG_COMMANDS: CommandTable = {
  dpkg,
  'dpkg-query': dpkgQuery,
  'dpkg-divert': dpkgDivert,
  'dpkg-statoverride': dpkgStatoverride,
  'dpkg-trigger': dpkgTrigger,
  'dpkg-maintscript-helper': NOTHING,
  'dpkg-architecture': READS,
  'apt-config': READS,
  'apt-cache': READS,
  ucf,
  ucfr,
  ucfq: READS,
};
