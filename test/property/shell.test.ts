// The shell that follows maintainer scripts, beside dash: what it parses dash accepts; what it says a script prints,
// dash prints. Nonsense neither hangs it nor makes it throw.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../src/base/log.ts';
import type { EffectContext, ScriptRun } from '../../src/effects/effect.ts';
import { Machine } from '../../src/effects/machine.ts';
import { Evaluation, TooLong } from '../../src/effects/shell/evaluate.ts';
import { parseShell } from '../../src/effects/shell/parse.ts';
import { isKnown } from '../../src/effects/shell/unknown.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import { memoryRoot } from '../support/memory-root.ts';

const DASH = ['/bin/dash', '/usr/bin/dash'].find(existsSync);
// where `*` matches nothing, as in the image here
const EMPTY = mkdtempSync(join(tmpdir(), 'shell-'));
after(() => rmSync(EMPTY, { recursive: true }));
const INFO = '/var/lib/dpkg/info';
const SCRIPTS = existsSync(INFO)
  ? readdirSync(INFO).filter((name) => /\.(?:pre|post)(?:inst|rm)$/.test(name))
  : [];

function dash(
  script: string,
  ...options: readonly string[]
): { readonly status: number | null; readonly output: string } {
  const { status, stdout } = spawnSync(DASH as string, [...options, '-s', '--', 'one', 'two words'], {
    input: script,
    encoding: 'latin1',
    timeout: 5000,
    env: { PATH: '/nowhere' },
    cwd: EMPTY,
  });
  return { status, output: stdout };
}

/** What the evaluator says the script prints; undefined where it does not know. */
function predicted(script: string): string | undefined {
  const node = parseShell(script);
  if (!node) return undefined;
  const draft = createDraft(memoryRoot({}));
  const run: ScriptRun = { package: 'p', script: 'postinst', interpreter: '/bin/sh', body: script };
  const context: EffectContext = {
    family: 'dpkg',
    draft,
    packages: [],
    scripts: [run],
    imageArch: 'amd64',
    epoch: 0,
    log: silentLog,
    compareVersions: () => 0,
    warn: (message) => assert.fail(message),
  };
  const scene = {
    context,
    script: run,
    phase: 'after',
    isUpgrade: true,
    root: draft,
    draft,
    activated: new Set<string>(),
  } as const;
  const machine = new Machine({ scene, context, effects: [], makes: [] });
  const { output } = new Evaluation(machine).subshell(node, {
    variables: new Map([['PWD', '/']]),
    parameters: ['one', 'two words'],
    functions: new Map(),
    status: true,
    output: '',
    input: '',
    certain: true,
  });
  return isKnown(output) ? output : undefined;
}

/** As `predicted`, and undefined for what takes too long. */
function followed(script: string): string | undefined {
  try {
    return predicted(script);
  } catch (error) {
    if (error instanceof TooLong) return undefined;
    throw error;
  }
}

const TEXT = fc.constantFrom('a', 'b c', '', '*', 'x.y', '7', '-n', 'aab', '/usr/lib/x');
const NAME = fc.constantFrom('u', 'v', 'w');

/** Programs that end: words, tests and commands whose answers are all known. */
const PROGRAM = fc.letrec<{ word: string; test: string; command: string; list: string }>((tie) => ({
  word: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('a', "'b  c'", '"d e"', '\\*', 'x=y', '7'),
    NAME.map((name) => `"$${name}"`),
    NAME.map((name) => `$${name}`),
    fc.constantFrom('"$@"', '$1', '"$2"', '$#', '$?', '"$*"', '"x$1"y'),
    fc
      .tuple(
        NAME,
        fc.constantFrom(':-', '-', ':+', '+', '%', '%%', '#', '##'),
        fc.constantFrom('a', 'a*', '*b', '?', '[ab]', '*/', "'*'"),
      )
      .map(([name, operator, pattern]) => `"\${${name}${operator}${pattern}}"`),
    NAME.map((name) => `\${#${name}}`),
    fc
      .tuple(
        fc.integer({ min: -3, max: 9 }),
        fc.constantFrom('+', '-', '*', '<', '=='),
        fc.integer({ min: 1, max: 9 }),
      )
      .map(([a, operator, b]) => `$((${a} ${operator} ${b}))`),
    tie('list').map((list) => `"$(${list})"`),
    tie('list').map((list) => `$(${list}\n)`),
  ),
  test: fc.oneof(
    fc
      .tuple(tie('word'), fc.constantFrom('=', '!='), tie('word'))
      .map(([a, operator, b]) => `[ "x"${a} ${operator} "x"${b} ]`),
    fc.tuple(fc.constantFrom('-z', '-n'), NAME).map(([operator, name]) => `[ ${operator} "$${name}" ]`),
    fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom('-lt', '-eq', '-ge'))
      .map(([number, operator]) => `test $# ${operator} ${number}`),
    fc.constantFrom('true', 'false', ':', '! true', '[ -e /etc/passwd/x ]', '( exit 3 )'),
    NAME.map((name) => `[ "$${name}" = a ] && [ 1 -lt 2 ] || false`),
  ),
  command: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.array(tie('word'), { maxLength: 3 }).map((words) => `printf '<%s>\\n' ${words.join(' ')}`),
    fc.tuple(NAME, tie('word')).map(([name, word]) => `${name}=${word}`),
    fc
      .tuple(tie('test'), tie('list'), tie('list'))
      .map(([test, yes, no]) => `if ${test}; then ${yes}; else ${no}; fi`),
    fc
      .tuple(tie('test'), fc.constantFrom('&&', '||'), tie('command'))
      .map(([test, operator, command]) => `${test} ${operator} ${command}`),
    fc
      .tuple(tie('word'), fc.constantFrom('a', 'a|b*', '[ab]*', '"*"', '??'), tie('list'), tie('list'))
      .map(
        ([word, pattern, first, second]) => `case ${word} in\n${pattern}) ${first} ;;\n*) ${second}\nesac`,
      ),
    fc
      .tuple(NAME, fc.array(tie('word'), { maxLength: 3 }), tie('list'))
      .map(([name, words, list]) => `for ${name} in ${words.join(' ')}; do ${list}; done`),
    fc
      .tuple(tie('list'), fc.array(tie('word'), { maxLength: 2 }))
      .map(([list, words]) => `f() { ${list}\n}\nf ${words.join(' ')}; unset -f f`),
    tie('list').map((list) => `( ${list} )`),
    fc
      .tuple(tie('list'), fc.constantFrom('>/dev/null', '2>&1', '2>/dev/null'))
      .map(([list, redirection]) => `{ ${list}; } ${redirection}`),
    fc.tuple(TEXT, NAME).map(([text, name]) => `{ read ${name} && echo "got $${name}"; } <<E\n${text}\nE\n`),
    fc
      .tuple(tie('list'), NAME)
      .map(([list, name]) => `{ ${list}; } | while read ${name}; do echo "line $${name}"; done`),
    fc.constantFrom(
      'set -- x y',
      '[ $# -gt 0 ] && shift',
      'eval "u=a"',
      'unset v',
      'w=$(printf %s a)',
      'return 2>/dev/null',
      'exit 0',
    ),
  ),
  list: fc.oneof(
    { depthSize: 'small' },
    fc.array(tie('command'), { minLength: 1, maxLength: 3 }).map((commands) => commands.join('\n')),
  ),
}));

test(
  'what the evaluator says a script prints is what dash prints',
  { skip: DASH ? false : 'needs dash' },
  () => {
    let known = 0;
    fc.assert(
      fc.property(PROGRAM.list, (script) => {
        const ours = followed(script);
        if (ours === undefined) return;
        const theirs = dash(script);
        if (theirs.status !== 0) return;
        known++;
        assert.equal(ours, theirs.output, script);
      }),
      { numRuns: 400 },
    );
    assert.ok(known > 150, `only ${known} scripts could be compared`);
  },
);

test(
  'dash accepts every maintainer script that is parsed, and most are',
  { skip: SCRIPTS.length > 0 && DASH ? false : 'needs dash and scripts of dpkg' },
  () => {
    let parsed = 0;
    for (const name of SCRIPTS) {
      const script = readFileSync(`${INFO}/${name}`, 'latin1');
      if (!/^#! *\/bin\/(?:da)?sh/.test(script)) continue;
      if (parseShell(script)) parsed++;
    }
    assert.ok(parsed >= SCRIPTS.length * 0.9, `${parsed} of ${SCRIPTS.length}`);
  },
);

test(
  'dash accepts whatever is parsed of scripts with lines cut out',
  { skip: SCRIPTS.length > 0 && DASH ? false : 'needs dash and scripts of dpkg' },
  () => {
    const samples = SCRIPTS.filter((_, index) => index % 9 === 0)
      .map((name) => readFileSync(`${INFO}/${name}`, 'latin1'))
      .filter((script) => script.length < 8000);
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.nat(), fc.nat({ max: 3 }), (script, at, count) => {
        const lines = script.split('\n');
        lines.splice(at % lines.length, count + 1);
        const cut = lines.join('\n');
        if (!parseShell(cut)) return;
        assert.equal(dash(cut, '-n').status, 0, cut);
      }),
      { numRuns: 150 },
    );
  },
);

test('nonsense is parsed or not understood, and followed to an end', () => {
  const token = fc.constantFrom(
    ...'if then else elif fi case esac for in do done while until { } ( ) ; ;; & && | || ! $ ` " \' \\ # < > << <<- >& $( ${ $(( )) } x a=b $x "$@" EOF [ ] * eval trap read local return exit'.split(
      ' ',
    ),
    '\n',
    ' ',
    '\t',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 60 }), (tokens) => {
      const script = tokens.join(tokens.length % 2 === 0 ? ' ' : '');
      followed(script);
    }),
    { numRuns: 3000 },
  );
});

for (const [name, script] of [
  ['deep nesting', '('.repeat(100_000)],
  ['many negations', '! '.repeat(100_000)],
  ['substitutions in substitutions', '$('.repeat(50_000)],
  ['functions of functions', 'f() '.repeat(50_000)],
  ['braces in braces', '${a:-'.repeat(50_000)],
] as const)
  test(`${name} beyond all reason is not understood`, () => assert.equal(parseShell(script), undefined));

for (const [name, script] of [
  ['a loop without an end', 'while true; do :; done'],
  ['a function that calls itself', 'f() { f; }; f'],
  ['a value that doubles', 'x=aaaaaaaa; while :; do x=$x$x; done'],
  ['loops in loops', 'for a in 1 2 3 4 5 6 7 8 9; do '.repeat(6) + ':' + '; done'.repeat(6)],
] as const)
  test(`${name} is given up`, () => assert.throws(() => predicted(script), TooLong));
