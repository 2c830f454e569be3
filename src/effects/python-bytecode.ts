// Bytecode of Python modules whose source changed: it is stale, and Python would compile in memory at every start, or
// use it if time and size of the source happened to fit. It is removed; Python writes it anew where it can. So is what
// another release of the compiler made of modules that would be compiled now. Stands for py3compile and py3clean in
// maintainer scripts. PEP 3147 (names), PEP 552 (header).
import { linesOf } from './commands/accounts-file.ts';
import { baseName, parentOf } from '../rootfs/path.ts';
import type { RootPath } from '../rootfs/path.ts';
import type { Effect, EffectContext } from './effect.ts';

const CACHE = '__pycache__';

export const pythonBytecode: Effect = {
  name: 'python-bytecode',
  families: ['dpkg', 'rpm', 'apk'],
  standsFor: () => false,
  covers: ([program = '', ...args]) =>
    /^(?:pypy)?py3?(?:compile|clean)$|^pypy3(?:compile|clean)$/.test(program) ||
    (/^(?:python|pypy)[0-9.]*$/.test(program) &&
      args.some((arg) => /(?:^|\/)(?:py_compile\.py|compileall(?:\.py)?)$/.test(arg))) ||
    (/^rm(?:dir)?$/.test(program) && removesBytecode(args)),
  apply(context: EffectContext): void {
    const { draft } = context;
    for (const change of draft.changes().changes) {
      if (!change.path.endsWith('.py')) continue;
      // hard links and attribute changes come as puts too: only content makes bytecode stale
      const node = draft.lookup(change.path);
      const old = draft.base.lookup(change.path);
      if (old === undefined || (node?.sha256 === old.sha256 && node.mtime === old.mtime)) continue;
      for (const path of bytecodeOf(context, change.path)) draft.remove(path);
    }
    for (const tag of renewedCompilers(context))
      for (const source of sourcesOf(context))
        for (const path of bytecodeOf(context, source)) if (path.endsWith(`.${tag}.pyc`)) draft.remove(path);
  },
};

/** `rm` of nothing but bytecode and its directories, which comes before modules are compiled anew. */
function removesBytecode(args: readonly string[]): boolean {
  const paths = args.filter((arg) => !arg.startsWith('-'));
  return (
    paths.length > 0 && paths.every((path) => /(?:^|\/)__pycache__(?:$|\/.*\.py(?:c|\[co\]|\*)$)/.test(path))
  );
}

/** Tags (cpython-310) of interpreters that came in another upstream release: 3.10.4 compiles otherwise than 3.10.12. */
function renewedCompilers({ family, packages }: EffectContext): readonly string[] {
  if (family !== 'dpkg') return [];
  const release = (version: string): string => version.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
  return packages.flatMap(({ name, from, to }) => {
    const [, major, minor] = /^python(\d)\.(\d+)-minimal$/.exec(name) ?? [];
    if (major === undefined || from === undefined || release(from) === release(to)) return [];
    return [`cpython-${major}${minor}`];
  });
}

/** Modules of the packages that are upgraded. */
function sourcesOf({ draft, packages }: EffectContext): readonly RootPath[] {
  return packages.flatMap(({ name, arch }) =>
    [name, `${name}:${arch}`]
      .flatMap((owner) => linesOf(draft, `var/lib/dpkg/info/${owner}.list`))
      .flatMap((path) => (path.endsWith('.py') ? (draft.lookup(path)?.path ?? []) : [])),
  );
}

function bytecodeOf({ draft }: EffectContext, source: RootPath): readonly string[] {
  const directory = parentOf(source);
  const stem = baseName(source).slice(0, -'.py'.length);
  const cache = directory === '' ? CACHE : `${directory}/${CACHE}`;
  const legacy = `${source}c`;
  return [
    ...draft
      .list(cache)
      .filter((name) => name.startsWith(`${stem}.`) && name.endsWith('.pyc'))
      .map((name) => `${cache}/${name}`),
    ...(draft.lookup(legacy) ? [legacy] : []),
  ].filter((path) => isUntouched(draft.base.lookup(path)?.sha256, draft.lookup(path)?.sha256));
}

/** A .pyc that the new package ships itself is right. */
function isUntouched(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && before === after;
}
