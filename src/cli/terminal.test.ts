import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes, openTerminal, terminalOf } from './terminal.ts';
import type { ProgressMode, Terminal } from './terminal.ts';

interface Screen extends Terminal {
  readonly said: () => string;
}

function open(mode: ProgressMode, options: { isTTY?: boolean; color?: boolean } = {}): Screen {
  const { isTTY = false, color = false } = options;
  let said = '';
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      said += chunk.toString();
      done();
    },
  });
  const stream = Object.assign(sink, { isTTY, columns: 100 });
  const terminal = openTerminal({
    stream: stream as unknown as NodeJS.WriteStream,
    mode,
    warnings: [],
    debug: false,
    color,
  });
  return { ...terminal, said: () => said };
}

/** What stays on the screen: without cursor movements and colours. */
function text(said: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return said.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
}

function work({ progress, log }: Terminal): void {
  const task = progress.start('layer 1/2', 2000);
  task.advance(1500);
  log.warn('Odd', { name: 'x' });
  log.warn('Odd', { name: 'x' });
  task.advance(500);
  task.done();
  progress.start('index').done('cached');
}

test('a terminal gets bars with bytes, and every line that was said, to the last', async () => {
  const screen = open('auto', { isTTY: true });
  const task = screen.progress.start('layer 1/2', 2000);
  task.advance(500);
  // drawn some times a second
  while (!screen.said().includes('layer')) await sleep(10);
  assert.match(text(screen.said()), /layer 1\/2 +[=-]+ 500 B \/ 2\.0 kB/);
  work(screen);
  screen.close();
  const said = text(screen.said());
  for (const line of ['warning: Odd (name x)', 'layer 1/2: 2.0 kB', 'index: cached'])
    assert.equal(said.split(line).length, 2, `${line}\n${said}`);
  assert.ok(screen.said().includes('\u001b[?25h'), 'the cursor is shown again');
  screen.log.info('later');
  assert.match(screen.said(), /later\n$/);
});

test('a warning is shown where no bar was ever drawn', () => {
  const screen = open('tty', { isTTY: true });
  screen.log.warn('Odd');
  screen.error('Broken', 'mend it');
  assert.match(text(screen.said()), /warning: Odd\n[^]*error: Broken\nhint: mend it\n$/);
});

test('elsewhere there are plain lines, when something is done', () => {
  for (const [mode, isTTY] of [
    ['auto', false],
    ['plain', true],
  ] as const) {
    const screen = open(mode, { isTTY });
    work(screen);
    assert.equal(screen.said(), 'warning: Odd (name x)\nlayer 1/2: 2.0 kB\nindex: cached\n');
    assert.deepEqual(screen.warnings, ['Odd (name x)']);
  }
});

test('quiet says warnings and errors only; rawjson says objects', () => {
  const quiet = open('quiet');
  work(quiet);
  quiet.log.info('not said');
  assert.equal(quiet.said(), 'warning: Odd (name x)\n');
  const raw = open('rawjson');
  work(raw);
  raw.error('Broken', undefined);
  const events = raw
    .said()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string });
  assert.deepEqual(
    events.map(({ level }) => level),
    ['progress', 'warning', 'progress', 'progress', 'progress', 'error'],
  );
});

test('colours are used when they are wanted, and secrets are left out', () => {
  const colored = open('plain', { color: true });
  colored.log.warn('Odd');
  assert.ok(colored.said().includes('\u001b[33mwarning: \u001b[39mOdd'));
  const plain = open('plain');
  plain.log.warn('Cannot fetch https://user:secret@host/x?token=secret');
  assert.equal(plain.said(), 'warning: Cannot fetch https://***@host/x?***\n');
});

test('a caller without a terminal is told through its log', () => {
  const said: string[] = [];
  const { log, warnings } = terminalOf({
    debug: (message) => void said.push(message),
    info: (message) => void said.push(message),
    warn: (message) => void said.push(message),
  });
  log.debug('a');
  log.info('b');
  log.warn('c', { password: 'https://user:secret@host' });
  log.warn('c', { password: 'https://user:secret@host' });
  assert.deepEqual(said, ['a', 'b', 'c']);
  assert.deepEqual(warnings, ['c (password https://***@host)']);
});

test('formatBytes() counts in decimal units', () => {
  assert.deepEqual([0, 999, 1000, 1_550_000, 3e12, 5e15].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.6 MB',
    '3.0 TB',
    '5000.0 TB',
  ]);
});
