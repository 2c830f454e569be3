// Commands that only read: their answer is worked out where it is simple, else it is not known. Those that can write
// (sed -i, awk with redirections, find -exec) count as changes when they might.
import { byteString } from '../../base/bytes.ts';
import { isKnown, UNKNOWN, type Truth } from '../shell/unknown.ts';
import { groups, users } from './accounts-file.ts';
import {
  absolute,
  answer,
  baseNameOf,
  hasFlag,
  isObscure,
  isTransient,
  NOTHING,
  parseOptions,
  READS,
  WOULD_CHANGE,
} from './command.ts';
import type { Call, Command, CommandTable } from './command.ts';

/** Content of a file as the script sees it; UNKNOWN when it was not kept; undefined when there is none. */
export function contentOf(
  { scene, directory }: Pick<Call, 'scene' | 'directory'>,
  path: string,
): string | undefined {
  const full = absolute(path, directory);
  if (full === '/dev/null') return '';
  if (isTransient(full) || isObscure(full)) return UNKNOWN;
  const node = scene.root.follow(full);
  if (node?.type !== 'file') return undefined;
  if (!scene.root.readable(full) || node.size > 1024 * 1024) return UNKNOWN;
  return byteString(scene.root.read(full) ?? new Uint8Array());
}

function inputOf(call: Call, files: readonly string[]): string | undefined {
  if (files.length === 0 || files.includes('-')) return call.input;
  const texts = files.map((file) => contentOf(call, file));
  return texts.includes(undefined) ? undefined : texts.join('');
}

const cat: Command = (call) => {
  const text = inputOf(call, parseOptions(call.args).operands);
  return text === undefined
    ? answer(false)
    : answer(true, call.args.some((arg) => /^-./.test(arg)) ? UNKNOWN : text);
};

const head: Command = (call) => {
  const options = parseOptions(
    call.args.map((arg) => arg.replace(/^-([0-9]+)$/, '-n$1')),
    'n c',
  );
  const text = inputOf(call, options.operands);
  if (text === undefined) return answer(false);
  const count = Number(options.values.get('n') ?? 10);
  if (!isKnown(text) || hasFlag(options, 'c') || !(count >= 0)) return answer(true, UNKNOWN);
  const lines = text.split('\n').slice(0, count).join('\n');
  return answer(true, lines === '' || lines.endsWith('\n') ? lines : `${lines}\n`);
};

const cut: Command = (call) => {
  const options = parseOptions(call.args, 'd f c b');
  const text = inputOf(call, options.operands);
  const field = Number(options.values.get('f'));
  const delimiter = options.values.get('d') ?? '\t';
  if (text === undefined) return answer(false);
  if (!isKnown(text) || !(field > 0) || delimiter.length !== 1 || options.flags.size > 2)
    return answer(true, UNKNOWN);
  const pick = (line: string): string => {
    const fields = line.split(delimiter);
    return fields.length === 1 ? line : (fields[field - 1] ?? '');
  };
  return answer(true, text.split('\n').map(pick).join('\n'));
};

/** grep for patterns simple enough to mean the same here: no groups, alternatives or repetitions but `*`. */
const grep: Command = (call) => {
  const options = parseOptions(call.args, 'e f m A B C regexp file max-count');
  const [given, ...rest] = options.operands;
  const pattern = options.values.get('e') ?? options.values.get('regexp') ?? given ?? '';
  const files = hasFlag(options, 'e', 'regexp') ? options.operands : rest;
  const text = inputOf(call, files);
  if (text === undefined) return answer(false);
  const quiet = hasFlag(options, 'q', 'quiet', 'silent');
  const known = 'qsvxiFE'.split('').concat('e', 'quiet', 'silent', 'no-messages', 'regexp', 'h');
  const expression = [...options.flags].every((flag) => known.includes(flag))
    ? lineExpression(pattern, {
        fixed: call.name === 'fgrep' || hasFlag(options, 'F'),
        extended: call.name === 'egrep' || hasFlag(options, 'E'),
        whole: hasFlag(options, 'x'),
        ignoresCase: hasFlag(options, 'i'),
      })
    : undefined;
  if (!expression || !isKnown(text)) return answer(undefined, quiet ? '' : UNKNOWN);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.some((line) => line.length > 1024)) return answer(undefined, quiet ? '' : UNKNOWN);
  const found = lines.filter((line) => expression.test(line) !== hasFlag(options, 'v'));
  return answer(found.length > 0, quiet ? '' : found.map((line) => `${line}\n`).join(''));
};

function lineExpression(
  pattern: string,
  how: {
    readonly fixed: boolean;
    readonly extended: boolean;
    readonly whole: boolean;
    readonly ignoresCase: boolean;
  },
): RegExp | undefined {
  if (!isKnown(pattern) || (pattern.match(/\*/g)?.length ?? 0) > 2 || pattern.length > 200) return undefined;
  const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  let source = literal(pattern);
  if (!how.fixed) {
    // a backslash before a letter or bracket, and what extended expressions add, are not followed
    if (/\\[^.*$^[\]/\\-]/.test(pattern) || (how.extended && /[+?(){}|]/.test(pattern))) return undefined;
    source = pattern.replace(
      /\\(.)|\[\^?\]?(?:\[:[a-z]+:\]|[^\]])*\]|[.*^$]|[^\\]/g,
      (token: string, escaped?: string) => {
        if (escaped !== undefined) return literal(escaped);
        if (token.length > 1)
          return token
            .replace('[:space:]', '\\s')
            .replace('[:digit:]', '0-9')
            .replace('[:alnum:]', 'A-Za-z0-9')
            .replace('[:blank:]', ' \\t');
        return '.*^$'.includes(token) ? token : literal(token);
      },
    );
  }
  try {
    return new RegExp(how.whole ? `^(?:${source})$` : source, how.ignoresCase ? 'i' : '');
  } catch {
    return undefined;
  }
}

const readlink: Command = ({ name, args, directory, scene }) => {
  const options = parseOptions(args);
  const [operand = ''] = options.operands;
  const path = absolute(operand, directory);
  if (!isKnown(path)) return answer(undefined, UNKNOWN);
  const lexical = hasFlag(options, 's', 'strip', 'no-symlinks');
  if (name === 'realpath' && lexical) return answer(true, `${normalize(path)}\n`);
  const canonical = name === 'realpath' || hasFlag(options, 'f', 'e', 'm', 'canonicalize');
  if (!canonical) {
    const node = scene.root.lookup(path);
    return node?.type === 'symlink' ? answer(true, `${node.link}\n`) : answer(false);
  }
  const node = scene.root.follow(path);
  if (node) return answer(true, `/${node.path}\n`);
  return hasFlag(options, 'e') ? answer(false) : answer(undefined, UNKNOWN);
};

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

const stat: Command = ({ args, directory, scene }) => {
  const options = parseOptions(args, 'c format printf');
  const [operand = ''] = options.operands;
  const format = options.values.get('c') ?? options.values.get('format') ?? '';
  const path = absolute(operand, directory);
  if (isObscure(path) || options.operands.length !== 1) return answer(undefined, UNKNOWN);
  const node = hasFlag(options, 'L', 'dereference') ? scene.root.follow(path) : scene.root.lookup(path);
  if (!node) return answer(false);
  let sure = true;
  const text = format.replace(/%(.)/g, (_, letter: string) => {
    switch (letter) {
      case 'a':
        return node.mode.toString(8);
      case 'u':
        return String(node.uid);
      case 'g':
        return String(node.gid);
      case 'U':
        return users(scene.root).find(({ uid }) => uid === node.uid)?.name ?? 'UNKNOWN';
      case 'G':
        return groups(scene.root).find(({ gid }) => gid === node.gid)?.name ?? 'UNKNOWN';
      default:
        sure = false;
        return '';
    }
  });
  return answer(true, sure && format !== '' ? `${text}\n` : UNKNOWN);
};

const find: Command = ({ args, directory, scene }) => {
  const first = args.findIndex((arg) => /^[-(!]/.test(arg));
  const starts = args.slice(0, first < 0 ? args.length : first);
  const exist = starts.some((path) => {
    const full = absolute(path, directory);
    return isObscure(full) || isTransient(full) || scene.root.lookup(full) !== undefined;
  });
  if (!exist && starts.length > 0) return answer(false);
  const writes = /^-(?:exec|execdir|ok|okdir|delete|fprint|fprint0|fprintf|fls)$/;
  if (args.some((arg) => writes.test(arg))) return WOULD_CHANGE;
  // what it prints ends in the last name that is asked for
  const name = args[args.lastIndexOf('-name') + 1];
  const literal = args.includes('-name') && name !== undefined && /^[\w.-]+$/.test(name);
  return answer(true, literal ? `${UNKNOWN}/${name}\n` : UNKNOWN);
};

const sed: Command = (call) => {
  const options = parseOptions(call.args, 'e f expression file');
  const [script = ''] = [...options.values.values(), ...options.operands];
  const inPlace = call.args.some((arg) => /^-[nErsz]*i|^--in-place/.test(arg));
  if (inPlace) {
    const files = options.flags.has('e') ? options.operands : options.operands.slice(1);
    const absent = files.every((file) => {
      const path = absolute(file, call.directory);
      return !isObscure(path) && scene(call).lookup(path) === undefined;
    });
    return files.length > 0 && absent ? answer(false) : WOULD_CHANGE;
  }
  if (
    hasFlag(options, 'f', 'file') ||
    script.length > 4096 ||
    /(?:^|[;}\n/])\s*[gpIi0-9]*[weW]\s+\S/.test(script)
  )
    return WOULD_CHANGE;
  return answer(undefined, call.input === '' && options.operands.length <= 1 ? '' : UNKNOWN);
};

function scene(call: Call): Call['scene']['root'] {
  return call.scene.root;
}

const awk: Command = ({ args }) => {
  const program = args.find((arg) => /[{}]/.test(arg)) ?? '';
  if (/[>|]|\bsystem\b/.test(program.replace(/\|\|/g, '')) || args.includes('-f')) return WOULD_CHANGE;
  // how Debian's pythons name the bytecode of their modules
  if (program.includes('"__pycache__/%s.*.py[co]"'))
    return answer(true, `${UNKNOWN}/__pycache__/${UNKNOWN}.pyc\n`);
  return answer(undefined, UNKNOWN);
};

const which: Command = ({ name, args, scene: { root }, functions }) => {
  const wanted = args.filter((arg) => !arg.startsWith('-'));
  if (!wanted.every(isKnown)) return answer(undefined, UNKNOWN);
  const paths = wanted.map((command) => {
    if (name !== 'which' && (functions.has(command) || SHELL_COMMANDS.has(command))) return command;
    return findProgram(root, command);
  });
  const found = paths.filter((path) => path !== undefined);
  const status: Truth = found.length === paths.length && paths.length > 0;
  return answer(status, found.map((path) => `${path}\n`).join(''));
};

const PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** What every shell has in itself. */
export const SHELL_COMMANDS: ReadonlySet<string> = new Set(
  '. source eval trap echo printf test [ command type kill ulimit alias getopts times fg bg jobs let true false cd pwd read set'.split(
    ' ',
  ),
);

/** Where a program is: as PATH of package managers has it. */
export function findProgram(root: Call['scene']['root'], command: string): string | undefined {
  const candidates = command.includes('/') ? [command] : PATH.map((directory) => `${directory}/${command}`);
  return candidates.find((path) => {
    const node = root.follow(path);
    return node?.type === 'file' && (node.mode & 0o111) !== 0;
  });
}

const echo: Command = ({ args }) => {
  const options = args[0] !== undefined && /^-[neE]+$/.test(args[0]) ? args[0] : '';
  const text = (options === '' ? args : args.slice(1)).join(' ');
  return answer(true, `${text.includes('\\') ? UNKNOWN : text}${options.includes('n') ? '' : '\n'}`);
};

const printf: Command = ({ args }) => {
  const [format = '', ...values] = args[0] === '--' ? args.slice(1) : args;
  const rest = [...values];
  if (!isKnown(format) || /%[^s%]|\\[^nt]/.test(format)) return answer(true, UNKNOWN);
  let text = '';
  do
    text += format.replace(/%([s%])|\\([nt])/g, (_, percent?: string, escape?: string) =>
      escape === undefined ? (percent === '%' ? '%' : (rest.shift() ?? '')) : escape === 'n' ? '\n' : '\t',
    );
  while (rest.length > 0 && format.includes('%s'));
  return answer(true, text);
};

export const READERS: CommandTable = {
  echo,
  printf,
  cat,
  head,
  cut,
  grep,
  egrep: grep,
  fgrep: grep,
  readlink,
  realpath: readlink,
  stat,
  find,
  sed,
  awk,
  gawk: awk,
  mawk: awk,
  which,
  type: which,
  command: which,
  dirname: ({ args: [path = ''] }) =>
    answer(
      true,
      isKnown(path)
        ? `${path.replace(/\/+$/, '').replace(/\/*[^/]*$/, '') || (path.startsWith('/') ? '/' : '.')}\n`
        : UNKNOWN,
    ),
  basename: ({ args: [path = '', suffix = ''] }) => {
    const name = baseNameOf(path);
    const bare =
      suffix !== '' && name.endsWith(suffix) && name !== suffix ? name.slice(0, -suffix.length) : name;
    return answer(true, isKnown(path) ? `${bare}\n` : UNKNOWN);
  },
  uname: ({ args }) => answer(true, args.length === 0 || args[0] === '-s' ? 'Linux\n' : UNKNOWN),
  perl: ({ args }) => (args.length === 2 && args[0] === '-e' && args[1] === '' ? answer(true) : WOULD_CHANGE),
  sleep: NOTHING,
  logger: NOTHING,
  tput: READS,
  clear: NOTHING,
  date: () => answer(true, UNKNOWN),
  ...Object.fromEntries(
    'arch cksum cmp col comm df diff du expr file fold getcap getconf getopt groups hostname ischroot kill ls lsb_release md5sum mountpoint nl nproc od paste pgrep pidof ps rev seq sha1sum sha256sum sha512sum sort ss strings tac tail tr tty uniq wc whoami zcat zgrep'
      .split(' ')
      .map((name) => [name, READS]),
  ),
  sort: ({ args }) => (args.some((arg) => /^-o|^--output/.test(arg)) ? WOULD_CHANGE : answer(true, UNKNOWN)),
  ls: ({ args, directory, scene: { root } }) => {
    const operands = args.filter((arg) => !arg.startsWith('-')).map((path) => absolute(path, directory));
    if (operands.some((path) => isObscure(path) || isTransient(path))) return answer(undefined, UNKNOWN);
    const exist = operands.every((path) => root.follow(path) !== undefined);
    return answer(exist, UNKNOWN);
  },
};
