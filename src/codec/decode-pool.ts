// Threads for the decoders that run in JavaScript or WebAssembly and would block the main thread: as many as cores,
// started when needed, used again, and never a reason for the process to stay alive.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { OnlayError, messageOf } from '../errors.ts';
import type { ByteStream } from '../base/streams.ts';
import type { FromWorker, Job, ToWorker } from './decode-protocol.ts';

/** Decodes `job.bytes`, which stay as they are. Waits for a free thread. */
export async function decodeBytesInWorker(job: Job & { readonly bytes: Uint8Array }): Promise<Uint8Array> {
  const thread = await pool.acquire();
  try {
    // the caller's bytes stay with the caller: a copy goes over
    const bytes = new Uint8Array(job.bytes);
    thread.send({ type: 'job', job: { ...job, bytes } }, bytes);
    const answer = await thread.receive();
    if (answer.type === 'result') return answer.bytes;
    throw unexpected(answer);
  } finally {
    pool.release(thread);
  }
}

/**
 * Decodes a stream. It gets a thread of its own at once: readers of several streams may wait for each other. The thread
 * ends when the reader stops early.
 */
export async function* decodeInWorker(
  source: ByteStream,
  job: Job,
): AsyncGenerator<Uint8Array, void, undefined> {
  const thread = pool.take();
  const input = source[Symbol.asyncIterator]();
  let done = false;
  try {
    thread.send({ type: 'job', job });
    for (;;) {
      const answer = await thread.receive();
      if (answer.type === 'need') {
        const bytes = await nextBytes(input);
        thread.send(bytes === undefined ? { type: 'input' } : { type: 'input', bytes }, bytes);
      } else if (answer.type === 'chunk') {
        yield answer.bytes;
        thread.send({ type: 'more' });
      } else if (answer.type === 'done') {
        done = true;
        return;
      } else throw unexpected(answer);
    }
  } finally {
    if (done) pool.giveBack(thread);
    else thread.end();
    await input.return?.();
  }
}

async function nextBytes(input: AsyncIterator<Uint8Array>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for (;;) {
    const { value, done } = await input.next();
    if (done) return undefined;
    if (value.length > 0) return new Uint8Array(value);
  }
}

function unexpected(answer: FromWorker): OnlayError {
  if (answer.type !== 'failure')
    return new OnlayError('INTERNAL', `a decoding thread answered '${answer.type}'`);
  const { code, message, hint } = answer.failure;
  return new OnlayError(code, message, { hint });
}

/** A thread and what it has said. It keeps the process alive only while an answer is awaited. */
class Thread {
  readonly #worker: Worker;
  readonly #answers: FromWorker[] = [];
  #wake = (): void => {};
  ended = false;

  constructor() {
    this.#worker = new Worker(new URL('./decode-worker.js', import.meta.url), { execArgv: [] });
    this.#worker.on('message', (answer: FromWorker) => this.#hear(answer));
    this.#worker.on('error', (error) => this.#fail(`a decoding thread failed: ${messageOf(error)}`));
    this.#worker.on('exit', () => this.#fail('a decoding thread ended'));
    this.#worker.unref();
  }

  send(message: ToWorker, bytes?: Uint8Array<ArrayBuffer>): void {
    this.#worker.postMessage(message, bytes === undefined ? [] : [bytes.buffer]);
  }

  async receive(): Promise<FromWorker> {
    this.#worker.ref();
    try {
      for (;;) {
        const answer = this.#answers.shift();
        if (answer !== undefined) return answer;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#worker.unref();
    }
  }

  end(): void {
    this.ended = true;
    void this.#worker.terminate();
  }

  #hear(answer: FromWorker): void {
    this.#answers.push(answer);
    this.#wake();
  }

  #fail(message: string): void {
    this.ended = true;
    this.#hear({ type: 'failure', failure: { code: 'INTERNAL', message, hint: undefined } });
  }
}

class Pool {
  readonly #size = availableParallelism();
  readonly #idle: Thread[] = [];
  readonly #waiting: ((thread: Thread) => void)[] = [];
  #acquired = 0;

  /** A thread among as many as there are cores. */
  acquire(): Promise<Thread> {
    if (this.#acquired === this.#size) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#acquired++;
    return Promise.resolve(this.take());
  }

  release(thread: Thread): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#acquired--;
    this.giveBack(thread);
    next?.(this.take());
  }

  /** A thread beyond that number. */
  take(): Thread {
    let thread = this.#idle.pop();
    while (thread?.ended) thread = this.#idle.pop();
    return thread ?? new Thread();
  }

  giveBack(thread: Thread): void {
    if (thread.ended) return;
    if (this.#idle.length < this.#size) this.#idle.push(thread);
    else thread.end();
  }
}

const pool = new Pool();
