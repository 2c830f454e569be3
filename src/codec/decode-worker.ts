// Runs in a thread that decode-pool.ts starts: decodes one thing at a time.
import { parentPort, type MessagePort } from 'node:worker_threads';
import { OnlayError, messageOf } from '../errors.ts';
import { collect, streamOf, type ByteStream } from '../base/streams.ts';
import { transferable, type Failure, type FromWorker, type Job, type ToWorker } from './decode-protocol.ts';
import type { DecodeOptions } from './failure.ts';

// Chunks of output that may wait for their reader.
const CREDIT = 4;

const port = parentPort as MessagePort;
const output = { credit: 0, onCredit: (): void => {} };
let onInput = (_bytes: Uint8Array | undefined): void => {};

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'job':
      void run(message.job);
      break;
    case 'input':
      onInput(message.bytes);
      break;
    case 'more':
      output.credit++;
      output.onCredit();
      break;
  }
});

async function run(job: Job): Promise<void> {
  try {
    const decode = await decoderOf(job.codec);
    if (job.bytes === undefined) await sendAll(decode(inputOfMain(), job));
    else send({ type: 'result', bytes: await collect(decode(streamOf(job.bytes), job), job) });
  } catch (error) {
    send({ type: 'failure', failure: toFailure(error) });
  }
}

// Loaded when met: each needs only one or two of them.
async function decoderOf(
  codec: Job['codec'],
): Promise<(source: ByteStream, options: DecodeOptions) => ByteStream> {
  switch (codec) {
    case 'xz':
      return (await import('./xz.ts')).unxz;
    case 'zstd':
      return (await import('./zstd.ts')).unzstd;
    case 'bzip2':
      return (await import('./bzip2.ts')).unbzip2;
    case 'lzma':
      return (await import('./lzma.ts')).unlzma;
  }
}

async function sendAll(chunks: ByteStream): Promise<void> {
  output.credit = CREDIT;
  for await (const bytes of chunks) {
    while (output.credit === 0) await new Promise<void>((resolve) => (output.onCredit = resolve));
    output.credit--;
    send({ type: 'chunk', bytes });
  }
  send({ type: 'done' });
}

async function* inputOfMain(): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const bytes = await new Promise<Uint8Array | undefined>((resolve) => {
      onInput = resolve;
      send({ type: 'need' });
    });
    if (bytes === undefined) return;
    yield bytes;
  }
}

function send(message: FromWorker): void {
  if (!('bytes' in message)) {
    port.postMessage(message);
    return;
  }
  const bytes = transferable(message.bytes);
  port.postMessage({ ...message, bytes }, [bytes.buffer]);
}

function toFailure(error: unknown): Failure {
  if (error instanceof OnlayError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'INTERNAL', message: messageOf(error), hint: undefined };
}
